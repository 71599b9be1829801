"""Given what happened to a run, then the rows of its attempts."""

import pytest

from domain import events as e
from domain.events import RunError, RunEvent
from projections.attempts import AttemptRow, Outcome
from tests.projections.histories import of_run
from tests.projections.model import naively

STARTED = (
    e.RunTriggered("greet", "task/greet"),
    e.RunDequeued(2, "worker_1", "20260101.1"),
    e.AttemptStarted(1, 2, "worker_1", "20260101.1"),
)
OPEN = AttemptRow("run_1", 1, 2, "worker_1", "20260101.1", started_at=1_020, position=3)
BOOM = RunError("boom")
LOST = RunError("gone", code=e.WORKER_LOST)
DIED = RunError("died", code=e.PROCESS_DIED)


def attempts_after(*events: RunEvent) -> list[AttemptRow]:
    return list(naively(of_run(*events)).attempts.values())


def test_a_run_that_nobody_started_has_no_attempt() -> None:
    assert attempts_after(*STARTED[:2], e.RunEnqueued("lost"), e.RunCanceled()) == []


def test_an_attempt_that_executes_or_waits_is_open() -> None:
    assert attempts_after(*STARTED) == [OPEN]
    assert attempts_after(*STARTED, e.RunBlocked(), e.RunFrozen()) == [OPEN]


@pytest.mark.parametrize(
    ("end", "outcome", "error"),
    [
        (e.AttemptSucceeded(1, 2), Outcome.COMPLETED, None),
        (e.AttemptFailed(1, 2, BOOM), Outcome.FAILED, BOOM),
        (e.AttemptFailed(1, 2, LOST), Outcome.LOST, LOST),
        (e.AttemptFailed(1, 2, DIED), Outcome.CRASHED, DIED),
        (e.RunEnqueued("released"), Outcome.RELEASED, None),
        (e.RunEnqueued("lost"), Outcome.LOST, None),
        (e.RunFailed(BOOM), Outcome.FAILED, BOOM),
        (e.RunCanceled(), Outcome.CANCELED, None),
        (e.RunTimedOut(5), Outcome.TIMED_OUT, None),
        (e.RunCrashed(DIED), Outcome.CRASHED, DIED),
        (e.RunInterrupted(LOST), Outcome.INTERRUPTED, LOST),
        (e.RunSystemFailed(BOOM), Outcome.SYSTEM_FAILURE, BOOM),
    ],
)
def test_an_attempt_ends_with_what_ended_it(end: RunEvent, outcome: Outcome, error: RunError | None) -> None:
    ended = AttemptRow(
        "run_1",
        1,
        2,
        "worker_1",
        "20260101.1",
        started_at=1_020,
        position=4,
        finished_at=1_030,
        outcome=outcome,
        error=error,
    )

    assert attempts_after(*STARTED, end) == [ended]
    assert attempts_after(*STARTED, end, e.TagsAdded(("late",))) == [ended]


def test_what_follows_a_failed_attempt_does_not_change_it() -> None:
    first, second = attempts_after(
        *STARTED,
        e.AttemptFailed(1, 2, BOOM),
        e.RetryScheduled(1_500),
        e.RunEnqueued("backoff"),
        e.RunDequeued(7, "worker_2", "20260102.1"),
        e.AttemptStarted(2, 7, "worker_2", "20260102.1"),
        e.RunCanceled(),
    )

    assert (first.position, first.outcome, first.finished_at) == (4, Outcome.FAILED, 1_030)
    assert (second.token, second.outcome, second.started_at, second.position) == (7, Outcome.CANCELED, 1_070, 9)
