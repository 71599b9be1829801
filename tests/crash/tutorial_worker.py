"""The SDK's worker with the tasks of a tutorial, which dies once at each boundary of a kind."""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from runfold import context
from runfold.steps import run_step
from runfold.worker import command
from runfold.worker.connection import Connection
from runfold.worker.wire import Hold, Report, Turn, TurnAnswer, Waits

BEGUN, UNSENT, ANSWERED, NEVER = "begun", "unsent", "answered", "never"
"""Before the body of a step; before a report leaves; when its answer is there, and nobody has been told."""
MARKS = "marks"
"""The folder with a file for each boundary at which a worker has died."""


class Boundaries:
    """Those of one kind, of all lives of the worker."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._marks = folder / MARKS
        self._kind = kind

    def reached(self, kind: str, names: Sequence[str]) -> None:
        """Die, if it is this kind and the first time for one of these."""
        new = [name for name in names if kind == self._kind and self._is_new(name)]
        if new:
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_new(self, name: str) -> bool:
        try:
            (self._marks / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def mortal(boundaries: Boundaries) -> type[Connection]:
    """A connection around whose reports the process dies."""

    class Mortal(Connection):
        async def turn(
            self, turn: Turn, holds: Callable[[], list[Hold]], waits: Callable[[], list[Waits]] = list
        ) -> TurnAnswer:
            names = [_name_of(report) for report in turn.reports]
            boundaries.reached(UNSENT, names)
            answer = await super().turn(turn, holds, waits)
            boundaries.reached(ANSWERED, names)
            return answer

    return Mortal


def _name_of(report: Report) -> str:
    entry = f" {report.entry['name']} {report.entry.get('number', 1)}" if report.entry else ""
    return f"{report.run} {report.kind}{entry}"


def mortal_steps(boundaries: Boundaries) -> Any:
    """What `ctx.step` calls: the process dies before the body."""

    async def run(journal: Any, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        @wraps(function)
        async def body(*args: Any, **kwargs: Any) -> Any:
            boundaries.reached(BEGUN, [f"{journal.run} {name}"])
            return await function(*args, **kwargs)

        return await run_step(journal, name, body, *arguments)

    return run


def run(environment: Mapping[str, str], folder: Path, kind: str, arguments: Sequence[str]) -> None:
    """The whole life of the process, by the worker's own command line, in the folder of the tutorial."""
    descriptor = os.open(folder / "worker.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.chdir(folder)
    os.environ |= environment
    boundaries = Boundaries(folder, kind)
    with (
        patch.object(command, "Connection", mortal(boundaries)),
        patch.object(context, "run_step", mortal_steps(boundaries)),
    ):
        sys.exit(command.main(arguments))
