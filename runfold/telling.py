"""The order in which the code of a run hears what came of what it asked for: the same whenever it is run again.

Code that takes the first of several things goes another way when another one is first. So one thing is told at a time,
in the order of the journal, and the next when the code is at rest: all that followed from the one before has happened.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from heapq import heappop, heappush
from typing import Any

from runfold import current
from runfold.entries import WAITS, Entry
from runfold.hearing import hearing_of
from runfold.loop_turns import turns_of
from runfold.owed import Owed

RESTING_TURNS = 10
"""The code is at rest when it asked for nothing in so many turns of its event loop: four tasks may await each other."""
THREAD_SECONDS = 0.02
"""A thread is at rest when it has asked for something, or after this time."""
PATIENCE_SECONDS = 60.0
"""How long what is known is held back for what the code heard before it, and does not ask for."""
UNSURE_SECONDS = 1.0
"""How long for that of which no entry tells whether the code heard it: then nothing in the journal came of it."""


class Telling:
    """Of one attempt, on the event loop of its journal. Whoever asks waits for its turn."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        entries: Sequence[Entry],
        attempt: int,
        patience_seconds: float,
        overtake: Callable[[int, int | None], None],
        owed: Owed,
    ) -> None:
        self._loop = loop
        self._patience_seconds = patience_seconds
        self._overtake = overtake
        """Told when the code goes on without the first of these: the second is told before, or something new begins."""
        self._owed = owed
        self._held: dict[asyncio.Future[None], None] = {}
        """What is new, and does not begin before the code has asked for what is owed."""
        self._is_resigned = False
        """The code did not do that in time."""
        self._skipped: set[int] = set()
        """What it should have asked for by then; in the next process it is due as well."""
        self._rank: dict[int, int] = {}
        self._of_others: set[int] = set()
        self._left: set[int] = set()
        """What the code asked for, and no longer wants to hear; or what it has not asked for in time."""
        self._line: OrderedDict[int, None] = OrderedDict()
        """What this attempt hears of, in its order, and has not heard yet."""
        self._lined: set[int] = set()
        self._sure: set[int] = set()
        """What is in this line because the code heard it before: something in the journal may have come of it."""
        self._uncommitted: set[int] = set()
        self._kept: list[tuple[int, int]] = []
        """What was asked for and is known from earlier attempts, whose code may have gone another way: rank, index."""
        self._asked: dict[int, tuple[asyncio.Future[None], object]] = {}
        """Who waits for its turn, and the thread that it is, None for code that awaits."""
        self._unsaid_left: list[int] = []
        self._unsaid: list[int] = []
        """The waits of whose end the code has heard, and no entry said so."""
        self._waits: set[int] = set()
        self._turns = turns_of(loop)
        self._rests_at = 0
        """In which turn of the loop the code is at rest."""
        self._is_restless = False
        self._reads = 0
        """So many read what they were told of, before the code hears it."""
        self._busy_thread: object = None
        self._timer: asyncio.TimerHandle | None = None
        """Until a thread is at rest."""
        self._patience: asyncio.TimerHandle | None = None
        self._held_for: int | None = None
        if entries:
            self._read(entries, attempt)

    def expect(self, index: int) -> Callable[[bool], None]:
        """Take a new entry into the order, behind all that came before; returns what is to be told of its commit."""
        self._add(index)
        self._uncommitted.add(index)
        return partial(self._land, index)

    async def turn(self, index: int) -> None:
        """Wait until the code may hear of this."""
        if index in self._left:
            # It was left at its place, so now it comes behind all that is known.
            self._left.remove(index)
            self._add(index)
            self._unsaid.append(index)
            if index in self._skipped:
                self._skipped.remove(index)
                self._unsaid_left.append(index)
        elif index not in self._lined:
            heappush(self._kept, (self._rank.get(index, index), index))
        told: asyncio.Future[None] = self._loop.create_future()
        self._asked[index] = told, current.thread_served()
        self._go_on()
        try:
            await told
        finally:
            if self._asked.pop(index, None) is not None:
                self.leave(index)

    def meet(self) -> None:
        """The code has asked for something that it owed."""
        if not self._owed:
            self._admit()

    async def admit(self) -> None:
        """Wait until something new may begin: the code has asked for what is owed, or does not in time."""
        if not self._owed or self._is_resigned:
            return
        admitted: asyncio.Future[None] = self._loop.create_future()
        self._held[admitted] = None
        self._go_on()
        try:
            await admitted
        finally:
            del self._held[admitted]

    def end(self, index: int) -> None:
        """A wait is over."""
        if index not in self._waits or index in self._lined or index in self._rank or index in self._left:
            return
        self._add(index)
        self._unsaid.append(index)
        self._go_on()

    def leave(self, index: int) -> None:
        """The code does not want to hear of this any more."""
        self._pass_over(index)
        self._go_on()

    def move(self) -> None:
        """The code asks for something, so it is not at rest."""
        if self._timer is not None and self._busy_thread is current.executor():
            self._timer.cancel()
            self._timer = self._busy_thread = None
        self._rests_at = self._turns.behind(RESTING_TURNS)
        if not self._is_restless:
            self._is_restless = True
            self._turns.call_at(self._rests_at, self._look)

    @contextmanager
    def reading(self) -> Generator[None]:
        """What was told is read meanwhile, before the code goes on."""
        self._reads += 1
        try:
            yield
        finally:
            self._reads -= 1
            if self._timer is not None:
                self._timer.cancel()
                self._timer = self._loop.call_later(THREAD_SECONDS, self._come_to_rest)
            self.move()

    def place(self, index: int, kind: str) -> dict[str, Any]:
        """What a new entry says of where it stands among all of which the code hears; nothing where that is plain.

        `kind` is that of its report.
        """
        said: dict[str, Any] = {}
        if self._unsaid or self._waits:
            said["heard"] = tuple(self._unsaid)
        if self._unsaid_left:
            said["left"] = tuple(self._unsaid_left)
        if ahead := len(self._line) - len(self._sure):
            said["ahead"] = ahead
        self._unsaid.clear()
        self._unsaid_left.clear()
        if kind in {"waiting", "step_tried"}:
            self._waits.add(index)
        return said

    def close(self) -> None:
        """The attempt is over."""
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        for told, _ in self._asked.values():
            told.cancel()
        for admitted in self._held:
            admitted.cancel()
        # Whoever is told knows this in turn.
        self._overtake = _tell_nobody

    def _read(self, entries: Sequence[Entry], attempt: int) -> None:
        hearing = hearing_of(entries)
        self._rank = {index: rank for rank, index in enumerate(hearing.order)}
        own = {entry.index for entry in entries if entry.attempt == attempt}
        self._of_others = {entry.index for entry in entries} - own
        self._left = own & hearing.left
        expected = own - self._left
        self._line.update(dict.fromkeys(index for index in hearing.order if index in expected))
        self._lined.update(self._line)
        self._sure.update(index for index in hearing.order[: hearing.sure] if index in self._line)
        self._owed.excuse(hearing)
        heard = {index for entry in entries for index in entry.heard or ()}
        self._unsaid = [each.index for each in entries if each.completed and each.index in expected - heard]
        self._unsaid.sort(key=self._rank.__getitem__)
        self._waits = {entry.index for entry in entries if entry.kind in WAITS}

    def _add(self, index: int) -> None:
        self._line[index] = None
        self._lined.add(index)

    def _take(self, index: int) -> None:
        del self._line[index]
        self._sure.discard(index)

    def _pass_over(self, index: int) -> None:
        if index in self._line:
            self._take(index)
        if index in self._unsaid:
            self._unsaid.remove(index)
        if index not in self._left and index not in self._of_others:
            self._unsaid_left.append(index)
        self._left.add(index)

    def _land(self, index: int, is_committed: bool) -> None:  # noqa: FBT001 (what is told)
        self._uncommitted.discard(index)
        if not is_committed and index in self._asked:
            self._asked[index][0].cancel()
        self._go_on()

    def _go_on(self) -> None:
        """Tell the next thing, if the code is at rest."""
        if self._is_restless or self._reads or self._timer is not None:
            return
        while self._kept:
            kept = heappop(self._kept)[1]
            if kept in self._asked:
                self._tell(kept)
                return
        index = next(iter(self._line), None)
        if index is None and self._held:
            index = next(iter(self._owed), None)
        if index is None or index in self._uncommitted:
            return
        if index in self._asked:
            self._take(index)
            self._tell(index)
        elif self._asked or self._held:
            self._hold_back_for(index)

    def _hold_back_for(self, index: int) -> None:
        if self._held_for == index and self._patience is not None:
            return
        if self._patience is not None:
            self._patience.cancel()
        self._held_for = index
        is_due = index in self._sure or self._owed.is_due(index)
        seconds = self._patience_seconds if is_due else UNSURE_SECONDS
        self._patience = self._loop.call_later(seconds, self._lose_patience)

    def _tell(self, index: int) -> None:
        told, thread = self._asked.pop(index)
        self._owed.tell(index)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if not told.done():
            told.set_result(None)
        if thread is not None:
            self._busy_thread = thread
            self._timer = self._loop.call_later(THREAD_SECONDS, self._come_to_rest)
        self.move()

    def _look(self) -> None:
        """See whether the code has asked for something since this was put down."""
        if self._rests_at > self._turns.passed:
            self._turns.call_at(self._rests_at, self._look)
        else:
            self._is_restless = False
            self._go_on()

    def _come_to_rest(self) -> None:
        self._timer = self._busy_thread = None
        self._go_on()

    def _lose_patience(self) -> None:
        """Pass over what nobody asks for: the code was changed, or does something long that is no step."""
        self._patience = None
        next_one = next((each for each in self._line if each in self._asked and each not in self._uncommitted), None)
        if next_one is None and not self._held:
            return
        for index in [*self._line]:
            if index == next_one:
                break
            if index not in self._uncommitted:
                self._skip(index, next_one)
        if next_one is None:
            self._is_resigned = True
            for index in self._owed:
                if index not in self._left:
                    self._overtake(index, None)
            self._admit()
        self._go_on()

    def _skip(self, index: int, next_one: int | None) -> None:
        if index in self._sure or index in self._owed:
            self._overtake(index, next_one)
        if index in self._sure or self._owed.is_due(index):
            self._take(index)
            self._left.add(index)
            self._skipped.add(index)
        else:
            self._pass_over(index)

    def _admit(self) -> None:
        for admitted in self._held:
            if not admitted.done():
                admitted.set_result(None)


def _tell_nobody(_index: int, _other: int | None) -> None:
    """Behind the end of an attempt."""
