"""What queues and environments allow: read off what the tasks, and those in charge, say of them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from domain import queue as queues
from domain.environment import Environment
from domain.events import Queue, RateLimit
from domain.queue import QueueState


class Gate(NamedTuple):
    """What holds for one queue: the limit that counts, and the one that its tasks give it."""

    limit: int | None
    base: int | None
    is_paused: bool
    rate: RateLimit | None
    state: QueueState | None


class Limits(Protocol):
    """What a queue and an environment allow at present."""

    def gate(self, environment: str, queue: str) -> Gate:
        """What holds for a queue; whoever changes that has to call `ReadyRuns.reopen`."""
        ...

    def limit_in_all(self, environment: str) -> int | None:
        """How many attempts of the environment may be open."""
        ...

    def opens_at(self, environment: str, queue: str, now: int) -> int | None:
        """When the queue may hand out a run: `now` if it may at once, None if that is for somebody to say."""
        ...

    def forget(self, environment: str, queue: str) -> None:
        """Nothing of the queue is ready any more."""
        ...


class Counted(NamedTuple):
    """How many runs of a queue with a rate limit were handed out in the present batch."""

    environment: str
    queue: str
    starts: int
    period_ms: int


class QueueLimits:
    """Reads the states of environments and queues when they are asked for, and again after `forget`."""

    def __init__(
        self,
        environment: Callable[[str], Environment | None],
        queue: Callable[[str, str], QueueState | None],
        rate_of_job: Callable[[str, str], RateLimit | None],
    ) -> None:
        self._environment = environment
        self._queue = queue
        self._rate_of_job = rate_of_job
        self._gates: dict[str, dict[str, Gate]] = {}
        self._declared: dict[str, dict[str, Queue]] = {}
        self._pending: dict[tuple[str, str], int] = {}

    def gate(self, environment: str, queue: str) -> Gate:
        """What holds for a queue now."""
        gates = self._gates.get(environment)
        if gates is None:
            gates = self._gates[environment] = {}
        found = gates.get(queue)
        if found is None:
            found = gates[queue] = self._read(environment, queue)
        return found

    def limit_in_all(self, environment: str) -> int | None:
        """How many attempts of the environment may be open."""
        found = self._environment(environment)
        return found.concurrency_limit if found else None

    def opens_at(self, environment: str, queue: str, now: int) -> int | None:
        """When the queue may hand out a run: `now` if it may at once, None while it is paused."""
        gate = self.gate(environment, queue)
        if gate.is_paused:
            return None
        if gate.rate is None:
            return now
        starts = gate.state.starts if gate.state else ()
        return queues.opens_at(starts, self._pending.get((environment, queue), 0), gate.rate, now)

    def count(self, environment: str, queue: str) -> None:
        """A run of the queue was handed out, which costs nothing where there is no rate limit."""
        if self.gate(environment, queue).rate is not None:
            self._pending[environment, queue] = self._pending.get((environment, queue), 0) + 1

    def counted(self) -> Iterator[Counted]:
        """What was counted, each once; whoever asks records it before anything else is handed out."""
        pending, self._pending = self._pending, {}
        for (environment, queue), starts in pending.items():
            rate = self.gate(environment, queue).rate
            assert rate is not None, "only starts of queues with a rate limit are counted"
            yield Counted(environment, queue, starts, rate.period_ms)

    def forget(self, environment: str, queue: str | None = None) -> None:
        """Something changed for this queue, or for all of the environment."""
        if queue is None:
            self._gates.pop(environment, None)
            self._declared.pop(environment, None)
        else:
            self._gates.get(environment, {}).pop(queue, None)

    def _read(self, environment: str, queue: str) -> Gate:
        declared, state = self._declared.get(environment), self._queue(environment, queue)
        if declared is None:
            tasks = self._environment(environment)
            # Once for all queues: to look through the tasks of all versions takes long.
            declared = self._declared[environment] = tasks.declared() if tasks else {}
        said = declared.get(queue)
        base, rate = (said.concurrency_limit, said.rate_limit) if said else (None, None)
        rate = self._rate_of_job(environment, queue) or rate
        override = state.override if state else None
        limit = base if override is None else override
        return Gate(limit, base, state is not None and state.is_paused, rate, state)
