"""The SDK's worker, with a connection that notes which final reports were acknowledged, and that may kill it."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from unittest.mock import patch

import msgspec

from runfold.worker import command
from runfold.worker.connection import Connection
from runfold.worker.wire import ONGOING, Hold, Turn, TurnAnswer, Waits
from tests.crash.death import Death

PLACES = ("report.unsent", "report.sent", "report.acknowledged", "runs.received")


class Acknowledged(msgspec.Struct, frozen=True):
    """A final report that the engine has committed, by its own word."""

    run: str
    token: int
    kind: str


def watched(journal: str, place: str, count: int) -> type[Connection]:
    """A connection that writes to this file, and dies there and then."""
    death = Death(place, count)
    # One write for each line, which a killed process has either made or not.
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    class Watched(Connection):
        async def turn(
            self, turn: Turn, holds: Callable[[], list[Hold]], waits: Callable[[], list[Waits]] = list
        ) -> TurnAnswer:
            ends = [report for report in turn.reports if report.kind not in ONGOING]
            if ends:
                death.reached("report.unsent")
                death.entered("report.sent")
            answer = await super().turn(turn, holds, waits)
            refused = {(each.run, each.token) for each in answer.refused}
            for report in ends:
                if (report.run, report.token) not in refused:
                    line = msgspec.json.encode(Acknowledged(report.run, report.token, report.kind))
                    os.write(file, line + b"\n")
            if ends:
                death.reached("report.acknowledged")
            if answer.runs:
                death.reached("runs.received")
            return answer

    return Watched


def run(environment: Mapping[str, str], said: Pipe, place: tuple[str, str, int], arguments: Sequence[str]) -> None:
    """The whole life of the process, by the worker's own command line."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(said.fileno(), stream.fileno())
    said.close()
    os.chdir(Path(__file__).parents[2])
    os.environ |= environment
    with patch.object(command, "Connection", watched(*place)):
        sys.exit(command.main(arguments))
