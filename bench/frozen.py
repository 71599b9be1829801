"""What the core keeps of runs that wait without a process, and how soon it lets them go on."""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.core import NOW, OUTPUT, Core
from bench.fairness import resident
from bench.figures import Chapter, Figure, under
from domain.attempts import Report
from domain.commands import CompleteWaitpoint, CreateWaitpoint
from domain.events import Entry
from domain.journal import Journaled
from domain.run import Run
from domain.status import Status

RUNS, QUICK_RUNS = 100_000, 2_000
BATCH = 1_000
HOUR_MS = 3_600_000
MEMORY_AIM = under(200)


class Waiting(Core):
    """A core whose worker's runs do a step, wait, and are frozen: for a token each, or until a time."""

    def __init__(self, *, for_tokens: bool) -> None:
        super().__init__(keeps_records=False)
        self._for_tokens = for_tokens

    def freeze(self, runs: range) -> None:
        """Bring further runs to where they wait."""
        if self._for_tokens:
            for number in runs:
                self.do(CreateWaitpoint(waitpoint=_token_of(_run(number)), **self.origin("POST /tokens")))
        self.trigger(map(_run, runs))
        self.turn(len(runs))
        self.turn(0)

    def count(self, status: Status) -> int:
        """How many runs are in this status."""
        return sum(isinstance(state, Run) and state.status is status for state in self.engine.memory.states.values())

    def complete(self, number: int) -> None:
        """Complete the token of a run."""
        self.do(CompleteWaitpoint(waitpoint=_token_of(_run(number)), **self.origin("POST /complete")))

    def _reports(self) -> Iterator[Report]:
        for run, token in self.handed_out:
            wait = Journaled(Entry(1, "wait.for", after=0), until=NOW.wall + HOUR_MS)
            if self._for_tokens:
                wait = Journaled(Entry(1, "wait.token", after=0), targets=(_token_of(run),))
            yield Report(run, token, "started", NOW.wall)
            yield Report(run, token, "step_succeeded", NOW.wall, OUTPUT, journaled=Journaled(Entry(0, "charge")))
            yield Report(run, token, "waiting", NOW.wall, journaled=wait)
            yield Report(run, token, "blocked", NOW.wall, journaled=Journaled(waits=(1,)))
            yield Report(run, token, "frozen", NOW.wall)


def measure(folder: Path, *, quick: bool) -> Chapter:  # noqa: ARG001 (nothing is stored)
    """Freeze them, then complete the tokens."""
    runs = QUICK_RUNS if quick else RUNS
    until, _ = _megabytes(runs, for_tokens=False)
    tokens, waiting = _megabytes(runs, for_tokens=True)
    begun = time.perf_counter()
    for number in range(runs):
        waiting.complete(number)
    seconds = time.perf_counter() - begun
    assert waiting.count(Status.QUEUED) == runs, "every run goes on"
    figures = [
        Figure(f"{runs:,} frozen runs that wait for a time: memory", "MB", (until,), MEMORY_AIM),
        Figure(f"{runs:,} frozen runs that wait for a token each: memory", "MB", (tokens,), MEMORY_AIM),
        Figure("tokens completed, one by one, each with its run queued", "runs/s", (runs / seconds,)),
    ]
    about = (
        "The core alone: nothing is stored or sent. Memory is what the resident set grew by; a worker holds nothing."
    )
    return Chapter("Frozen runs", about, figures)


def _megabytes(runs: int, *, for_tokens: bool) -> tuple[float, Waiting]:
    waiting = Waiting(for_tokens=for_tokens)
    before = resident()
    for start in range(0, runs, BATCH):
        waiting.freeze(range(start, min(start + BATCH, runs)))
    megabytes = resident() - before
    assert waiting.count(Status.FROZEN) == runs, "every run waits"
    return megabytes, waiting


def _run(number: int) -> str:
    return f"run_{number:032x}"


def _token_of(run: str) -> str:
    return f"waitpoint_{run.removeprefix('run_')}"
