"""The journal of a run, as its code meets it: what was done before is not done again."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Protocol

from runfold.entries import Call, Entry, Outcome
from runfold.errors import JournalMismatchError, RunfoldError
from runfold.log import Line
from runfold.matching import Matching

SETTLING_TURNS = 5
"""So many turns of the event loop are given to code that goes on."""


class Link(Protocol):
    """The way to the engine."""

    def report(self, kind: Any, facts: dict[str, Any]) -> "asyncio.Future[None]":
        """Say what happened; done when the engine has committed it. Order is kept."""
        ...

    def block(self, waits: tuple[int, ...]) -> None:
        """Say that nothing goes on but these waits; nothing to wait for: it goes on again."""
        ...


class Openable(Protocol):
    """A journal, or what makes one when the code first asks for something."""

    @property
    def broken(self) -> BaseException | None:
        """Why the code can go on no more, and how its attempt ends."""
        ...

    def open(self) -> "Journal":
        """The journal. Any thread may ask."""
        ...


class UnopenedJournal:
    """Of an attempt whose code may never ask for anything, as much code never does: `make` makes it if it does."""

    __slots__ = ("_journal", "_make")
    _opening = threading.Lock()

    def __init__(self, make: "Callable[[], Journal]") -> None:
        self._make = make
        self._journal: Journal | None = None

    @property
    def broken(self) -> BaseException | None:
        """Why the code can go on no more, and how its attempt ends."""
        return self._journal.broken if self._journal else None

    def open(self) -> "Journal":
        """The journal, which is made once."""
        with self._opening:
            if self._journal is None:
                self._journal = self._make()
            return self._journal


class Journal:
    """Of one attempt, in the process and on the event loop where its code awaits."""

    def __init__(
        self,
        run: str,
        attempt: int,
        entries: Iterable[Entry],
        link: Link,
        describe: Callable[[BaseException], Any],
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.run = run
        self.attempt = attempt
        self.describe = describe
        """What is told of an error, without the secrets of the run."""
        self.log: Callable[[Line], None] = _drop
        """Keeps a line that the code logs."""
        self.loop = loop or asyncio.get_running_loop()
        self.sleep = sleep
        self.chance = chance
        self.broken: BaseException | None = None
        """Why the code can go on no more, and how its attempt ends."""
        self._matching = Matching(run, attempt, entries)
        self._link = link
        self._stopped: BaseException | None = None
        self._busy = 0
        self._is_blocked = False
        self._turns = 0
        self._waits: dict[int, asyncio.Future[Outcome]] = {}
        self._outcomes: dict[int, Outcome] = {}

    def open(self) -> "Journal":
        """Itself."""
        return self

    def begin(self, name: str, kind: str, digest: str | None = None) -> Call:
        """Ask for something. Raises JournalMismatchError when the journal tells of something else."""
        self.check()
        if asyncio.get_running_loop() is not self.loop:
            raise RunfoldError(f"{name!r} is awaited on another event loop than that of its task, which cannot work.")
        try:
            return self._matching.match(name, kind, digest)
        except JournalMismatchError as error:
            self.broken = error
            raise

    def note(self, call: Call, kind: str, **facts: Any) -> "asyncio.Future[None]":
        """Put it into the journal; done when it is committed."""
        index = self._matching.add(call)
        return self._link.report(kind, {"entry": call.place(index), **facts})

    async def record(self, call: Call, kind: str, **facts: Any) -> None:
        """Put it into the journal, and wait until it is committed."""
        with self.working():
            await self.note(call, kind, **facts)

    async def wait(self, call: Call, what: dict[str, Any]) -> Outcome:
        """Wait for what the report of a wait names."""
        if call.known is not None and call.known.completed is not None:
            return call.known.completed
        if call.known is None:
            # Others that begin at the same time make their first step.
            await asyncio.sleep(0)
            self.check()
            # Before it is said, so that what is waited for and that nothing else goes on are told together.
            self._look_in(1)
            index, said = self._matching.size, self.note(call, "waiting", **what)
        else:
            index, said = call.known.index, None
            self._look_in(1)
        if index in self._outcomes:
            return self._outcomes[index]
        ended: asyncio.Future[Outcome] = self.loop.create_future()
        self._waits[index] = ended
        try:
            if said is not None:
                await said
            return await ended
        finally:
            self._waits.pop(index, None)
            self._look_soon()

    def wake(self, index: int, outcome: Outcome) -> None:
        """A wait is over."""
        self._outcomes[index] = outcome
        waiting = self._waits.pop(index, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)

    def close(self, why: BaseException) -> None:
        """Nothing more is asked for: the code is told why whenever it tries, and its attempt ends by that."""
        self.broken = self.broken or why

    def stop(self, why: BaseException) -> None:
        """Nothing more is asked for, however the attempt ends: what code does that is to stop, it may not do again."""
        self._stopped = self._stopped or why

    def end(self) -> None:
        """The attempt is over: what it has left behind waits for nothing."""
        self.stop(asyncio.CancelledError("The run has ended."))
        for waiting in self._waits.values():
            waiting.cancel()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is asked for."""
        return (self.broken or self._stopped) is not None

    def check(self) -> None:
        """Raise what keeps the code from going on."""
        if self.broken is not None:
            raise self.broken
        if self._stopped is not None:
            raise self._stopped

    @property
    def open_waits(self) -> tuple[int, ...]:
        """The waits of which the code has not heard the end."""
        return tuple(self._waits)

    def suspend(self, why: BaseException) -> bool:
        """Raise this wherever the code waits, if it does nothing else; whether it was raised."""
        if self._busy or not self._waits or self.is_closed:
            return False
        self.close(why)
        for waiting in self._waits.values():
            if not waiting.done():
                waiting.set_exception(why)
        return True

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
            self._look_in(SETTLING_TURNS)

    def _look_in(self, turns: int) -> None:
        """Look once after so many turns of the event loop, however many ask for it."""
        is_pending = self._turns > 0
        self._turns = turns
        if not is_pending:
            self.loop.call_soon(self._pass_turn)

    def _pass_turn(self) -> None:
        self._turns -= 1
        if self._turns:
            self.loop.call_soon(self._pass_turn)
        else:
            self._look()

    def _look(self) -> None:
        waits = () if self._busy or self.is_closed else tuple(self._waits)
        self._is_blocked = bool(waits)
        self._link.block(waits)


def _drop(_line: Line) -> None:
    """Where nobody keeps lines."""
