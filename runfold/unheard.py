"""What the code of a run has not heard yet of what it asked for, in the order in which it is to hear of it."""

from collections import OrderedDict
from collections.abc import Container, Iterator, Sequence
from collections.abc import Set as AbstractSet
from heapq import heappop, heappush
from typing import Any

from runfold.entries import WAITS, Entry
from runfold.hearing import Hearing


class Unheard:
    """Of one attempt. It knows as well what the next entry is to say of that order."""

    __slots__ = (
        "_kept",
        "_left",
        "_line",
        "_lined",
        "_of_others",
        "_rank",
        "_skipped",
        "_sure",
        "_unsaid",
        "_unsaid_left",
        "_waits",
        "uncommitted",
    )

    def __init__(self) -> None:
        self._rank: dict[int, int] = {}
        self._of_others: AbstractSet[int] = frozenset()
        self._line: OrderedDict[int, None] = OrderedDict()
        """What this attempt hears of, in its order, and has not heard yet."""
        self._lined: set[int] = set()
        self._sure: set[int] = set()
        """What is in this line because the code heard it before: something in the journal may have come of it."""
        self.uncommitted: set[int] = set()
        """Of this the engine has not said yet that it has it, so the code may not hear of it."""
        self._left: set[int] = set()
        """What the code asked for, and no longer wants to hear; or what it has not asked for in time."""
        self._skipped: set[int] = set()
        """What it should have asked for by then; in the next process it is due as well."""
        self._kept: list[tuple[int, int]] = []
        """What was asked for and is known from earlier attempts, whose code may have gone another way: rank, index."""
        self._unsaid_left: list[int] = []
        self._unsaid: list[int] = []
        """The waits of whose end the code has heard, and no entry said so."""
        self._waits: set[int] = set()

    def __iter__(self) -> Iterator[int]:
        """In their order, but for what is kept from earlier attempts."""
        return iter(self._line)

    def read(self, entries: Sequence[Entry], attempt: int, hearing: Hearing) -> None:
        """Take over what the journal has when the attempt goes on."""
        self._rank = {index: rank for rank, index in enumerate(hearing.order)}
        own = {entry.index for entry in entries if entry.attempt == attempt}
        self._of_others = {entry.index for entry in entries} - own
        self._left = own & hearing.left
        expected = own - self._left
        self._line.update(dict.fromkeys(index for index in hearing.order if index in expected))
        self._lined.update(self._line)
        self._sure.update(index for index in hearing.order[: hearing.sure] if index in self._line)
        heard = {index for entry in entries for index in entry.heard or ()}
        self._unsaid = [each.index for each in entries if each.completed and each.index in expected - heard]
        self._unsaid.sort(key=self._rank.__getitem__)
        self._waits = {entry.index for entry in entries if entry.kind in WAITS}

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

    def add(self, index: int) -> None:
        """A new entry comes behind all that came before, and is not committed yet."""
        self._line[index] = None
        self._lined.add(index)
        self.uncommitted.add(index)

    def ask(self, index: int) -> None:
        """The code wants to hear of this."""
        if index in self._left:
            # It was left at its place, so now it comes behind all that is known.
            self._left.remove(index)
            self._join(index)
            self._unsaid.append(index)
            if index in self._skipped:
                self._skipped.remove(index)
                self._unsaid_left.append(index)
        elif index not in self._lined:
            heappush(self._kept, (self._rank.get(index, index), index))

    def end(self, index: int) -> bool:
        """A wait is over; whether that is news."""
        if index not in self._waits or index in self._lined or index in self._rank or index in self._left:
            return False
        self._join(index)
        self._unsaid.append(index)
        return True

    def next(self, asked: Container[int]) -> int | None:
        """What the code is to hear of next: what it asks for of earlier attempts, and then what is first in line."""
        while self._kept:
            kept = heappop(self._kept)[1]
            if kept in asked:
                return kept
        return next(iter(self._line), None)

    def take(self, index: int) -> None:
        """The code hears of this now."""
        self._line.pop(index, None)
        self._sure.discard(index)

    def leave(self, index: int) -> None:
        """The code does not want to hear of this any more; the next entry says so."""
        if index in self._line:
            self.take(index)
        if index in self._unsaid:
            self._unsaid.remove(index)
        if index not in self._left and index not in self._of_others:
            self._unsaid_left.append(index)
        self._left.add(index)

    def skip(self, index: int) -> None:
        """The code should have asked for this by now: it is not waited for, and no entry says that it was left."""
        self.take(index)
        self._left.add(index)
        self._skipped.add(index)

    def is_left(self, index: int) -> bool:
        """Whether the code does not want to hear of this, or has not asked for it in time."""
        return index in self._left

    def is_sure(self, index: int) -> bool:
        """Whether the code heard of this before, and does so again."""
        return index in self._sure

    def _join(self, index: int) -> None:
        self._line[index] = None
        self._lined.add(index)
