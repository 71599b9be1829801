"""What a list of runs may be narrowed to. `matches` says what a filter means; databases find the same rows faster."""

from msgspec import Struct

from domain.status import Status
from projections.run_row import RunRow


class RunFilter(Struct, frozen=True, gc=False):
    """All that is given must hold; an empty tuple or None narrows nothing. Times are in milliseconds, ends included."""

    statuses: tuple[Status, ...] = ()
    tasks: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """Any of these."""
    tags_all: tuple[str, ...] = ()
    """Each of these."""
    queues: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    batch: str | None = None
    schedule: str | None = None
    """The schedule whose ticks they are for."""
    is_test: bool | None = None
    created_from: int | None = None
    created_to: int | None = None
    behind: int | None = None
    """Those that have an event behind this position."""
    bulk: str | None = None
    """The bulk action that touched them. Its events say which `runs` these are; rows of runs do not."""
    runs: frozenset[str] | None = None


def matches(row: RunRow, wanted: RunFilter) -> bool:
    """Whether a row is among those that the filter leaves."""
    return (
        (not wanted.statuses or row.status in wanted.statuses)
        and (not wanted.tasks or row.task in wanted.tasks)
        and (not wanted.versions or row.version in wanted.versions)
        and (not wanted.tags or not set(wanted.tags).isdisjoint(row.tags))
        and set(wanted.tags_all).issubset(row.tags)
        and (not wanted.queues or row.queue in wanted.queues)
        and (not wanted.machines or row.machine in wanted.machines)
        and (wanted.batch is None or row.batch == wanted.batch)
        and (wanted.schedule is None or row.schedule == wanted.schedule)
        and (wanted.is_test is None or row.is_test == wanted.is_test)
        and (wanted.created_from is None or row.created_at >= wanted.created_from)
        and (wanted.created_to is None or row.created_at <= wanted.created_to)
        and (wanted.behind is None or row.position > wanted.behind)
        and (wanted.runs is None or row.id in wanted.runs)
    )
