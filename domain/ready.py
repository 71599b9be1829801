"""Which runs are ready and which slots are taken: read off the states of the runs, never counted on their own.

The choice is fair: the queues of an environment take turns, the concurrency keys of a queue take turns, and within a
key the first to come is the first to go. What is full, paused or out of its rate is not asked again until that changes.
"""

from collections.abc import Callable, Collection, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from domain.lanes import EnvironmentLine, KeyLine, Kind, QueueLine, entry_of, kind_of
from domain.limits import Limits
from domain.rota import Round, Rounds
from domain.run import Run
from domain.slots import Slots, TakenSlots, slots_of, takes_slot
from domain.status import Status

QUEUED, WAITING = Status.QUEUED, Status.WAITING

__all__ = ["Kind", "ReadyRuns", "Slots", "Waiting", "slots_of"]


class Waiting(NamedTuple):
    """How many runs are ready, and since when (ms) the oldest of those next in line is queued."""

    depth: int
    since: int | None


class ReadyRuns:
    """The ready queues and the taken slots; `runs` answers with the current state of a run."""

    def __init__(self, runs: Callable[[str], Run | None], limits: Limits) -> None:
        self._runs = runs
        self._limits = limits
        self._environments: dict[str, EnvironmentLine] = {}
        self._slots = TakenSlots()
        self._asleep: list[tuple[int, str, str]] = []
        """The queues that are out of their rate, by the time when they may go on."""
        self._served = count(1)
        self._now = 0

    def replace(self, before: Run | None, after: Run | None) -> None:
        """Take note that a run changed (None: it is not kept before, or no longer)."""
        # Written out: this is asked of every change of every run.
        was = before if before and (before.status is QUEUED or (before.woken and before.status is WAITING)) else None
        now = after if after and (after.status is QUEUED or (after.woken and after.status is WAITING)) else None
        if was is not now and not (was and now and entry_of(was) == entry_of(now) and kind_of(was) == kind_of(now)):
            if was:
                self._take_out(was)
            if now:
                self._put_in(now)
        held, holds = before is not None and takes_slot(before), after is not None and takes_slot(after)
        if held == holds:
            return
        if before and held:
            self._give_back(before)
        if after and holds:
            self._slots.take(after)

    def reopen(self, environment: str, queue: str | None = None) -> None:
        """Other limits hold for a queue (or all of them): whoever was out may be in again."""
        line = self._environments.get(environment)
        if line is None:
            return
        for name in [queue] if queue is not None else list(line.queues):
            if found := line.queues.get(name):
                found.gate = self._limits.gate(environment, name)
                for key in found.keys.values():
                    self._let_in(found, key)

    def wake(self, now: int) -> None:
        """Let the queues in whose rate allows more by now."""
        while self._asleep and self._asleep[0][0] <= now:
            _, environment, name = heappop(self._asleep)
            line = self._environments.get(environment)
            if line and (queue := line.queues.get(name)):
                queue.wakes_at = None
                for kind in queue.rota.kinds():
                    line.rota.let_in(kind, name, queue.served)

    def next_due(self) -> int | None:
        """When a queue that is out of its rate may go on."""
        return self._asleep[0][0] if self._asleep else None

    def kinds(self, environment: str) -> Collection[Kind]:
        """The kinds of ready runs, and perhaps some of which there are none any more."""
        line = self._environments.get(environment)
        return line.rota.kinds() if line else ()

    def taken(self, slots: Slots) -> int:
        """How many attempts of the queue are open."""
        return self._slots.count(slots)

    def holders(self, slots: Slots) -> list[str]:
        """The runs whose attempts are open, the oldest first."""
        return self._slots.holders(slots)

    def taken_in_all(self, environment: str) -> int:
        """How many attempts of the environment are open."""
        return self._slots.count_in_all(environment)

    def running(self, environment: str) -> dict[str, int]:
        """How many attempts of each of its queues are open, all concurrency keys together."""
        return self._slots.by_queue(environment)

    def depth(self, environment: str, queue: str) -> int:
        """How many runs of the queue are ready."""
        line = self._environments.get(environment)
        found = line.queues.get(queue) if line else None
        return found.live if found else 0

    def waiting(self, environment: str) -> Waiting:
        """What waits in all its queues. It looks at the head of every line, so it is for those who ask now and then."""
        depth, since = 0, None
        line = self._environments.get(environment)
        for queue in line.queues.values() if line else ():
            depth += queue.live
            for run_id in (head[1] for key in queue.keys.values() for kind in key.kinds() if (head := key.head(kind))):
                run = self._runs(run_id)
                if run and (since is None or run.queued_at < since):
                    since = run.queued_at
        return Waiting(depth, since)

    def take(self, environment: str, may_take: Callable[[Kind], bool], now: int) -> Iterator[Run]:
        """The ready runs of the kinds that may be taken, each in its turn, while there are slots. `now` only grows.

        Who takes a run must dequeue it (and call `replace`) before asking for the next one.
        """
        line = self._environments.get(environment)
        if line is None:
            return
        self._now = now
        limit, in_all = self._limits.limit_in_all(environment), self._slots.count_in_all
        if not line.queues or (limit is not None and in_all(environment) >= limit):
            return
        kinds = {kind for kind in line.rota.kinds() if may_take(kind)}
        yield from self._take_alone(line, kinds, limit, environment)
        queues, rounds = Round(line.rota, kinds), Rounds(kinds)
        while (limit is None or in_all(environment) < limit) and (turn := queues.next()):
            queue = line.queues[turn[0]]
            name, offered = rounds.next(queue.rota)
            key = queue.keys[name]
            stream, kind = rounds.next(key)
            run = self._runs(stream)
            assert run is not None, "the head of a lane is a ready run"
            key.pop(kind)
            if kind_of(run) != kind:
                continue
            queue.served = key.served = served = next(self._served)
            line.rota.serve(turn[1], queue.name, served)
            queue.rota.serve(offered, name, served)
            yield run

    def _take_alone(
        self, line: EnvironmentLine, kinds: set[Kind], limit: int | None, environment: str
    ) -> Iterator[Run]:
        """As long as one key of one queue has all ready runs, and they are of one kind, no turn has to be found."""
        kind = next(iter(kinds), None)
        while kind and len(line.queues) == len(kinds) == 1:
            (queue,) = line.queues.values()
            gate = queue.gate
            if len(queue.keys) > 1 or gate.is_paused or gate.rate is not None:
                return
            (key,) = queue.keys.values()
            if (gate.limit is not None and self.taken(key.slots) >= gate.limit) or (
                limit is not None and self.taken_in_all(environment) >= limit
            ):
                return
            head = key.head(kind)
            run = self._runs(head[1]) if head else None
            if run is None:
                return
            key.pop(kind)
            if kind_of(run) == kind:
                queue.served = key.served = next(self._served)
                yield run

    def _put_in(self, run: Run) -> None:
        line = self._environments.get(run.environment)
        if line is None:
            line = self._environments[run.environment] = self._new_line(run.environment)
        queue = line.queues.get(run.queue)
        if queue is None:
            queue = line.queues[run.queue] = self._new_queue(run.environment, run.queue)
        key = queue.key_of(run.concurrency_key)
        if key is None:
            key = queue.add_key(run.concurrency_key, next(self._served))
        kind = kind_of(run)
        queue.live += 1
        # Where others of its kind wait already, the key has its turn, or is out for a reason that this one shares.
        if key.put_in(kind, run):
            queue.rota.let_in(kind, key.name, key.served)
            line.rota.let_in(kind, queue.name, queue.served)

    def _take_out(self, run: Run) -> None:
        line = self._environments[run.environment]
        queue = line.queues[run.queue]
        key = queue.key_of(run.concurrency_key)
        assert key is not None, "a ready run is in its line"
        queue.live -= 1
        kind = kind_of(run)
        if not key.take_out(kind):
            return
        if not key.kinds():
            del queue.keys[key.name]
        if queue.keys:
            queue.rota.tidy(kind, len(queue.keys))
        else:
            del line.queues[queue.name]
            queue.rota.close()
            # A name may be used once and never again.
            self._limits.forget(run.environment, run.queue)
        line.rota.tidy(kind, len(line.queues))

    def _give_back(self, run: Run) -> None:
        self._slots.give_back(run)
        line = self._environments.get(run.environment)
        queue = line.queues.get(run.queue) if line else None
        key = queue.key_of(run.concurrency_key) if queue else None
        if queue and key and queue.gate.limit is not None:
            self._let_in(queue, key)

    def _let_in(self, queue: QueueLine, key: KeyLine) -> None:
        line = self._environments[key.slots.environment]
        for kind in key.kinds():
            queue.rota.let_in(kind, key.name, key.served)
            line.rota.let_in(kind, queue.name, queue.served)

    def _new_line(self, environment: str) -> EnvironmentLine:
        def served_at(name: str, kind: Kind) -> int | None:
            queue = line.queues.get(name)
            if queue is None or queue.rota.head(kind) is None:
                return None
            if not queue.gate.is_paused and queue.gate.rate is None:
                return queue.served
            opens_at = self._limits.opens_at(environment, name, self._now)
            if opens_at is not None and opens_at > self._now and queue.wakes_at != opens_at:
                queue.wakes_at = opens_at
                heappush(self._asleep, (opens_at, environment, name))
            return queue.served if opens_at is not None and opens_at <= self._now else None

        line = EnvironmentLine(served_at)
        return line

    def _new_queue(self, environment: str, name: str) -> QueueLine:
        def served_at(key_name: str, kind: Kind) -> int | None:
            key = queue.keys.get(key_name)
            if key is None or not key.has(kind):
                return None
            limit = queue.gate.limit
            return None if limit is not None and taken(key.slots) >= limit else key.served

        gate = self._limits.gate(environment, name)
        taken = self._slots.count
        queue = QueueLine(environment, name, next(self._served), gate, served_at, self._is_ready)
        return queue

    def _is_ready(self, entry: tuple[int, str]) -> bool:
        return entry_of(self._runs(entry[1])) == entry
