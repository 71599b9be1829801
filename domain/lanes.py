"""The lines in which ready runs stand: one for each queue, in it one for each key, in that a lane a kind."""

from collections import deque
from collections.abc import Callable, Collection
from heapq import heappop, heappush
from typing import NamedTuple

from domain.limits import Gate
from domain.rota import Place, Rota
from domain.run import Run
from domain.slots import Slots
from domain.status import Status


class Kind(NamedTuple):
    """What decides who may execute a run: its task, the versions that it is bound to, its machine, and its process."""

    task: str
    lock: str | None
    last_version: str | None
    machine: str | None
    worker: str | None = None
    """Who kept the process of a run whose wait is over, None for all others."""


class _Lane:
    """The ready runs of one kind. Entries of runs that are no longer ready stay until they come up.

    Most runs come in the order of their places, and stand in a queue; a heap has the others.
    """

    __slots__ = ("_others", "_queue", "live")

    def __init__(self) -> None:
        self._queue: deque[Place] = deque()
        self._others: list[Place] = []
        self.live = 0

    def add(self, place: Place, is_ready: Callable[[Place], bool]) -> None:
        """Somebody comes. Entries that are nobody's go, before they are more than half of many."""
        others, queue = self._others, self._queue
        if not queue or place >= queue[-1]:
            queue.append(place)
        else:
            heappush(others, place)
        if len(queue) + len(others) > 2 * self.live + 1_000:
            self._queue = deque(sorted(filter(is_ready, {*queue, *others})))
            self._others = []

    def first(self) -> Place:
        """The earliest place. Raises IndexError when there is none."""
        others, queue = self._others, self._queue
        return others[0] if others and (not queue or others[0] < queue[0]) else queue[0]

    def drop_first(self) -> None:
        """The earliest place is nobody's any more."""
        others, queue = self._others, self._queue
        if others and (not queue or others[0] < queue[0]):
            heappop(others)
        else:
            queue.popleft()


class KeyLine:
    """The ready runs of one concurrency key of a queue: a line in the order of their places."""

    __slots__ = ("_is_ready", "_lanes", "name", "served", "slots")

    def __init__(self, name: str, slots: Slots, served: int, is_ready: Callable[[Place], bool]) -> None:
        self.name = name
        self.slots = slots
        self.served = served
        """When it was last served, or came. Numbers that only grow."""
        self._is_ready = is_ready
        self._lanes: dict[Kind, _Lane] = {}

    def kinds(self) -> Collection[Kind]:
        """The kinds of its ready runs."""
        return self._lanes.keys()

    def has(self, kind: Kind) -> bool:
        """Whether some run of the kind is ready."""
        return kind in self._lanes

    def head(self, kind: Kind) -> Place | None:
        """The place of the first ready run of a kind."""
        lane = self._lanes.get(kind)
        if lane is None:
            return None
        while not self._is_ready(first := lane.first()):
            lane.drop_first()
        return first

    def glance(self, kind: Kind) -> Place | None:
        """A place that is no later than that of the head, without asking whether its run is ready."""
        lane = self._lanes.get(kind)
        return lane.first() if lane else None

    def pop(self, kind: Kind) -> None:
        """The first of a lane is taken, or of another kind by now, so that it stands in another lane."""
        self._lanes[kind].drop_first()

    def put_in(self, kind: Kind, run: Run) -> bool:
        """A run is ready; returns whether it is the only one of its kind."""
        lane = self._lanes.get(kind)
        is_first = lane is None
        if lane is None:
            lane = self._lanes[kind] = _Lane()
        lane.live += 1
        place = entry_of(run)
        assert place is not None, "only a ready run is put in"
        lane.add(place, self._is_ready)
        return is_first

    def take_out(self, kind: Kind) -> bool:
        """A run of this kind is ready no more; returns whether it was the last one."""
        lane = self._lanes[kind]
        lane.live -= 1
        if not lane.live:
            del self._lanes[kind]
        return not lane.live


class QueueLine:
    """The ready runs of one queue: its keys take turns."""

    __slots__ = ("_environment", "_is_ready", "gate", "keys", "live", "name", "rota", "served", "wakes_at")

    def __init__(
        self,
        environment: str,
        name: str,
        served: int,
        gate: Gate,
        served_at: Callable[[str, Kind], int | None],
        is_ready: Callable[[Place], bool],
    ) -> None:
        self.name = name
        self.served = served
        """When it was last served, or came. Numbers that only grow."""
        self.gate = gate
        self.live = 0
        self.keys: dict[str, KeyLine] = {}
        self.rota = Rota(served_at)
        self.wakes_at: int | None = None
        """When it is let in again, while it is out of its rate."""
        self._environment = environment
        self._is_ready = is_ready

    def key_of(self, concurrency_key: str | None) -> KeyLine | None:
        """The line of a concurrency key, if it has ready runs."""
        return self.keys.get(_name_of(concurrency_key))

    def add_key(self, concurrency_key: str | None, served: int) -> KeyLine:
        """A line for a concurrency key that had no ready runs."""
        name = _name_of(concurrency_key)
        slots = Slots(self._environment, self.name, concurrency_key)
        key = self.keys[name] = KeyLine(name, slots, served, self._is_ready)
        return key


class EnvironmentLine:
    """The queues of an environment that have ready runs take turns."""

    __slots__ = ("queues", "rota")

    def __init__(self, served_at: Callable[[str, Kind], int | None]) -> None:
        self.queues: dict[str, QueueLine] = {}
        self.rota = Rota(served_at)


def kind_of(run: Run) -> Kind:
    """Who may execute it."""
    waits_in = run.worker if run.woken and run.is_awake else None
    # This is asked three times of every run, and a call by the fields takes three times as long.
    return tuple.__new__(Kind, (run.task, run.lock, run.last_version, run.machine, waits_in))  # pyright: ignore[reportUnknownMemberType]  # of any tuple


def entry_of(run: Run | None) -> Place | None:
    """Its place in its line (when it was queued, less its priority), None for a run that is not ready."""
    if run is None or not (run.status is Status.QUEUED or run.is_awake):
        return None
    return run.queued_at - run.priority * 1_000, run.id


def _name_of(concurrency_key: str | None) -> str:
    """Lines are ordered by name, too, and None has no order."""
    return "" if concurrency_key is None else f"+{concurrency_key}"
