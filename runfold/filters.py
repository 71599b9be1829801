"""Which runs a list has, and how that is written in a query."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from runfold.durations import Duration, whole_seconds


class RunFilters(TypedDict, total=False):
    """Several values of one filter widen the list, several filters narrow it. None means no filter."""

    status: str | Sequence[str] | None
    task: str | Sequence[str] | None
    tag: str | Sequence[str] | None
    queue: str | Sequence[str] | None
    version: str | Sequence[str] | None
    batch: str | None
    schedule: str | None
    """The id of a schedule: the runs of its ticks."""
    bulk_action: str | None
    """The id of a bulk action: the runs that it canceled, or its replays."""
    created_from: datetime | None
    created_to: datetime | None
    period: Duration | None
    """Runs created within this long before now."""
    is_test: bool | None
    limit: int | None
    """How many runs a page has, at most 100."""


def query_of(filters: RunFilters) -> dict[str, str]:
    """Raises TypeError for a name that is no filter, ValueError for a value that cannot be asked for."""
    check_names(filters, _WIRE)
    given: Mapping[str, Any] = filters
    return {wire: convert(value) for name, (wire, convert) in _WIRE.items() if (value := given.get(name)) is not None}


def check_names(filters: Mapping[str, Any], known: Iterable[str]) -> None:
    names = [*known]
    if unknown := filters.keys() - names:
        raise TypeError(f"No filter is called {', '.join(sorted(unknown))}; there are: {', '.join(names)}.")


def any_of(values: str | Sequence[str]) -> str:
    chosen = [values] if isinstance(values, str) else list(values)
    with_comma = [value for value in chosen if "," in value]
    if with_comma:
        raise ValueError(f"{with_comma[0]!r} has a comma, which separates the values of a filter.")
    return ",".join(chosen)


def epoch_ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone, so it names no moment: use datetime.now(UTC).")
    return round(moment.timestamp() * 1000)


def epoch_ms_text(moment: datetime) -> str:
    return str(epoch_ms(moment))


def seconds_text(period: Duration) -> str:
    return f"{whole_seconds(period)}s"


def _truth(value: bool) -> str:  # noqa: FBT001 (the value itself, not a switch)
    return "true" if value else "false"


_WIRE: dict[str, tuple[str, Callable[[Any], str]]] = {
    "status": ("filter[status]", any_of),
    "task": ("filter[taskIdentifier]", any_of),
    "tag": ("filter[tag]", any_of),
    "queue": ("filter[queue]", any_of),
    "version": ("filter[version]", any_of),
    "batch": ("filter[batch]", str),
    "schedule": ("filter[schedule]", str),
    "bulk_action": ("filter[bulkAction]", str),
    "created_from": ("filter[createdAt][from]", epoch_ms_text),
    "created_to": ("filter[createdAt][to]", epoch_ms_text),
    "period": ("filter[createdAt][period]", seconds_text),
    "is_test": ("filter[isTest]", _truth),
    "limit": ("page[size]", str),
}
