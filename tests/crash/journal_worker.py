"""The SDK's worker in a process of its own, in which somebody dies around the reports of a run's journal."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

from runfold.worker import command
from runfold.worker.connection import Connection
from runfold.worker.wire import Hold, Turn, TurnAnswer, Waits
from tests.crash.moments import Moments


class Watched(Connection):
    async def turn(
        self, turn: Turn, holds: Callable[[], list[Hold]], waits: Callable[[], list[Waits]] = list
    ) -> TurnAnswer:
        moments = Moments.of_environment()
        entries = [report.entry for report in turn.reports if report.entry is not None]
        for entry in entries:
            moments.in_worker("unsent", entry)
        deaths = [death for entry in entries if (death := moments.soon_in_worker("sent", entry))]
        answer = await super().turn(turn, holds, waits)
        for death in deaths:
            death.join()
        for entry in entries:
            moments.in_worker("answered", entry)
        return answer


def run(environment: Mapping[str, str], log: Path, arguments: Sequence[str]) -> None:
    """The whole life of the process, by the worker's own command line."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.environ |= {**environment, "CRASH_WORKER": str(os.getpid())}
    with patch.object(command, "Connection", Watched):
        sys.exit(command.main(arguments))
