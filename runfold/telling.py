"""The order in which the code of a run hears what came of what it asked for: the same whenever it is run again.

Code that takes the first of several things goes another way when another one is first. So one thing is told at a time,
in the order of the journal, and the next when the code is at rest: all that followed from the one before has happened.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from runfold import current
from runfold.entries import Entry
from runfold.hearing import hearing_of
from runfold.owed import Owed
from runfold.resting import Rest
from runfold.unheard import Unheard

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
        self._unheard = Unheard()
        self.place = self._unheard.place
        """What a new entry says of where it stands."""
        self._rest = Rest(loop)
        self._held: dict[asyncio.Future[None], None] = {}
        """What is new, and does not begin before the code has asked for what is owed."""
        self._is_resigned = False
        """The code did not do that in time."""
        self._asked: dict[int, tuple[asyncio.Future[None], object]] = {}
        """Who waits for its turn, and the thread that it is, None for code that awaits."""
        self._patience: asyncio.TimerHandle | None = None
        self._held_for: int | None = None
        if entries:
            hearing = hearing_of(entries)
            self._unheard.read(entries, attempt, hearing)
            owed.excuse(hearing)

    def expect(self, index: int) -> Callable[[bool], None]:
        """Take a new entry into the order, behind all that came before; returns what is to be told of its commit."""
        self._unheard.add(index)
        return partial(self._land, index)

    async def turn(self, index: int) -> None:
        """Wait until the code may hear of this."""
        self._unheard.ask(index)
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
        if self._unheard.end(index):
            self._go_on()

    def leave(self, index: int) -> None:
        """The code does not want to hear of this any more."""
        self._unheard.leave(index)
        self._go_on()

    def move(self) -> None:
        """The code asks for something, so it is not at rest."""
        self._rest.move(self._go_on)

    def reading(self) -> AbstractContextManager[None]:
        """What was told is read meanwhile, before the code goes on."""
        return self._rest.reading(self._go_on)

    def close(self) -> None:
        """The attempt is over."""
        self._rest.close()
        if self._patience is not None:
            self._patience.cancel()
        for told, _ in self._asked.values():
            told.cancel()
        for admitted in self._held:
            admitted.cancel()
        # Whoever is told knows this in turn.
        self._overtake = _tell_nobody

    def _land(self, index: int, is_committed: bool) -> None:  # noqa: FBT001 (what is told)
        self._unheard.uncommitted.discard(index)
        if not is_committed and index in self._asked:
            self._asked[index][0].cancel()
        self._go_on()

    def _go_on(self) -> None:
        """Tell the next thing, if the code is at rest."""
        if not self._rest.has_come:
            return
        index = self._unheard.next(self._asked)
        if index is None and self._held:
            index = next(iter(self._owed), None)
        if index is None or index in self._unheard.uncommitted:
            return
        if index in self._asked:
            self._unheard.take(index)
            self._tell(index)
        elif self._asked or self._held:
            self._hold_back_for(index)

    def _hold_back_for(self, index: int) -> None:
        if self._held_for == index and self._patience is not None:
            return
        if self._patience is not None:
            self._patience.cancel()
        self._held_for = index
        seconds = self._patience_seconds if self._is_due(index) else UNSURE_SECONDS
        self._patience = self._loop.call_later(seconds, self._lose_patience)

    def _is_due(self, index: int) -> bool:
        return self._unheard.is_sure(index) or self._owed.is_due(index)

    def _tell(self, index: int) -> None:
        told, thread = self._asked.pop(index)
        self._owed.tell(index)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if not told.done():
            told.set_result(None)
        if thread is not None:
            self._rest.await_thread(thread, self._go_on)
        self._rest.move(self._go_on)

    def _lose_patience(self) -> None:
        """Pass over what nobody asks for: the code was changed, or does something long that is no step."""
        self._patience = None
        unheard = self._unheard
        next_one = next((each for each in unheard if each in self._asked and each not in unheard.uncommitted), None)
        if next_one is None and not self._held:
            return
        for index in [*unheard]:
            if index == next_one:
                break
            if index not in unheard.uncommitted:
                self._skip(index, next_one)
        if next_one is None:
            self._is_resigned = True
            for index in self._owed:
                if not unheard.is_left(index):
                    self._overtake(index, None)
            self._admit()
        self._go_on()

    def _skip(self, index: int, next_one: int | None) -> None:
        if self._unheard.is_sure(index) or index in self._owed:
            self._overtake(index, next_one)
        if self._is_due(index):
            self._unheard.skip(index)
        else:
            self._unheard.leave(index)

    def _admit(self) -> None:
        for admitted in self._held:
            if not admitted.done():
                admitted.set_result(None)


def _tell_nobody(_index: int, _other: int | None) -> None:
    """Behind the end of an attempt."""
