"""Queues: how many unfinished runs each one has, counted from the rows of the runs and never kept as numbers."""

from collections.abc import Iterable

from msgspec import Struct

from domain.status import FINAL, Status
from projections.run_row import RunRow


class QueueRow(Struct, gc=False):
    """The unfinished runs of one queue."""

    environment: str
    name: str
    held: int = 0
    """PENDING, PENDING_VERSION or WAITING_ON_CONNECTIONS."""
    delayed: int = 0
    queued: int = 0
    executing: int = 0
    """DEQUEUED or EXECUTING: they take the queue's slots."""
    reattempting: int = 0
    waiting: int = 0
    """WAITING or FROZEN."""


_FIELDS: dict[Status, str] = {
    Status.PENDING: "held",
    Status.PENDING_VERSION: "held",
    Status.WAITING_ON_CONNECTIONS: "held",
    Status.DELAYED: "delayed",
    Status.QUEUED: "queued",
    Status.DEQUEUED: "executing",
    Status.EXECUTING: "executing",
    Status.REATTEMPTING: "reattempting",
    Status.WAITING: "waiting",
    Status.FROZEN: "waiting",
}
assert _FIELDS.keys() == set(Status) - FINAL


def count(rows: Iterable[RunRow]) -> list[QueueRow]:
    """The queues that have unfinished runs, by environment and name."""
    return add_up((row.environment, row.queue, row.status, 1) for row in rows if row.status not in FINAL)


def add_up(counts: Iterable[tuple[str, str, Status, int]]) -> list[QueueRow]:
    """The queues that these counts of unfinished runs (environment, queue, status, runs) tell of."""
    queues: dict[tuple[str, str], QueueRow] = {}
    for environment, name, status, runs in counts:
        queue = queues.setdefault((environment, name), QueueRow(environment, name))
        field = _FIELDS[status]
        setattr(queue, field, getattr(queue, field) + runs)
    return [queues[key] for key in sorted(queues)]
