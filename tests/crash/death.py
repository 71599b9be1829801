"""A process that kills itself at a named place, as if somebody had done it from outside."""

import os
import signal
import threading
from pathlib import Path
from typing import NoReturn

NEVER = "never"


class Death:
    """Comes when the process gets to `place` for the `count`-th time."""

    def __init__(self, place: str = NEVER, count: int = 1) -> None:
        self._place = place
        self._left = count
        self._count = count

    def reached(self, *places: str) -> None:
        """The process is at a place that has these names."""
        if self._is_due(places):
            die()

    def entered(self, *places: str) -> None:
        """The process begins something that takes a moment; it dies in there, or right behind it."""
        if self._is_due(places):
            # A later moment for each count: a commit on a disk takes between half a millisecond and some ten.
            threading.Timer(self._count * 0.0003, die).start()

    def _is_due(self, places: tuple[str, ...]) -> bool:
        if self._place not in places:
            return False
        self._left -= 1
        return self._left == 0


def die() -> NoReturn:
    """At once: nothing is flushed, closed or said."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL cannot be survived")


def children_of(process: int) -> list[int]:
    """The processes that a process has started; only Linux tells."""
    found: list[int] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(file.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if parent == process:
            found.append(int(file.parent.name))
    return sorted(found)
