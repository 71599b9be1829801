"""What a list of runs is narrowed to: the fields of the page's form, and the parameters that the API has for them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from app.pages.moment import FIELD as MOMENT
from app.pages.words import GROUPS
from domain.errors import InvalidInput

FIELDS = {
    "status": "filter[status]",
    "task": "filter[taskIdentifier]",
    "tag": "filter[tag]",
    "version": "filter[version]",
    "queue": "filter[queue]",
    "machine": "filter[machine]",
    "batch": "filter[batch]",
    "schedule": "filter[schedule]",
    "bulk": "filter[bulkAction]",
    "test": "filter[isTest]",
    "period": "filter[createdAt][period]",
    "from": "filter[createdAt][from]",
    "to": "filter[createdAt][to]",
}
CURSORS = {"after": "page[after]", "before": "page[before]"}
PERIODS = ("1h", "24h", "7d", "30d")
SIZE = "25"


class Asked(NamedTuple):
    """The filter of a page, by the names of the form, its cursor, and the moment that is looked at."""

    filter: Mapping[str, str]
    cursor: Mapping[str, str]
    moment: str = ""
    """The moment of the past that is looked at."""

    @property
    def parameters(self) -> dict[str, str]:
        """The query of the API."""
        named = {FIELDS[name]: value for name, value in self.filter.items()}
        return (
            named | {CURSORS[name]: value for name, value in self.cursor.items()} | {"page[size]": SIZE} | self._as_of
        )

    @property
    def body(self) -> dict[str, str]:
        """The filter of a bulk action."""
        return {FIELDS[name].split("[")[-1].rstrip("]"): value for name, value in self.filter.items()}

    @property
    def statuses(self) -> Sequence[str]:
        """The statuses that are asked for."""
        return self.filter.get("status", "").split(",") if self.filter.get("status") else ()

    @property
    def query(self) -> str:
        """The address of this page behind its path."""
        return urlencode({**self.filter, **self.cursor, **self._then})

    def with_(self, **changes: str) -> str:
        """The address of the first page with some parts of the filter changed, or taken away."""
        changed = {name: value for name, value in {**self.filter, **changes, **self._then}.items() if value}
        return f"/?{urlencode(changed)}" if changed else "/"

    def turned(self, **cursor: str) -> str:
        """The address of another page with the same filter."""
        return f"/?{urlencode({**self.filter, **cursor, **self._then})}"

    @property
    def group(self) -> str:
        """Which of the groups of statuses is asked for, if it is one."""
        wanted = set(self.statuses)
        return next((name for name, statuses in GROUPS if set(statuses) == wanted), "")

    @property
    def _then(self) -> dict[str, str]:
        return {MOMENT: self.moment} if self.moment else {}

    @property
    def _as_of(self) -> dict[str, str]:
        return {"asOf": self.moment} if self.moment else {}

    @property
    def is_special(self) -> bool:
        """Whether more is asked for than one of the groups."""
        return bool(self.filter) and (set(self.filter) != {"status"} or not self.group)


def refuse_unknown(parameters: QueryParams) -> None:
    """Refuse what would be taken for a filter that changes nothing. Raises InvalidInput."""
    known = [*FIELDS, *CURSORS, MOMENT]
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise InvalidInput(f"The list has no filter {unknown[0][:60]!r}. It has {', '.join(FIELDS)}.")


def asked_of(parameters: QueryParams) -> Asked:
    """What an address asks for. A field may be there several times, as forms send checked boxes."""
    found: dict[str, str] = {}
    for name in FIELDS:
        values = [value.strip() for value in parameters.getlist(name) if value.strip()]
        if values:
            found[name] = ",".join(values)
    cursor = {name: parameters[name] for name in CURSORS if parameters.get(name)}
    return Asked(found, cursor, parameters.get(MOMENT, "").strip())
