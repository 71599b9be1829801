"""The turns of an event loop, counted for all who wait for some: one callback a turn, however many they are."""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary


class LoopTurns:
    """Of one event loop, on which alone it is called. It counts only as long as somebody waits."""

    __slots__ = ("__weakref__", "_due", "_is_counting", "passed")

    def __init__(self) -> None:
        self.passed = 0
        """How many were counted."""
        self._due: dict[int, list[Callable[[], object]]] = {}
        self._is_counting = False

    def behind(self, turns: int) -> int:
        """The number of the turn before which so many whole ones will have passed; this one is not whole any more."""
        return self.passed + turns + 1

    def call_at(self, number: int, call: Callable[[], object]) -> None:
        """Call this, which raises nothing, in the turn of that number, which has not passed."""
        if not self._is_counting:
            self._count()
        self._due.setdefault(number, []).append(call)

    def _count(self) -> None:
        self._is_counting = True
        asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        self.passed += 1
        due = self._due.pop(self.passed, ())
        self._is_counting = False
        if self._due:
            self._count()
        for call in due:
            call()


_turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, LoopTurns]" = WeakKeyDictionary()


def turns_of(loop: asyncio.AbstractEventLoop) -> LoopTurns:
    """Those that all share who are on this loop."""
    found = _turns.get(loop)
    if found is None:
        found = _turns[loop] = LoopTurns()
    return found
