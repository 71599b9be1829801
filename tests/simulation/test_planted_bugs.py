"""The simulation is worth its time: eleven bugs, each planted into the engine for one test, are all found."""

import re
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from domain import attempts
from domain.attempts import Report
from domain.draft import Draft
from domain.errors import RunfoldError
from domain.events import RunDequeued, RunEvent
from domain.lanes import KeyLine, QueueLine
from domain.lifecycle import Deadline
from domain.limits import Counted, Gate, QueueLimits
from domain.memory import Memory, Timed
from domain.ready import Kind, ReadyRuns
from domain.request_keys import RequestKeys
from domain.run import Run
from domain.status import Status
from domain.transitions import TARGETS
from tests.simulation.simulation import simulate

SEEDS = range(100)


def a_run_is_handed_out_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ready queue offers a run again that a worker has; the table lets it happen."""
    take = ReadyRuns.take
    event: type[RunEvent] = RunDequeued
    monkeypatch.setitem(TARGETS[event], Status.DEQUEUED, Status.DEQUEUED)

    def take_twice(self: ReadyRuns, environment: str, may_take: Callable[[Kind], bool], now: int) -> Iterator[Run]:
        for run in take(self, environment, may_take, now):
            yield run
            yield run

    monkeypatch.setattr(ReadyRuns, "take", take_twice)


def a_late_result_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reports for a run that is being executed is believed, whatever the token."""
    report = attempts.report

    def believe(run: Run, said: Report, worker: str, unknown: tuple[str, ...]) -> list[RunEvent]:
        return report(run, replace(said, token=run.token) if run.token else said, worker, unknown)

    monkeypatch.setattr(attempts, "report", believe)


def a_timer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that passed while nobody looked is dropped."""
    due = Memory.due

    def due_in_time(self: Memory, now: int) -> Iterator[tuple[Timed, Deadline]]:
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


def a_queue_that_goes_on_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was out because of a pause or a limit stays out when that is over."""

    def forget(_ready: ReadyRuns, environment: str, queue: str | None = None) -> None:
        pass

    monkeypatch.setattr(ReadyRuns, "reopen", forget)


def a_free_slot_is_not_given_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was full stays out when one of its attempts is over."""

    def forget(_ready: ReadyRuns, queue: QueueLine, key: KeyLine) -> None:
        pass

    monkeypatch.setattr(ReadyRuns, "_let_in", forget)


def a_pause_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused queue hands out its runs."""
    gate = QueueLimits.gate

    def open_gate(self: QueueLimits, environment: str, queue: str) -> Gate:
        return gate(self, environment, queue)._replace(is_paused=False)

    monkeypatch.setattr(QueueLimits, "gate", open_gate)


def starts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was handed out under a rate limit is not recorded."""

    def nothing(_limits: QueueLimits) -> Iterator[Counted]:
        return iter(())

    monkeypatch.setattr(QueueLimits, "counted", nothing)


def the_environment_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots are counted for each queue alone."""

    def no_limit(_limits: QueueLimits, environment: str) -> None:
        return None

    monkeypatch.setattr(QueueLimits, "limit_in_all", no_limit)


def a_request_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine takes every request for one that was never sent."""

    def forget(_requests: RequestKeys, request: str, at: int) -> None:
        pass

    monkeypatch.setattr(RequestKeys, "note", forget)


BUGS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    a_run_is_handed_out_twice: "RunDequeued.* while RunDequeued.* is open",
    a_late_result_is_accepted: "Attempt.* by worker.*, but RunDequeued.* is open",
    a_timer_is_lost: "next timer at .*, next deadline at ",
    an_answer_does_not_wait_for_its_commit: "is said to be ",
    a_canceled_run_keeps_its_slot: "slots of .* are taken by the open attempts",
    a_queue_that_goes_on_is_not_looked_at: "waits, its queue is open",
    a_free_slot_is_not_given_on: "waits, its queue is open",
    a_pause_does_not_count: "which is paused",
    starts_are_forgotten: "starts are not counted",
    the_environment_has_no_limit: "runs of the environment run",
    a_request_leaves_no_trace: "key_.*: version 1 follows 1",
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
