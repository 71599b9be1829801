"""Executions of jobs: what is looked for in their lists. All else that these show is in the rows of their runs."""

from typing import NamedTuple

from msgspec import Struct

from domain.vocabulary import EXECUTIONS
from projections.run_row import RunRow

STATUSES = tuple(dict.fromkeys(EXECUTIONS.words.values()))
"""queued, running, succeeded, failed."""


class ExecutionRow(Struct, frozen=True, gc=False):
    """One execution, by the id of its run. `status` is the word of the executions document."""

    id: str
    environment: str
    job: str
    status: str
    scheduled_for: int


class ExecutionFilter(Struct, frozen=True, gc=False):
    """All that is given must hold; None narrows nothing. Times are in milliseconds, ends included."""

    jobs: tuple[str, ...] | None = None
    """Any of these; none at all if it is empty."""
    status: str | None = None
    scheduled_from: int | None = None
    scheduled_to: int | None = None


class Order(NamedTuple):
    """By the time for which executions were planned, else by when they were created; ids decide between equals."""

    by_schedule: bool = True
    is_ascending: bool = False


class Place(NamedTuple):
    """The execution behind which a page begins."""

    scheduled_for: int
    id: str


def row_of(run: RunRow) -> ExecutionRow | None:
    """The row of a run that is an execution, None for others."""
    if run.job is None:
        return None
    word = EXECUTIONS.words[run.status]
    return ExecutionRow(run.id, run.environment, run.job.id, word, run.job.scheduled_for)


def matches(row: ExecutionRow, wanted: ExecutionFilter) -> bool:
    """Whether a row is among those that the filter leaves; databases find the same rows faster."""
    return (
        (wanted.jobs is None or row.job in wanted.jobs)
        and (wanted.status is None or row.status == wanted.status)
        and (wanted.scheduled_from is None or row.scheduled_for >= wanted.scheduled_from)
        and (wanted.scheduled_to is None or row.scheduled_for <= wanted.scheduled_to)
    )


def has_part(name: str, part: str) -> bool:
    """Whether a name has this part, in any case."""
    return part.casefold() in name.casefold()


def place_of(row: ExecutionRow, order: Order) -> tuple[int, str]:
    """What a list is sorted by; ids sort by the time of creation."""
    return (row.scheduled_for if order.by_schedule else 0, row.id)
