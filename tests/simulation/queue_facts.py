"""What must be true of the starts of runs, whoever pauses or limits their queues; read off the log alone."""

from domain import events as e
from domain.environment import Environment
from domain.events import Event, Queue, Recorded
from tests.simulation.rules import rule

BUCKETS = 50
"""A rate may be held a little lower than it is: a run may wait longer by this share of the period."""


class QueueFacts:
    """What the log tells of the queues of the one environment."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.most: int | None = None
        """How many attempts of the environment may be open."""
        self.said: set[tuple[type[Event], str]] = set()
        """What was ever said of a queue."""
        self._overrides: dict[str, int] = {}
        self._starts: dict[str, list[int]] = {}
        self._uncounted: dict[str, int] = {}

    def follow(self, recorded: Recorded) -> None:
        """Read an event that is not a run's."""
        match recorded.event:
            case e.QueuePaused(queue=queue):
                rule(queue not in self.paused, "queue %s is paused twice", queue)
                self.paused.add(queue)
                self.said.add((e.QueuePaused, queue))
            case e.QueueResumed(queue=queue):
                self.paused.remove(queue)
            case e.QueueLimitOverridden(queue=queue, concurrency_limit=limit):
                rule(self.most is None or limit <= self.most, "queue %s gets more than its environment", queue)
                self._overrides[queue] = limit
                self.said.add((e.QueueLimitOverridden, queue))
            case e.QueueLimitReset(queue=queue):
                del self._overrides[queue]
            case e.QueueStartsCounted(queue=queue, starts=starts):
                counted = self._uncounted.pop(queue, 0)
                rule(counted == starts, "%d starts of queue %s are counted, of %d", starts, queue, counted)
            case e.EnvironmentLimited(concurrency_limit=most):
                self.most = most
            case _:
                pass

    def follow_start(self, recorded: Recorded, queue: str, environment: Environment, *, is_first: bool) -> None:
        """A run of the queue was handed out, or goes on after a wait, which is not counted as a start."""
        rule(queue not in self.paused, "%s starts in queue %s, which is paused", recorded.stream, queue)
        rate = _declared(environment, queue).rate_limit
        if rate is None or not is_first:
            return
        starts = self._starts.setdefault(queue, [])
        starts.append(recorded.recorded_at)
        self._uncounted[queue] = self._uncounted.get(queue, 0) + 1
        recent = [moment for moment in starts if moment > recorded.recorded_at - rate.period_ms]
        rule(len(recent) <= rate.limit, "%d runs of queue %s start within %d ms", len(recent), queue, rate.period_ms)

    def end_batch(self) -> None:
        """What a batch starts is counted in the same batch."""
        rule(not self._uncounted, "starts are not counted: %s", self._uncounted)

    def limit_of(self, environment: Environment, queue: str) -> int | None:
        """The limit that counts."""
        return self._overrides.get(queue, _declared(environment, queue).concurrency_limit)

    def is_open(self, environment: Environment, queue: str, now: int) -> bool:
        """Whether runs of the queue may certainly start, if there are slots."""
        rate = _declared(environment, queue).rate_limit
        if queue in self.paused or rate is None:
            return queue not in self.paused
        since = now - rate.period_ms - rate.period_ms // BUCKETS
        return sum(moment > since for moment in self._starts.get(queue, ())) < rate.limit


def _declared(environment: Environment, queue: str) -> Queue:
    return environment.declared().get(queue, Queue(queue))
