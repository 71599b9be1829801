"""What the code of a run waits for, and whether it does anything else: if it does not, the engine is told."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from runfold import current
from runfold.entries import Outcome
from runfold.telling import Telling

SETTLING_TURNS = 5
"""So many turns of the event loop are given to code that goes on."""


class OpenWaits:
    """Of one attempt, on the event loop of its journal."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, telling: Telling, block: Callable[[tuple[int, ...]], None]
    ) -> None:
        self._loop = loop
        self._telling = telling
        self._block = block
        """Tells the engine that nothing goes on but these waits; nothing to wait for: it goes on again."""
        self._waits: dict[int, asyncio.Future[None]] = {}
        self._threads: set[int] = set()
        """Those of the waits that hold a thread."""
        self._hearing: set[int] = set()
        """The waits that are over, of which the code is about to hear."""
        self._outcomes: dict[int, Outcome] = {}
        self._busy = 0
        self._turns = 0
        self._is_blocked = False
        self._is_closed = False

    @property
    def indexes(self) -> tuple[int, ...]:
        """The waits of which the code has not heard the end."""
        return tuple(self._waits)

    @property
    def are_all(self) -> bool:
        """Whether the code does nothing but wait."""
        return bool(self._waits) and not self._busy

    async def end_of(self, index: int, said: "asyncio.Future[None] | None") -> Outcome:
        """Wait for the end of this wait, if need be until the engine has been told of it, and the code may hear it."""
        ended: asyncio.Future[None] = self._loop.create_future()
        self._waits[index] = ended
        if index in self._outcomes:
            self.wake(index, self._outcomes[index])
        if current.thread_served() is not None:
            self._threads.add(index)
        is_told = False
        try:
            if said is not None:
                await said
            await ended
            await self._telling.turn(index)
            is_told = True
            return self._outcomes[index]
        finally:
            self._waits.pop(index, None)
            self._threads.discard(index)
            if not is_told:
                self._telling.leave(index)
            if index in self._hearing:
                self._hearing.remove(index)
                self.end_work()
            self._look_soon()

    def wake(self, index: int, outcome: Outcome) -> None:
        """A wait is over."""
        self._outcomes.setdefault(index, outcome)
        self._telling.end(index)
        waiting = self._waits.pop(index, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
            self._hearing.add(index)
            self._busy += 1  # of which the engine need not be told: it knows that the code goes on

    def close(self) -> None:
        """The code is to go on no more, whatever it still does: the engine is told of no waits."""
        self._is_closed = True

    def interrupt_threads(self, why: BaseException) -> None:
        """Raise this in the threads that wait."""
        for index in self._threads & self._waits.keys():
            waiting = self._waits[index]
            if not waiting.done():
                waiting.set_exception(why)

    def cancel(self) -> None:
        """Nobody is told of an end any more."""
        for waiting in self._waits.values():
            waiting.cancel()

    def begin_work(self) -> None:
        """Something goes on that is no wait."""
        self._busy += 1
        if self._is_blocked:
            self._look()

    def end_work(self) -> None:
        """It is over."""
        self._busy -= 1
        self._look_soon()

    @contextmanager
    def working(self) -> Generator[None]:
        """Something goes on meanwhile that is no wait."""
        self.begin_work()
        try:
            yield
        finally:
            self.end_work()

    def _look_soon(self) -> None:
        """Look when whoever waited for what is over, by way of other tasks, has gone on."""
        if self._waits or self._is_blocked:
            self.look_in(SETTLING_TURNS)

    def look_in(self, turns: int) -> None:
        """See once, after so many turns of the event loop, whether anything else goes on, however many ask for it."""
        is_pending = self._turns > 0
        self._turns = turns
        if not is_pending:
            self._loop.call_soon(self._pass_turn)

    def _pass_turn(self) -> None:
        self._turns -= 1
        if self._turns:
            self._loop.call_soon(self._pass_turn)
        else:
            self._look()

    def _look(self) -> None:
        waits = () if self._busy or self._is_closed else tuple(self._waits)
        self._is_blocked = bool(waits)
        self._block(waits)
