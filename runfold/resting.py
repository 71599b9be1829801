"""Whether the code of a run is at rest: all that follows from what it was told last has happened."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from runfold import current
from runfold.loop_turns import turns_of

RESTING_TURNS = 10
"""The code is at rest when it asked for nothing in so many turns of its event loop: four tasks may await each other."""
THREAD_SECONDS = 0.02
"""A thread is at rest when it has asked for something, or after this time."""


class Rest:
    """Of one attempt, on the event loop of its journal. `then` is called when the code may have come to rest.

    It is passed along each time and not kept for longer, so that what an attempt leaves goes at once.
    """

    __slots__ = ("_busy_thread", "_is_restless", "_loop", "_reads", "_rests_at", "_then", "_timer", "_turns")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._turns = turns_of(loop)
        self._rests_at = 0
        """In which turn of the loop the code is at rest."""
        self._is_restless = False
        self._then: Callable[[], object] | None = None
        """Called in that turn."""
        self._reads = 0
        """So many read what they were told of, before the code hears it."""
        self._busy_thread: object = None
        self._timer: asyncio.TimerHandle | None = None
        """Until a thread is at rest."""

    @property
    def has_come(self) -> bool:
        """Whether the code is at rest."""
        return not (self._is_restless or self._reads or self._timer is not None)

    def move(self, then: Callable[[], object]) -> None:
        """The code asks for something, so it is not at rest."""
        if self._timer is not None and self._busy_thread is current.executor():
            self._timer.cancel()
            self._timer = self._busy_thread = None
        self._rests_at = self._turns.behind(RESTING_TURNS)
        if not self._is_restless:
            self._is_restless = True
            self._then = then
            self._turns.call_at(self._rests_at, self._look)

    def await_thread(self, thread: object, then: Callable[[], object]) -> None:
        """This thread hears of something, and is not at rest before it asks for the next thing, or takes its time."""
        self._busy_thread = thread
        self._timer = self._loop.call_later(THREAD_SECONDS, self._leave_thread, then)

    @contextmanager
    def reading(self, then: Callable[[], object]) -> Generator[None]:
        """What was told is read meanwhile, before the code goes on."""
        self._reads += 1
        try:
            yield
        finally:
            self._reads -= 1
            if self._timer is not None:
                self._timer.cancel()
                self._timer = self._loop.call_later(THREAD_SECONDS, self._leave_thread, then)
            self.move(then)

    def close(self) -> None:
        """The attempt is over."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """See whether the code has asked for something since this was put down."""
        if self._rests_at > self._turns.passed:
            self._turns.call_at(self._rests_at, self._look)
        else:
            self._is_restless = False
            then, self._then = self._then, None
            assert then is not None, "it came with what the code asked for"
            then()

    def _leave_thread(self, then: Callable[[], object]) -> None:
        self._timer = self._busy_thread = None
        then()
