"""The query of a list: filters, page, cursors."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from starlette.datastructures import QueryParams

from app.names import known_machine
from app.web.errors import Malformed
from domain import durations
from domain.errors import InvalidInput
from domain.status import Status
from domain.vocabulary import Vocabulary
from projections.filters import RunFilter

F = TypeVar("F")
PAGE_MAX = 100
PAGE_DEFAULT = 25
_FILTERS = frozenset(
    {"status", "taskIdentifier", "version", "tag", "queue", "machine", "batch", "schedule", "bulkAction", "isTest"}
)
DATES = frozenset({"filter[createdAt][from]", "filter[createdAt][to]", "filter[createdAt][period]"})
PAGES = frozenset({"page[size]", "page[after]", "page[before]"})
KNOWN = frozenset(f"filter[{name}]" for name in _FILTERS) | DATES | PAGES | {"vocabulary", "asOf"}
"""`vocabulary` and `asOf` are read elsewhere: they are no parts of the query."""


class Query(NamedTuple, Generic[F]):
    """What to list: `after` and `before` are ids, `before` wins (the official client sends both)."""

    filter: F
    size: int
    after: str | None
    before: str | None


def each_once(parameters: QueryParams, *, joins: bool = True) -> QueryParams:
    """The parameters of a list, whose filters take values joined by commas or one value each.

    Raises Malformed when one is there twice, as one of the two would be passed over.
    """
    if len(parameters.multi_items()) != len(parameters):
        instead = "several values of one filter are joined by commas" if joins else "each takes one value"
        raise Malformed(f"A parameter is there twice; {instead}.")
    return parameters


def refuse_unknown(parameters: Mapping[str, str], known: frozenset[str]) -> None:
    """Raises Malformed for a parameter that a list does not have."""
    for name in parameters:
        if name not in known:
            raise Malformed(
                f"There is no filter or page parameter {name[:60]!r}; there are {', '.join(sorted(known))}."
            )


def query_of(parameters: Mapping[str, str], now: int, vocabulary: Vocabulary) -> Query[RunFilter]:
    """The query of a request. Raises Malformed for a filter, status or page that there is none of."""
    refuse_unknown(parameters, KNOWN)
    try:
        return _query(parameters, now, vocabulary)
    except InvalidInput as error:
        raise Malformed(str(error)) from error


def cursor_of(stream: str) -> str:
    """An opaque cursor at a run, or at whatever else a list is of."""
    return base64.urlsafe_b64encode(stream.encode()).decode().rstrip("=")


def _query(parameters: Mapping[str, str], now: int, vocabulary: Vocabulary) -> Query[RunFilter]:
    statuses: set[Status] = set()
    for name in many(parameters, "status"):
        statuses |= vocabulary.named(name)
    created_from, created_to = created_between(parameters, now)
    run_filter = RunFilter(
        statuses=tuple(sorted(statuses)),
        tasks=tuple(many(parameters, "taskIdentifier")),
        versions=tuple(many(parameters, "version")),
        tags=tuple(many(parameters, "tag")),
        queues=tuple(many(parameters, "queue")),
        machines=tuple(map(known_machine, many(parameters, "machine"))),
        batch=parameters.get("filter[batch]") or None,
        schedule=parameters.get("filter[schedule]") or None,
        bulk=parameters.get("filter[bulkAction]") or None,
        is_test=_bool(parameters, "filter[isTest]"),
        created_from=created_from,
        created_to=created_to,
    )
    return Query(run_filter, *page_of(parameters, "run"))


def page_of(parameters: Mapping[str, str], kind: str) -> tuple[int, str | None, str | None]:
    """The size of a page of such aggregates, and the ids behind and ahead of which it is. Raises Malformed."""
    after, before = (_id_at(parameters.get(f"page[{side}]"), kind) for side in ("after", "before"))
    return _size(parameters.get("page[size]")), after, before


def filter_of(asked: Mapping[str, Any], now: int, vocabulary: Vocabulary) -> RunFilter:
    """The filter of a body: the names of the list's, with strings, numbers, booleans or lists of strings as values."""
    parameters: dict[str, str] = {}
    for name, value in asked.items():
        known = f"filter[createdAt][{name}]" if name in {"from", "to", "period"} else f"filter[{name}]"
        parameters[known] = _text_of(name, value)
    return query_of(parameters, now, vocabulary).filter


def _text_of(name: str, value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | str():
            return str(value)
        case list() if all(isinstance(each, str) for each in value):  # pyright: ignore[reportUnknownVariableType]
            texts: list[str] = value  # pyright: ignore[reportUnknownVariableType]
            if any("," in each for each in texts):
                raise Malformed(f"A value of the filter {name[:60]!r} has a comma, which separates values.")
            return ",".join(texts)
        case _:
            raise Malformed(f"The filter {name[:60]!r} has a string or a list of strings.")


def created_between(parameters: Mapping[str, str], now: int) -> tuple[int | None, int | None]:
    """The first and the last moment at which what is listed may have been created. Raises InvalidInput."""
    created_from, created_to = (_date(parameters, name) for name in ("from", "to"))
    period = parameters.get("filter[createdAt][period]")
    if period is not None:
        created_from = max(created_from or 0, now - durations.parse_duration(period))
    return created_from, created_to


def many(parameters: Mapping[str, str], name: str) -> list[str]:
    """The values of a filter, which commas separate."""
    return [value for value in parameters.get(f"filter[{name}]", "").split(",") if value]


def _bool(parameters: Mapping[str, str], name: str) -> bool | None:
    value = parameters.get(name)
    if value is None:
        return None
    if value not in {"true", "false"}:
        raise Malformed(f"{name} is true or false, not {value[:40]!r}.")
    return value == "true"


def _date(parameters: Mapping[str, str], side: str) -> int | None:
    value = parameters.get(f"filter[createdAt][{side}]")
    return None if value is None else moment(value)


def moment(value: str) -> int:
    """A moment in milliseconds, or as an ISO 8601 date. Raises InvalidInput."""
    if value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    return durations.parse_date(value)


def _size(value: str | None) -> int:
    if value is None:
        return PAGE_DEFAULT
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= PAGE_MAX):
        raise Malformed(f"page[size] is 1 to {PAGE_MAX}, not {value[:40]!r}.")
    return int(value)


def _id_at(cursor: str | None, kind: str) -> str | None:
    if not cursor:
        return None
    try:
        stream = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise Malformed("This cursor was not given out by a list.") from error
    if not stream.startswith(f"{kind}_"):
        raise Malformed("This cursor was not given out by a list.")
    return stream
