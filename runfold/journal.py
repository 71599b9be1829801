"""The journal of a run, as its code meets it: what was done before is not done again."""

import asyncio
import random
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Protocol

from runfold import current
from runfold.entries import Call, Entry, Outcome
from runfold.errors import JournalMismatchError, RunfoldError
from runfold.log import Line
from runfold.matching import Matching
from runfold.open_waits import OpenWaits
from runfold.telling import PATIENCE_SECONDS, Telling


class Link(Protocol):
    """The way to the engine."""

    def report(self, kind: Any, facts: dict[str, Any], landed: Callable[[bool], object]) -> None:
        """Say what happened, in order. `landed` is told later that the engine has committed it, or never will."""
        ...

    def block(self, waits: tuple[int, ...]) -> None:
        """Say that nothing goes on but these waits; nothing to wait for: it goes on again."""
        ...


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
        chance: Callable[[], float] = random.random,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.run = run
        self.attempt = attempt
        self.describe = describe
        """What is told of an error, without the secrets of the run."""
        self.log: Callable[[Line], None] = _drop
        """Keeps a line that the code logs."""
        self.loop = loop or asyncio.get_running_loop()
        self.chance = chance
        self.broken: BaseException | None = None
        """Why the code can go on no more, and how its attempt ends."""
        entries = list(entries)
        self._matching = Matching(run, attempt, entries)
        self._owed = self._matching.owed
        self._telling = Telling(self.loop, entries, attempt, patience_seconds, self._overtake, self._owed)
        self._link = link
        self._stopped: BaseException | None = None
        self._waits = OpenWaits(self.loop, self._telling, link.block)
        self.begin_work = self._waits.begin_work
        """Something goes on that is no wait."""
        self.end_work = self._waits.end_work
        """It is over."""

    def open(self) -> "Journal":
        """Itself."""
        return self

    def begin(self, name: str, kind: str, digest: str | None = None) -> Call:
        """Ask for something. Raises JournalMismatchError when the journal tells of something else."""
        self.check()
        if asyncio.get_running_loop() is not self.loop:
            raise RunfoldError(f"{name!r} is awaited on another event loop than that of its task, which cannot work.")
        self._telling.move()
        try:
            call = self._matching.match(name, kind, digest)
        except JournalMismatchError as error:
            self._break(error)
            raise
        if self.is_owed:
            self._owed.meet(call)
            self._telling.meet()
        return call

    @property
    def is_owed(self) -> bool:
        """Whether the code did something before in this attempt that it has not asked for."""
        return bool(self._owed)

    async def admit(self, call: Call) -> None:
        """Wait until this, which is new, may begin: behind all that the code did before in this attempt.

        Raises JournalMismatchError where the code did it before, in another place.
        """
        if not self.is_owed:
            return
        with self._owed.replaced(call), self.working():
            await self._telling.admit()
            self.check()
        with self._breaking():
            self._owed.refuse_moved(call)

    async def settle(self) -> None:
        """See that code which has come to its end asked for what it did before. Raises JournalMismatchError."""
        if self.is_closed or not self.is_owed:
            return
        with self._breaking():
            self._matching.end()
            with self.working():
                await self._telling.admit()
            self._owed.refuse_rest()

    @contextmanager
    def _breaking(self) -> Generator[None]:
        try:
            yield
        except JournalMismatchError as error:
            self._break(error)
            raise

    def _break(self, why: BaseException) -> None:
        self.broken = why
        self._waits.close()

    def note(self, call: Call, kind: str, **facts: Any) -> "asyncio.Future[None]":
        """Put it into the journal, and hear nothing of it; done when it is committed."""
        return self._put(call, kind, facts)[1]

    async def record(self, call: Call, kind: str, **facts: Any) -> None:
        """Put it into the journal, and wait until it is committed and the code may hear of it."""
        self.begin_work()
        try:
            index = self._matching.add(call)
            entry = call.place(index) | self._telling.place(index, kind)
            self._link.report(kind, {"entry": entry, **facts}, self._telling.expect(index))
            await self._telling.turn(index)
        finally:
            self.end_work()

    async def turn(self, known: Entry) -> None:
        """Wait until the code may hear of what the journal has."""
        if known.is_canceled and current.thread_served() is None:
            await self.loop.create_future()  # until the code cancels it, as it did before
        with self.working():
            await self._telling.turn(known.index)

    async def wait(self, call: Call, what: dict[str, Any]) -> Outcome:
        """Wait for what the report of a wait names."""
        return await (self._begin_wait(call, "waiting", what) if call.known is None else self.end_of(call.known))

    async def pause(self, call: Call, error: Any, seconds: float) -> None:
        """Wait for the next try of a step, behind one that failed."""
        await self._begin_wait(call, "step_tried", {"error": error, "for_ms": round(seconds * 1000)})

    async def end_of(self, known: Entry) -> Outcome:
        """Wait for the end of a wait, or of the one behind a failed try, that the journal has."""
        if known.completed is not None:
            await self.turn(known)
            return known.completed
        self._waits.look_in(1)
        return await self._waits.end_of(known.index, None)

    async def _begin_wait(self, call: Call, kind: str, facts: dict[str, Any]) -> Outcome:
        # Others that begin at the same time make their first step.
        await asyncio.sleep(0)
        self.check()
        if kind == "waiting":
            await self._admit_wait(call, facts)
        # Before it is said, so that what is waited for and that nothing else goes on are told together.
        self._waits.look_in(1)
        return await self._waits.end_of(*self._put(call, kind, facts))

    async def _admit_wait(self, call: Call, facts: dict[str, Any]) -> None:
        try:
            await self.admit(call)
        except asyncio.CancelledError:
            if not self.is_closed and current.is_being_cancelled():
                # As if it had begun: what the code does next stands behind it.
                self._telling.leave(self._put(call, "waiting", facts)[0])
            raise

    def wake(self, index: int, outcome: Outcome) -> None:
        """A wait is over."""
        self._waits.wake(index, outcome)

    def _put(self, call: Call, kind: str, facts: dict[str, Any]) -> "tuple[int, asyncio.Future[None]]":
        index = self._matching.add(call, is_try=kind == "step_tried")
        entry = call.place(index) | self._telling.place(index, kind)
        committed: asyncio.Future[None] = self.loop.create_future()
        self._link.report(kind, {"entry": entry, **facts}, partial(_end, committed))
        return index, committed

    def close(self, why: BaseException) -> None:
        """Nothing more is asked for: the code is told why whenever it tries, and its attempt ends by that."""
        self._break(self.broken or why)

    def stop(self, why: BaseException) -> None:
        """Nothing more is asked for, however the attempt ends: what code does that is to stop, it may not do again."""
        self._stopped = self._stopped or why
        self._waits.close()

    def end(self) -> None:
        """The attempt is over: what it has left behind waits for nothing."""
        self.stop(asyncio.CancelledError("The run has ended."))
        self._waits.cancel()
        self._telling.close()

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
        return self._waits.indexes

    def suspend(self, why: BaseException) -> bool:
        """Close the journal of code that does nothing but wait; whether it does. Threads that wait are told at once.

        Code that awaits is for the caller to cancel, from its beginning on: told of one wait, it would go on.
        """
        if self.is_closed or not self._waits.are_all:
            return False
        self.close(why)
        self._waits.interrupt_threads(why)
        return True

    def _overtake(self, first: int, other: int | None) -> None:
        """Say that the code may go another way than it did."""
        told = self._matching.named(first)
        if not self._owed.is_due(first):
            message = f"{told} was asked for before and is not now; the code may have dropped it when its process died."
        elif other is None:
            message = f"{told} was over before, and now the code goes on to what is new without asking for it."
        else:
            behind = self._matching.named(other)
            message = (
                f"{told} was over before {behind}, and now the code goes on behind {behind} without asking for it."
            )
        self.log(Line(time.time_ns() // 1_000_000, "warning", message))

    def working(self) -> AbstractContextManager[None]:
        """Something goes on meanwhile that is no wait."""
        return self._waits.working()

    @contextmanager
    def reading(self) -> Generator[None]:
        """The code is about to hear of what is read meanwhile, and of nothing else before."""
        with self.working(), self._telling.reading():
            yield


def _end(committed: "asyncio.Future[None]", is_committed: bool) -> None:  # noqa: FBT001 (what is told)
    if committed.done():
        return
    if is_committed:
        committed.set_result(None)
    else:
        committed.cancel()


def _drop(_line: Line) -> None:
    """Where nobody keeps lines."""
