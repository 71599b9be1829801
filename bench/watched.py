"""An engine or a worker that tells where its CPU time went between two SIGUSR1.

python bench/watched.py stages|profile OUTPUT engine|worker [ARGUMENT...]

The product has no hooks for this: its parts are wrapped where they are called by name, as in tests/crash.
"""

import cProfile
import signal
import sys
import time
from collections import Counter
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import msgspec

from adapters.sqlite import ledger, read_models
from app import logs, server, settings
from app.engine.feed import Feed
from app.newruns import making
from app.web import bodies
from app.web import worker as worker_routes
from bench import profiles
from domain.engine import Engine
from runfold.worker import command

ENGINE_STAGES: tuple[tuple[Any, str, str], ...] = (
    (bodies, "decode", "parse"),
    (making, "new_run", "parse"),
    (worker_routes, "_command_of", "parse"),
    (Engine, "submit", "decide"),
    (Engine, "missing", "decide"),
    (Engine, "take_batch", "decide"),
    (Engine, "landed", "decide"),
    (Feed, "publish", "publish"),
    (ledger.SqliteLedger, "read_streams", "look up"),
    (ledger.SqliteLedger, "append", "append"),
    (ledger, "insert_behind", "insert"),
    (read_models.SqliteReadModels, "apply", "apply"),
    (read_models, "project", "fold"),
    (read_models, "store", "store"),
)


class Watch(Protocol):
    """What is done at the first and at the second signal."""

    def begin(self) -> None:
        """From here on it counts."""
        ...

    def end(self) -> bytes:
        """What was found since, as JSON."""
        ...


class Stages:
    """CPU nanoseconds by stage, each on the clock of the thread that it is done in."""

    def __init__(self) -> None:
        self._spent: Counter[str] = Counter()
        self._main_ns = self._all_ns = 0
        for owner, name, stage in ENGINE_STAGES:
            self._wrap(owner, name, stage)

    def begin(self) -> None:
        """Signals are handled in the main thread."""
        self._spent.clear()
        self._main_ns, self._all_ns = time.thread_time_ns(), time.process_time_ns()

    def end(self) -> bytes:
        """The stages, the whole main thread and the whole process."""
        main_ns, all_ns = time.thread_time_ns() - self._main_ns, time.process_time_ns() - self._all_ns
        return msgspec.json.encode({**self._spent, "main": main_ns, "process": all_ns})

    def _wrap(self, owner: Any, name: str, stage: str) -> None:
        function = getattr(owner, name)

        @wraps(function)
        def counted(*arguments: Any, **named: Any) -> Any:
            begun = time.thread_time_ns()
            try:
                return function(*arguments, **named)
            finally:
                self._spent[stage] += time.thread_time_ns() - begun

        setattr(owner, name, counted)


class Profile:
    """The functions of the main thread that take most."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def begin(self) -> None:
        """Counts this thread only."""
        self._profile.enable()

    def end(self) -> bytes:
        """The list as it is shown."""
        self._profile.disable()
        return msgspec.json.encode(profiles.top(self._profile))


def main(kind: str, output: str, program: str, *arguments: str) -> None:
    """The whole life of the process."""
    watch: Watch = Stages() if kind == "stages" else Profile()
    is_watching = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_watching
        if not is_watching:
            watch.begin()
        else:
            # Whoever waits for the file must not find half of it.
            part = Path(f"{output}.part")
            part.write_bytes(watch.end())
            part.rename(output)
        is_watching = not is_watching

    signal.signal(signal.SIGUSR1, on_signal)
    if program == "worker":
        sys.exit(command.main(arguments))
    found = settings.load()
    logs.set_up(found.log_level, found.log_format)
    server.serve(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
