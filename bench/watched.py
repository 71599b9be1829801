"""An engine or a worker that tells where its CPU time went between two SIGUSR1.

python bench/watched.py stages|profile OUTPUT engine|worker [ARGUMENT...]

The product has no hooks for this: its parts are wrapped where they are picked, as in tests/crash.
"""

import cProfile
import os
import pstats
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import msgspec
from msgspec import Struct

TOP = 25


class Spent(Struct):
    """CPU time of the thread it was spent in."""

    cpu_ns: int = 0
    calls: int = 0


class Watch(Protocol):
    """What happens at the first and at the second signal."""

    def begin(self) -> None: ...
    def end(self) -> bytes: ...


class Stages:
    """Adds up what the wrapped functions take."""

    def __init__(self) -> None:
        self._spent: dict[str, Spent] = {}
        self._main_ns = 0
        self._all_ns = 0

    def begin(self) -> None:
        """From here on it counts."""
        self._spent.clear()
        self._main_ns, self._all_ns = time.thread_time_ns(), time.process_time_ns()

    def end(self) -> bytes:
        """What was spent since; signals are handled in the main thread."""
        found = {name: spent.cpu_ns for name, spent in self._spent.items()}
        found["main thread"] = time.thread_time_ns() - self._main_ns
        found["process"] = time.process_time_ns() - self._all_ns
        return msgspec.json.encode(found)

    def wrap(self, owner: Any, attribute: str, stage: str) -> None:
        """Count this function, wherever it is called by this name."""
        function = getattr(owner, attribute)

        @wraps(function)
        def counted(*arguments: Any, **named: Any) -> Any:
            begun = time.thread_time_ns()
            try:
                return function(*arguments, **named)
            finally:
                self._add(stage, time.thread_time_ns() - begun)

        setattr(owner, attribute, counted)

    def _add(self, stage: str, cpu_ns: int) -> None:
        spent = self._spent.setdefault(stage, Spent())
        spent.cpu_ns += cpu_ns
        spent.calls += 1


class Profile:
    """The functions of the main thread that take most, by their own time."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def begin(self) -> None:
        """From here on it counts."""
        self._profile.enable()

    def end(self) -> bytes:
        """Function, calls, seconds of its own and in all, by their own time."""
        self._profile.disable()
        stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]]
        stats = pstats.Stats(self._profile).stats  # type: ignore[attr-defined]
        ordered = sorted(stats.items(), key=lambda each: each[1][2], reverse=True)
        return msgspec.json.encode([[_place(*where), *numbers[1:4]] for where, numbers in ordered[:TOP]])


def _place(file: str, line: int, function: str) -> str:
    """Where a function is, without the folders of this machine."""
    return function if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {function}"
