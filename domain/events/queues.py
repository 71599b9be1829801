"""Queues are paused, limited and counted."""

from domain.events.base import Event


class QueuePaused(Event, frozen=True, gc=False):
    """Nothing of the queue starts any more."""

    queue: str


class QueueResumed(Event, frozen=True, gc=False):
    """The queue goes on."""

    queue: str


class QueueLimitOverridden(Event, frozen=True, gc=False):
    """This limit counts in place of the one that the tasks give the queue."""

    queue: str
    concurrency_limit: int


class QueueLimitReset(Event, frozen=True, gc=False):
    """The limit that the tasks give the queue counts again."""

    queue: str


class QueueStartsCounted(Event, frozen=True, gc=False):
    """So many runs of a queue were handed out just now, where a rate limit of this period bounds them."""

    queue: str
    starts: int
    period_ms: int
