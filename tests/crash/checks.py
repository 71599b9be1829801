"""What must be true of the files once all is over, whatever was killed meanwhile."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from app.engine.triggered import value_of
from app.history.verify import verify
from domain.events import AttemptSucceeded, AuthResolved, AuthUnresolved, Recorded, RunTriggered
from domain.ports import CopyableLedger
from domain.run import Run
from projections.ports import ReadModels
from tests.crash.jobs import Request
from tests.crash.journeys import JOURNEY, STAMPS, check_journeys, child_of
from tests.crash.worker_process import Acknowledged
from tests.simulation.log_check import LogCheck

RESOLVED: dict[type, str] = {AuthResolved: "authorized", AuthUnresolved: "unauthorized"}
"""What a worker reported of an auth resolver, which belongs to no attempt."""


class Files:
    """The ledger and the read models of an engine, read without it."""

    def __init__(self, ledger: CopyableLedger, read_models: ReadModels) -> None:
        self.ledger = ledger
        self.read_models = read_models
        self.records = ledger.read_after(0, limit=ledger.head().position)
        # Of every event in its place: no gap, no second open attempt, nothing behind the end of a run.
        self.log = LogCheck()
        self.log.read(self.records)

    def check(self, requests: Sequence[Request], journal: Path) -> None:
        """Everything that a scenario promised."""
        assert self.log.unfinished == set()
        self.check_runs(requests)
        self.check_outcomes(requests)
        check_journeys(self.records)
        self.check_reports(journal)
        self.check_read_models()

    def check_runs(self, requests: Sequence[Request]) -> None:
        """Each request made its runs once: all that were answered are here, and no others."""
        triggered = list(self._triggered())
        children = {name for name, recorded in triggered if _parent_of(recorded)}
        named = {(name, recorded.stream) for name, recorded in triggered if not _parent_of(recorded)}
        answered = {
            (job.name, run) for request in requests for job, run in zip(request.jobs, request.runs, strict=True)
        }

        assert [name for name, times in Counter(name for name, _ in triggered).items() if times > 1] == []
        assert named == answered
        assert children == {child_of(job.name) for request in requests for job in request.jobs if job.task == JOURNEY}

    def check_outcomes(self, requests: Sequence[Request]) -> None:
        """Each run ended as its task does, with the result that follows from its payload."""
        jobs = {
            run: job for request in requests for job, run in zip(request.jobs, request.runs, strict=True)
        }  # runs of one idempotency key are one job
        outputs = dict(self._outputs())
        wrong = [
            f"{run} of {job.name} is {state.status}: {str(outputs.get(run))[:100]}"
            for run, job in jobs.items()
            if (state := self._run(run)).status is not job.status or _fixed(outputs.get(run)) != job.output
        ]

        assert wrong == [], wrong

    def check_reports(self, journal: Path) -> None:
        """What a worker was told to be committed is committed."""
        told = [msgspec.json.decode(line, type=Acknowledged) for line in journal.read_bytes().splitlines()]

        assert told != []
        resolved = {
            (record.stream, RESOLVED[type(record.event)]) for record in self.records if type(record.event) in RESOLVED
        }
        assert [
            said
            for said in told
            if (said.token, said.kind) not in self.log.runs[said.run].reported and (said.run, said.kind) not in resolved
        ] == []

    def check_read_models(self) -> None:
        """The hashes are right, and the rows are those that the ledger makes, up to its head."""
        report = verify(self.ledger, self.read_models)

        assert report.holds, report
        assert report.position == self.ledger.head().position

    def _triggered(self) -> Iterator[tuple[str, Recorded]]:
        for recorded in self.records:
            if isinstance(recorded.event, RunTriggered):
                payload = value_of(self.ledger, recorded.event.payload, recorded.event.payload_blob)
                yield msgspec.json.decode(payload)["n"], recorded

    def _outputs(self) -> Iterator[tuple[str, object]]:
        for recorded in self.records:
            if isinstance(recorded.event, AttemptSucceeded):
                output = value_of(self.ledger, recorded.event.output, recorded.event.output_blob)
                yield recorded.stream, msgspec.json.decode(output)

    def _run(self, run: str) -> Run:
        state = self.log.states[run]
        assert isinstance(state, Run)
        return state


def _fixed(output: Any) -> Any:
    """What follows from the payload."""
    if isinstance(output, dict):
        output = cast("dict[str, Any]", output)
        return {name: value for name, value in output.items() if name != STAMPS}
    return output


def _parent_of(triggered: Recorded) -> str | None:
    assert isinstance(triggered.event, RunTriggered)
    return triggered.event.parent
