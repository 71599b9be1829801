"""The journal of a run is made when its code first asks for something, as much code never does."""

import threading
from collections.abc import Callable
from typing import Protocol

from runfold.journal import Journal


class Openable(Protocol):
    """A journal, or what makes one when the code first asks for something."""

    @property
    def broken(self) -> BaseException | None:
        """Why the code can go on no more, and how its attempt ends."""
        ...

    @property
    def is_owed(self) -> bool:
        """Whether the code did something before in this attempt that it has not asked for."""
        ...

    def open(self) -> Journal:
        """The journal. Any thread may ask."""
        ...

    async def settle(self) -> None:
        """See that code which has come to its end asked for what it did before. Raises JournalMismatchError."""
        ...


class UnopenedJournal:
    """Of an attempt whose code may never ask for anything: `make` makes its journal if it does."""

    __slots__ = ("_is_new", "_journal", "_make")
    _opening = threading.Lock()

    def __init__(self, make: Callable[[], Journal], *, is_new: bool) -> None:
        self._make = make
        self._is_new = is_new
        self._journal: Journal | None = None

    @property
    def broken(self) -> BaseException | None:
        """Why the code can go on no more, and how its attempt ends."""
        return self._journal.broken if self._journal else None

    @property
    def is_owed(self) -> bool:
        """Whether the code did something before in this attempt that it has not asked for."""
        return not self._is_new and self.open().is_owed

    def open(self) -> Journal:
        """The journal, which is made once."""
        with self._opening:
            if self._journal is None:
                self._journal = self._make()
            return self._journal

    async def settle(self) -> None:
        """See that code which has come to its end asked for what it did before. Raises JournalMismatchError."""
        await self.open().settle()
