"""What a run did before in this attempt, and its code has not asked for yet when it is run again.

Until it has, nothing new begins: what is new to one branch may be what another one did, in code that was changed.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from runfold.branches import Branch
from runfold.entries import Call, Entry, named
from runfold.errors import JournalMismatchError
from runfold.hearing import Hearing

_ASIDE = " in a task or thread of its own"


class Owed:
    """Of one attempt. What the code canceled, or left before it heard of it, it need not ask for again."""

    def __init__(self, told: Mapping[int, Entry | Call]) -> None:
        self._told = told
        self._entries: dict[int, tuple[Entry, Branch]] = {}
        self._certain: frozenset[int] = frozenset()
        self._last_told: int | None = None
        self._new: Counter[tuple[object, object]] = Counter()
        """By which names and arguments the code asked for something new, and where before it heard anything else."""
        self._ended: set[Branch] = set()

    @property
    def first(self) -> int | None:
        """The first of it; None: the code has asked for all."""
        return next(iter(self._entries), None)

    def take(self, entry: Entry, branch: Branch) -> None:
        """The journal has this, of this branch."""
        self._entries[entry.index] = entry, branch

    def excuse(self, hearing: Hearing) -> None:
        """Of some of it the code did not want to hear."""
        for index in hearing.left:
            self._entries.pop(index, None)
        self._certain = frozenset(hearing.order[: hearing.sure])

    def meet(self, call: Call) -> None:
        """The code asks for this."""
        for entry in call.tries:
            self._entries.pop(entry.index, None)
        if call.known is not None:
            self._entries.pop(call.known.index, None)

    def tell(self, index: int) -> None:
        """The code hears of this."""
        self._last_told = index

    @contextmanager
    def replaced(self, call: Call) -> Generator[None]:
        """The code asks for this, which the journal does not have. Within, it may drop it: then it was never there.

        Behind something else that it heard it may do other things in this place: then it may have left what stood here.
        """
        keys: list[tuple[object, object]] = [(call.name, call.digest)]
        if call.after == self._last_told:
            keys.append(_place_of(call, call.branch))
        self._new.update(keys)
        try:
            yield
        except BaseException:
            self._new.subtract(keys)
            raise

    def is_due(self, index: int) -> bool:
        """Whether unchanged code will ask for this; it may not for what it left in the moment when its process died."""
        if index in self._certain:
            return True
        if index not in self._entries:
            return False
        entry, branch = self._entries[index]
        if self._new[_place_of(entry, branch)] or self._new[entry.name, entry.digest]:
            return True
        return not entry.forked and self._has_ended(branch)

    def refuse_moved(self, call: Call) -> None:
        """Raise JournalMismatchError where what the code asks for is done, and stood in another place then."""
        for index, (entry, _) in self._entries.items():
            if (entry.name, entry.digest) == (call.name, call.digest) and self.is_due(index):
                was, now = self._place(entry), self._place(call)
                if entry.forked != call.forked:
                    was, now = (was + _ASIDE, now) if entry.forked else (was, now + _ASIDE)
                raise JournalMismatchError(f"{named(entry)} came {was}, and now it comes {now}.")

    def end(self, main: Branch) -> None:
        """The main line of the code has ended. Raises JournalMismatchError where it did more before."""
        self._ended.add(main)
        for entry, branch in self._entries.values():
            if branch is main and not entry.forked:
                raise self._missing(entry)

    def refuse_rest(self) -> None:
        """Raise JournalMismatchError where the code, which has ended, should have asked for more."""
        for index, (entry, _) in self._entries.items():
            if self.is_due(index):
                raise self._missing(entry)

    def _missing(self, entry: Entry) -> JournalMismatchError:
        return JournalMismatchError(f"{named(entry)} came {self._place(entry)}, and now the code ends without it.")

    def _place(self, at: Entry | Call) -> str:
        return "first" if at.after is None else f"after {named(self._told[at.after])}"

    def _has_ended(self, branch: Branch) -> bool:
        """Whether it came to its end by itself."""
        executor = branch.executor
        if isinstance(executor, asyncio.Task):
            return branch in self._ended or (executor.done() and not executor.cancelled() and not executor.cancelling())
        return branch in self._ended or (isinstance(executor, threading.Thread) and not executor.is_alive())


def _place_of(at: Entry | Call, branch: Branch) -> tuple[Branch | None, int | None]:
    """Where the code stood before it asked for something."""
    return branch.parent if at.forked else branch, at.after
