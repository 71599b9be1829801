"""The journal of a run, as its code meets it: what was done before is not done again, and is found in its order.

An entry is known by its name and its number among those of that name. It also tells which entry its branch of the code
made before, so that code that does other things than those that are journaled is noticed instead of being believed.
"""

import asyncio
import hashlib
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from runfold import current
from runfold.errors import JournalMismatchError
from runfold.log import Line
from runfold.run import RunError

TAKEN_OVER = 0
"""The attempt of what another run did, whose journal this one begins with."""
SETTLING_TURNS = 5
"""So many turns of the event loop are given to code that goes on."""


class Outcome(msgspec.Struct, frozen=True, rename="camel"):
    """How a wait ended."""

    done: tuple[str, ...] = ()
    timed_out: bool = False
    unknown: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry. `kind` is succeeded or failed (of a step), triggered or waiting; `attempt` made it."""

    index: int
    name: str
    kind: str
    attempt: int
    number: int = 1
    after: int | None = None
    forked: bool = False
    digest: str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: RunError | None = None
    runs: tuple[str, ...] = ()
    batch: str | None = None
    completed: Outcome | None = None


class Call(msgspec.Struct, frozen=True):
    """Something that the code asks for, and the entry that it has in the journal already."""

    name: str
    number: int
    after: int | None
    forked: bool
    digest: str | None
    known: Entry | None

    def place(self, index: int) -> dict[str, Any]:
        """Where it stands in the journal, as the worker protocol has it."""
        return {
            "index": index,
            "name": self.name,
            "number": self.number,
            "after": self.after,
            "forked": self.forked,
            "digest": self.digest,
        }


class Link(Protocol):
    """The way to the engine."""

    def report(self, kind: Any, facts: dict[str, Any]) -> "asyncio.Future[None]":
        """Say what happened; done when the engine has committed it. Order is kept."""
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
    ) -> None:
        self.run = run
        self.attempt = attempt
        self.describe = describe
        """What is told of an error, without the secrets of the run."""
        self.log: Callable[[Line], None] = _drop
        """Keeps a line that the code logs."""
        self.broken: BaseException | None = None
        """Why the code can go on no more."""
        self._link = link
        self._entries: dict[tuple[str, int], Entry] = {}
        self._by_index: dict[int, Entry] = {}
        self._next: dict[int | None, Entry] = {}
        """What the same branch did after an entry in this attempt."""
        for entry in entries:
            self._take(entry)
        self._size = len(self._by_index)
        self._numbers: dict[str, int] = {}
        self._called: set[int] = set()
        self._busy = 0
        self._is_blocked = False
        self._waits: dict[int, asyncio.Future[Outcome]] = {}
        self._outcomes: dict[int, Outcome] = {}

    def key(self, name: str, number: int) -> str:
        """The idempotency key of what stands there, the same however often it is tried."""
        return hashlib.sha256(f"{self.run}\0{name}\0{number}".encode()).hexdigest()

    def begin(self, name: str, kind: str, digest: str | None = None) -> Call:
        """Ask for something. Raises JournalMismatchError when the journal tells of something else."""
        self.check()
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        after, forked = current.place()
        known = self._entries.get((name, number))
        call = Call(name, number, after, forked, digest, known)
        try:
            self._compare(call, kind)
        except JournalMismatchError as error:
            self.broken = error
            raise
        if known is None or not self._counts(known):
            return msgspec.structs.replace(call, known=None)
        self._called.add(known.index)
        current.move(known.index)
        return call

    async def record(self, call: Call, kind: str, **facts: Any) -> int:
        """Put it into the journal, and wait until it is committed; returns its index."""
        index, self._size = self._size, self._size + 1
        self._called.add(index)
        with self.working():
            await self._link.report(kind, {"entry": call.place(index), **facts})
        current.move(index)
        return index

    async def wait(self, call: Call, what: dict[str, Any]) -> Outcome:
        """Wait for what the report of a wait names."""
        if call.known is not None and call.known.completed is not None:
            return call.known.completed
        if call.known is None:
            # Others that begin at the same time make their first step.
            await asyncio.sleep(0)
            self.check()
            index, self._size = self._size, self._size + 1
            self._called.add(index)
            said = self._link.report("waiting", {"entry": call.place(index), **what})
        else:
            index, said = call.known.index, None
        current.move(index)
        if index in self._outcomes:
            return self._outcomes[index]
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waits[index] = ended
        self._look()
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
        """Nothing more is asked for: the code is told why whenever it tries."""
        self.broken = self.broken or why

    def check(self) -> None:
        """Raise what keeps the code from going on."""
        if self.broken is not None:
            raise self.broken

    @property
    def open_waits(self) -> tuple[int, ...]:
        """The waits of which the code has not heard the end."""
        return tuple(self._waits)

    def suspend(self, why: BaseException) -> bool:
        """Raise this wherever the code waits, if it does nothing else; whether it was raised."""
        if self._busy or not self._waits:
            return False
        self.close(why)
        for waiting in self._waits.values():
            if not waiting.done():
                waiting.set_exception(why)
        return True

    def begin_work(self) -> None:
        """Something goes on that is no wait."""
        self._busy += 1

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

    def _look_soon(self, turns: int = SETTLING_TURNS) -> None:
        """Look when whoever waited for what is over, by way of other tasks, has gone on."""
        if not self._waits and not self._is_blocked:
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._look_soon, turns - 1)
        else:
            self._look()

    def _look(self) -> None:
        waits = () if self._busy else tuple(self._waits)
        self._is_blocked = bool(waits)
        self._link.block(waits)

    def _take(self, entry: Entry) -> None:
        self._by_index[entry.index] = entry
        self._entries[entry.name, entry.number] = entry
        if entry.attempt == self.attempt and not entry.forked:
            self._next[entry.after] = entry

    def _counts(self, known: Entry) -> bool:
        """Whether what it came to holds: a retry tries again what failed, and waits anew."""
        if known.attempt == self.attempt:
            return True
        return known.kind in {"succeeded", "triggered"} or known.completed is not None

    def _compare(self, call: Call, kind: str) -> None:
        known = call.known
        if known is None:
            expected = None if call.forked else self._next.get(call.after)
            if expected is not None and expected.index not in self._called:
                raise JournalMismatchError(
                    f"{self._after(call.after)} came {_named(expected)}, and now {_named(call)}."
                )
            return
        was = "step" if known.kind in {"succeeded", "failed"} else known.kind
        if was != kind:
            raise JournalMismatchError(f"{_named(call)} is of the kind {kind} now, and was of the kind {was}.")
        is_one_of_several = known.number > 1 or (known.name, 2) in self._entries
        # What was taken over from another run by one with another payload has no digest.
        may_differ = known.attempt == TAKEN_OVER and known.digest is None
        if is_one_of_several and call.digest != known.digest and not may_differ:
            raise JournalMismatchError(
                f"{_named(call)} has other arguments now. Give each a name of its own if their order may change."
            )
        if known.attempt == self.attempt and (known.after, known.forked) != (call.after, call.forked):
            raise JournalMismatchError(f"{_named(call)} came {self._place(known)}, and comes {self._place(call)} now.")
        if self._counts(known) and not self._may_come(known):
            raise JournalMismatchError(
                f"{_named(call)} came {self._place(known)}, which has not been called in this attempt."
            )

    def _may_come(self, known: Entry) -> bool:
        """Whether what came before it has come, or lies behind something that failed then and may not fail now."""
        if known.after is None or known.after in self._called:
            return True
        before = self._by_index.get(known.after)
        while before is not None:
            if not self._counts(before):
                return True
            before = self._by_index.get(before.after) if before.after is not None else None
        return False

    def _place(self, at: Entry | Call) -> str:
        return "first" if at.after is None else self._after(at.after).lower()

    def _after(self, index: int | None) -> str:
        if index is None:
            return "First"
        before = self._by_index.get(index)
        return f"After {_named(before)}" if before else "After something new"


def _drop(_line: Line) -> None:
    """Where nobody keeps lines."""


def _named(at: Entry | Call) -> str:
    return f'"{at.name}"' if at.number == 1 else f'"{at.name}" number {at.number}'
