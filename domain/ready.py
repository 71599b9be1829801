"""Which runs are ready and which slots are taken: read off the states of the runs, never counted on their own."""

from collections.abc import Callable, Container, Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from domain.run import Run
from domain.status import Status

Entry = tuple[int, str]
"""Place in the queue (when it was queued, less its priority), and the run. Lower goes first."""


class Slots(NamedTuple):
    """What a concurrency limit counts: the open attempts of a queue, apart for each concurrency key."""

    environment: str
    queue: str
    concurrency_key: str | None


class Waiting(NamedTuple):
    """How many runs are ready, and since when (ms) the oldest of those next in line is queued."""

    depth: int
    since: int | None


class _Lane:
    """The ready runs of one task in one queue. Entries of runs that are no longer ready stay until they come up."""

    __slots__ = ("entries", "live")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.live = 0


class ReadyRuns:
    """The ready queues and the taken slots; `runs` answers with the current state of a run."""

    def __init__(self, runs: Callable[[str], Run | None]) -> None:
        self._runs = runs
        self._lanes: dict[str, dict[tuple[Slots, str], _Lane]] = {}
        self._taken: dict[Slots, set[str]] = {}

    def replace(self, before: Run | None, after: Run | None) -> None:
        """Take note that a run changed (None: it is not kept before, or no longer)."""
        was, now = _entry_of(before), _entry_of(after)
        if was != now:
            if before and was:
                self._lane_of(before).live -= 1
            if after and now:
                self._push(after, now)
        held, holds = before is not None and before.token is not None, after is not None and after.token is not None
        if held == holds:
            return
        if before and held:
            self._give_back(before)
        if after and holds:
            self._taken.setdefault(slots_of(after), set()).add(after.id)

    def taken(self, slots: Slots) -> int:
        """How many attempts of the queue are open."""
        return len(self._taken.get(slots, ()))

    def depth(self, environment: str, queue: str) -> int:
        """How many runs of the queue are ready."""
        lanes = self._lanes.get(environment, {})
        return sum(lane.live for (slots, _), lane in lanes.items() if slots.queue == queue)

    def waiting(self, environment: str) -> Waiting:
        """What waits in all its queues. It costs what handing out a run costs: one look at the head of each line."""
        depth, since = 0, None
        for lane in self._lanes.get(environment, {}).values():
            depth += lane.live
            head = self._head(lane)
            run = self._runs(head[1]) if head else None
            if run and (since is None or run.queued_at < since):
                since = run.queued_at
        return Waiting(depth, since)

    def take(self, environment: str, tasks: Container[str], limit_of: Callable[[str], int | None]) -> Iterator[Run]:
        """The ready runs of these tasks, first come first, as far as the slots go.

        Who takes a run must dequeue it (and call `replace`) before asking for the next one.
        """
        lanes = self._lanes.get(environment, {})
        heads = [(head, key) for key, lane in lanes.items() if key[1] in tasks and (head := self._head(lane))]
        heapify(heads)
        while heads:
            _, key = heappop(heads)
            slots, lane = key[0], lanes[key]
            limit = limit_of(slots.queue)
            head = self._head(lane)
            if head is None or (limit is not None and self.taken(slots) >= limit):
                continue
            heappop(lane.entries)
            run = self._runs(head[1])
            assert run is not None, "the head of a lane is a ready run"
            yield run
            if (following := self._head(lane)) is not None:
                heappush(heads, (following, key))
        self._forget_empty(environment)

    def _push(self, run: Run, entry: Entry) -> None:
        lane = self._lane_of(run)
        lane.live += 1
        heappush(lane.entries, entry)
        if len(lane.entries) > 2 * lane.live + 1_000:
            lane.entries = [entry for entry in set(lane.entries) if self._is_ready(entry)]
            heapify(lane.entries)

    def _head(self, lane: _Lane) -> Entry | None:
        while lane.entries and not self._is_ready(lane.entries[0]):
            heappop(lane.entries)
        return lane.entries[0] if lane.entries else None

    def _is_ready(self, entry: Entry) -> bool:
        return _entry_of(self._runs(entry[1])) == entry

    def _lane_of(self, run: Run) -> _Lane:
        lanes = self._lanes.setdefault(run.environment, {})
        key = (slots_of(run), run.task)
        lane = lanes.get(key)
        if lane is None:
            lane = lanes[key] = _Lane()
        return lane

    def _give_back(self, run: Run) -> None:
        slots = slots_of(run)
        self._taken[slots].discard(run.id)
        if not self._taken[slots]:
            del self._taken[slots]

    def _forget_empty(self, environment: str) -> None:
        lanes = self._lanes.get(environment, {})
        for key in [key for key, lane in lanes.items() if not lane.live and not lane.entries]:
            del lanes[key]


def slots_of(run: Run) -> Slots:
    """The slots among which an attempt of this run takes one."""
    return Slots(run.environment, run.queue, run.concurrency_key)


def _entry_of(run: Run | None) -> Entry | None:
    if run is None or run.status is not Status.QUEUED:
        return None
    return run.queued_at - run.priority * 1_000, run.id
