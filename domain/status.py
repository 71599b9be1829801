"""The statuses of a run, in the words of the four systems that Runfold unites."""

from enum import StrEnum


class Status(StrEnum):
    """Where a run stands. Each member says when it holds."""

    PENDING = "PENDING"
    """Accepted; a gate is being looked at (its auth resolver runs)."""
    PENDING_VERSION = "PENDING_VERSION"
    """No deployed version knows the task yet."""
    WAITING_ON_CONNECTIONS = "WAITING_ON_CONNECTIONS"
    """A connection that the task needs is not ready."""
    DELAYED = "DELAYED"
    """It enters its queue at a later time."""
    QUEUED = "QUEUED"
    """It waits for a worker and for a slot of its queue."""
    DEQUEUED = "DEQUEUED"
    """Handed to a worker that has not said yet that it started."""
    EXECUTING = "EXECUTING"
    """An attempt is under way."""
    REATTEMPTING = "REATTEMPTING"
    """The last attempt failed; the next one waits for its back-off."""
    WAITING = "WAITING"
    """At a waitpoint: the slot is free, the process is still there."""
    FROZEN = "FROZEN"
    """At a waitpoint, with nothing left in any process; it resumes anywhere."""
    COMPLETED = "COMPLETED"
    """An attempt succeeded."""
    CANCELED = "CANCELED"
    """Stopped on request."""
    FAILED = "FAILED"
    """The last attempt failed and none is left."""
    TIMED_OUT = "TIMED_OUT"
    """An attempt executed for longer than its max duration; its waits are not counted."""
    CRASHED = "CRASHED"
    """The process of the last attempt died, or its worker was lost."""
    INTERRUPTED = "INTERRUPTED"
    """A development worker was lost in the middle of an attempt."""
    SYSTEM_FAILURE = "SYSTEM_FAILURE"
    """The engine could not go on with the run."""
    EXPIRED = "EXPIRED"
    """It waited in its queue for longer than its TTL."""
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    """The payload does not fit the task's schema."""
    UNRESOLVED_AUTH = "UNRESOLVED_AUTH"
    """The task's auth resolver found no one to act for."""


INITIAL = frozenset(
    {
        Status.PENDING,
        Status.PENDING_VERSION,
        Status.WAITING_ON_CONNECTIONS,
        Status.DELAYED,
        Status.QUEUED,
        Status.DEQUEUED,
    }
)
EXECUTING = frozenset({Status.EXECUTING, Status.REATTEMPTING, Status.WAITING, Status.FROZEN})
LIVE = INITIAL | EXECUTING
FINAL = frozenset(Status) - LIVE
