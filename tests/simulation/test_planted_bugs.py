"""The simulation is worth its time: five bugs, each planted into the engine for one test, are all found."""

import re
from collections.abc import Callable, Container, Iterator

import pytest
from msgspec.structs import replace

from domain import attempts
from domain.attempts import Report
from domain.batch import Batch
from domain.draft import Draft
from domain.errors import RunfoldError
from domain.events import RunDequeued, RunEvent
from domain.lifecycle import Deadline
from domain.memory import Memory
from domain.ready import ReadyRuns
from domain.run import Run
from domain.status import Status
from domain.transitions import TRANSITIONS, Transition
from tests.simulation.simulation import simulate

SEEDS = range(100)


def a_run_is_handed_out_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ready queue offers a run again that a worker has; the table lets it happen."""
    take = ReadyRuns.take
    event: type[RunEvent] = RunDequeued
    again = Transition(frozenset({Status.QUEUED, Status.DEQUEUED}), Status.DEQUEUED)
    monkeypatch.setitem(TRANSITIONS, event, again)

    def take_twice(
        self: ReadyRuns, environment: str, tasks: Container[str], limit_of: Callable[[str], int | None]
    ) -> Iterator[Run]:
        for run in take(self, environment, tasks, limit_of):
            yield run
            yield run

    monkeypatch.setattr(ReadyRuns, "take", take_twice)


def a_late_result_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reports for a run that is being executed is believed, whatever the token."""
    report = attempts.report

    def believe(run: Run, said: Report, worker: str) -> list[RunEvent]:
        return report(run, replace(said, token=run.token) if run.token else said, worker)

    monkeypatch.setattr(attempts, "report", believe)


def a_timer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that passed while nobody looked is dropped."""
    due = Memory.due

    def due_in_time(self: Memory, now: int) -> Iterator[tuple[Run | Batch, Deadline]]:
        return ((state, deadline) for state, deadline in due(self, now) if now - deadline.at < 1_000)

    monkeypatch.setattr(Memory, "due", due_in_time)


def an_answer_does_not_wait_for_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided is answered, also when the batch did not land."""
    undo = Draft.undo

    def undo_and_answer(self: Draft, error: RunfoldError) -> None:
        answers = self.answers
        undo(self, error)
        self.answers = answers

    monkeypatch.setattr(Draft, "undo", undo_and_answer)


def a_canceled_run_keeps_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slot of an open attempt is given back at every end but a cancel."""
    note = ReadyRuns.replace

    def keep_slot(self: ReadyRuns, before: Run | None, after: Run | None) -> None:
        if before and after and after.status is Status.CANCELED:
            after = replace(after, token=before.token)
        note(self, before, after)

    monkeypatch.setattr(ReadyRuns, "replace", keep_slot)


BUGS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    a_run_is_handed_out_twice: "RunDequeued.* while RunDequeued.* is open",
    a_late_result_is_accepted: "Attempt.* by worker.*, but RunDequeued.* is open",
    a_timer_is_lost: "next timer at .*, next deadline at ",
    an_answer_does_not_wait_for_its_commit: "is said to be ",
    a_canceled_run_keeps_its_slot: "slots of .* are taken by the open attempts",
}


def broken_rules() -> Iterator[str]:
    """What the seeds say is broken, in their order."""
    for seed in SEEDS:
        try:
            simulate(seed)
        except AssertionError as broken:
            yield str(broken)


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    assert any(re.search(BUGS[plant], broken) for broken in broken_rules())


def test_without_a_bug_the_same_seeds_pass() -> None:
    assert list(broken_rules()) == []
