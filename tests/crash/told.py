"""What the ledger and the file of effects tell of runs with a journal, once all is over."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from app.history.verify import verify
from domain import events as e
from domain.events import Event, Recorded
from domain.ports import CopyableLedger
from domain.run import fold
from domain.status import Status
from projections.ports import ReadModels
from tests.crash.orders import effects_in


class Told:
    """All that happened, by run, in order."""

    def __init__(self, ledger: CopyableLedger, read_models: ReadModels, folder: Path) -> None:
        self.records = ledger.read_after(0, limit=ledger.head().position)
        report = verify(ledger, read_models)
        assert report.holds, report
        self.effects = effects_in(folder)

    def history(self, run: str) -> list[Recorded]:
        """All of one run."""
        return [recorded for recorded in self.records if recorded.stream == run]

    def of(self, run: str, kind: type[Event]) -> list[Any]:
        """Its events of one kind."""
        return [recorded.event for recorded in self.history(run) if isinstance(recorded.event, kind)]

    def triggered(self) -> list[str]:
        """Every run that there is."""
        return [recorded.stream for recorded in self.records if isinstance(recorded.event, e.RunTriggered)]

    def results(self, run: str) -> dict[str, Any]:
        """The journaled result of each step. A step that is there twice was done twice."""
        steps: list[e.StepSucceeded] = self.of(run, e.StepSucceeded)
        assert len({(step.entry.name, step.entry.number) for step in steps}) == len(steps)
        return {step.entry.name: msgspec.json.decode(step.result) for step in steps}

    def children(self, run: str) -> list[str]:
        """The runs that it triggered, in order."""
        return [child for event in self.of(run, e.ChildrenTriggered) for child in event.runs]

    def output(self, run: str) -> Any:
        """What it returned."""
        (succeeded,) = self.of(run, e.AttemptSucceeded)
        return msgspec.json.decode(succeeded.output)

    def times(self, run: str) -> dict[str, int]:
        """How often each body of its steps was done."""
        return dict(Counter(effect.step for effect in self.effects if effect.run == run))

    def check(self, run: str) -> None:
        """It completed in its first attempt with the first results of its steps, each under one key.

        Each wait ended once.
        """
        state = fold(self.history(run))
        assert state is not None
        assert (state.status, state.attempts, state.failures) == (Status.COMPLETED, 1, 0)
        results, ids = self.results(run), {effect.id for effect in self.effects}
        assert set(results.values()) <= {*ids, None}
        keys = {(effect.step, effect.key) for effect in self.effects if effect.run == run}
        assert len(keys) == len({step for step, _ in keys}) == len({key for _, key in keys}) == len(results)
        started = [event.entry.index for event in self.of(run, e.WaitStarted)]
        ended: Sequence[int] = [event.wait for event in self.of(run, e.WaitCompleted)]
        assert sorted(ended) == started
        children = self.children(run)
        assert len({*children}) == len(children)
        assert {*self.triggered()} >= {*children}
