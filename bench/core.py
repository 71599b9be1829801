"""The engine's core alone: nothing is stored, sent or waited for."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Raw

from adapters.calendar import CronCalendar
from domain.attempts import Report
from domain.commands import Command, CreateEnvironment, RegisterVersion, TriggerRuns, Turn, TurnAnswer
from domain.draft import Draft
from domain.engine import Engine, Now
from domain.events import Recorded, TaskSettings
from domain.lifecycle import NewRun

NOW = Now(1_800_000_000_000, 0)
SESSION, VERSION = "worker_00000000000000000000000000000000", "20270115.1"
PAYLOAD, OUTPUT = Raw(b"1"), Raw(b"1")


NOTHING = TaskSettings("nothing")


class Core:
    """An engine with one worker, driven the way the loop drives it."""

    def __init__(self, *tasks: TaskSettings, keeps_records: bool = True) -> None:
        self.engine = Engine(
            [], head=0, now=NOW, lease_ms=30_000, chance=random.Random(1).random, calendar=CronCalendar()
        )
        self.records: list[Sequence[Recorded]] = []
        self._keeps_records = keeps_records
        self._sequence = 0
        self._answer = TurnAnswer(0)
        self.do(CreateEnvironment(slug="prod", type="PRODUCTION", **self.origin("start")))
        self.do(RegisterVersion(digest="0", tasks=tasks or (NOTHING,), day="20270115", **self.origin("register")))

    def trigger(self, runs: Iterable[str]) -> None:
        """One batch of new runs."""
        self.accept([NewRun(run, "nothing", PAYLOAD, payload_size=1) for run in runs])

    def accept(self, new: list[NewRun]) -> None:
        """One batch of new runs, whatever they are."""
        self.do(TriggerRuns(runs=new, **self.origin("POST /api/v1/tasks/nothing/batch")))

    @property
    def handed(self) -> list[str]:
        """The runs that the worker got with its last turn."""
        return [run for run, _ in self.handed_out]

    @property
    def handed_out(self) -> list[tuple[str, int]]:
        """The same, each with its token."""
        return [(run.run, run.token) for run in self._answer.runs]

    def turn(self, want: int) -> int:
        """The worker reports that all it has was done, and takes more; returns how many it got."""
        self._sequence += 1
        turn = Turn(
            session=SESSION,
            version=VERSION,
            sequence=self._sequence,
            received=self._sequence - 1,
            want=want,
            patient=False,
            reports=tuple(self._reports()),
            **self.origin(f"turn:{self._sequence}"),
        )
        self._answer = self.do(turn)
        return len(self._answer.runs)

    def do(self, command: Command) -> Any:
        """Decide one command, and let it land."""
        self.engine.submit(command)
        missing = self.engine.missing()
        if missing:
            self.engine.provide(dict.fromkeys(missing))
        draft = self.engine.take_batch(NOW)
        assert isinstance(draft, Draft), "there is a command to answer"
        if self._keeps_records:
            self.records.append(draft.records)
        ((_, answer),) = self.engine.landed()
        return answer

    def _reports(self) -> Iterator[Report]:
        for run, token in self.handed_out:
            yield Report(run, token, "started", NOW.wall)
            yield Report(run, token, "succeeded", NOW.wall, OUTPUT)

    def origin(self, cause: str) -> dict[str, Any]:
        """What every command tells of where it comes from."""
        return {"environment": "env_1", "actor": f"worker:{SESSION}", "cause": cause, "at": NOW.wall}


def run_through(runs: int, size: int) -> Core:
    """Trigger so many runs, `size` at a time, and do them all, as many in each turn."""
    core = Core()
    for start in range(0, runs, size):
        core.trigger([f"run_{number:032x}" for number in range(start, min(start + size, runs))])
    while core.turn(size):
        pass
    return core
