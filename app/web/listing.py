"""The query of a list of runs: filters, page, cursors."""

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple

from app.web.errors import Malformed
from domain import durations
from domain.errors import InvalidInput
from domain.status import Status
from domain.vocabulary import Vocabulary
from projections.filters import RunFilter

PAGE_MAX = 100
PAGE_DEFAULT = 25
_FILTERS = frozenset({"status", "taskIdentifier", "version", "tag", "queue", "batch", "isTest"})
_DATES = frozenset({"filter[createdAt][from]", "filter[createdAt][to]", "filter[createdAt][period]"})
_PAGES = frozenset({"page[size]", "page[after]", "page[before]"})
KNOWN = frozenset(f"filter[{name}]" for name in _FILTERS) | _DATES | _PAGES | {"vocabulary"}
"""`vocabulary` is read where the caller is: it is no part of the query."""


class Query(NamedTuple):
    """What to list: `after` and `before` are run ids, `before` wins (the official client sends both)."""

    filter: RunFilter
    size: int
    after: str | None
    before: str | None


def query_of(parameters: Mapping[str, str], now: int, vocabulary: Vocabulary) -> Query:
    """The query of a request. Raises Malformed for a filter, status or page that there is none of."""
    for name in parameters:
        if name not in KNOWN:
            raise Malformed(
                f"There is no filter or page parameter {name[:60]!r}; there are {', '.join(sorted(KNOWN))}."
            )
    try:
        return _query(parameters, now, vocabulary)
    except InvalidInput as error:
        raise Malformed(str(error)) from error


def cursor_of(run: str) -> str:
    """An opaque cursor at a run."""
    return base64.urlsafe_b64encode(run.encode()).decode().rstrip("=")


def _query(parameters: Mapping[str, str], now: int, vocabulary: Vocabulary) -> Query:
    statuses: set[Status] = set()
    for name in _many(parameters, "status"):
        statuses |= vocabulary.named(name)
    created_from, created_to = (_date(parameters, name) for name in ("from", "to"))
    period = parameters.get("filter[createdAt][period]")
    if period is not None:
        created_from = max(created_from or 0, now - durations.parse_duration(period))
    run_filter = RunFilter(
        statuses=tuple(sorted(statuses)),
        tasks=tuple(_many(parameters, "taskIdentifier")),
        versions=tuple(_many(parameters, "version")),
        tags=tuple(_many(parameters, "tag")),
        queues=tuple(_many(parameters, "queue")),
        batch=parameters.get("filter[batch]") or None,
        is_test=_bool(parameters, "filter[isTest]"),
        created_from=created_from,
        created_to=created_to,
    )
    after, before = (_run_at(parameters.get(f"page[{side}]")) for side in ("after", "before"))
    return Query(run_filter, _size(parameters.get("page[size]")), after, before)


def _many(parameters: Mapping[str, str], name: str) -> list[str]:
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


def _run_at(cursor: str | None) -> str | None:
    if not cursor:
        return None
    try:
        run = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise Malformed("This cursor was not given out by a list.") from error
    if not run.startswith("run_"):
        raise Malformed("This cursor was not given out by a list.")
    return run
