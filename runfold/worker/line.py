"""The runs that a worker takes before it has room for them, so that it has some while a turn is under way.

Only a worker whose runs all end at once takes any: of others it might keep them from a worker that is free.
"""

from collections import deque
from collections.abc import Callable

from runfold.worker.held import Held

AT_ONCE_SECONDS = 0.02
"""A run that lasts no longer, from its hand-out to its end, ends at once: a turn takes about as long."""
AHEAD_MAX = 400
"""How many runs are taken so at most,"""
AHEAD_TIMES_MAX = 4
"""and how many for each that may go on: where one takes long, few stand behind it."""
PATIENCE_SECONDS = 0.2
"""How long a run stays in line at most: if others take longer than those before them, it goes back to its queue."""


class Line:
    """They begin in the order in which they came. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], capacity: int) -> None:
        self.limit = capacity
        """How many runs may go on at once; more than the capacity where some only wait."""
        self._clock = clock
        self._capacity = capacity
        self._under_way = 0
        """How many have begun and not ended."""
        self._waiting: deque[Held] = deque()
        self._ended = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, held: Held) -> None:
        """A run has come."""
        held.came_at = self._clock()
        self._waiting.append(held)

    def next(self) -> Held | None:
        """The one that begins now, if there is room for it."""
        if not self._waiting or self._under_way >= self.limit:
            return None
        self._under_way += 1
        return self._waiting.popleft()

    def leave(self, held: Held) -> None:
        """It begins out of its turn, only to end."""
        self._waiting.remove(held)
        self._under_way += 1

    def note_end(self, held: Held) -> None:
        """A run of this worker has ended."""
        self._under_way -= 1
        if self._clock() - held.came_at <= AT_ONCE_SECONDS:
            self._ended += 1

    def take_ahead(self) -> int:
        """How many to take over and above what there is room for: as many as ended at once since this was asked last.

        None if they are fewer than can go on at once: then there is room again soon enough.
        """
        ended, self._ended, capacity = self._ended, 0, self._capacity
        return min(ended, AHEAD_MAX, AHEAD_TIMES_MAX * capacity) if ended >= capacity else 0

    def late(self) -> list[Held]:
        """Those that have been in line for too long."""
        oldest = self._clock() - PATIENCE_SECONDS
        return [held for held in self._waiting if held.came_at <= oldest]
