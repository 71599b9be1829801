"""An attempt: each report, the same report again, a late one, and what a failure leads to."""

import pytest
from msgspec import Raw

from domain import attempts
from domain import events as e
from domain.attempts import HANDOUTS_MAX, Late
from domain.errors import NotAllowed
from domain.events import PROCESS_DIED, WORKER_LOST, AttemptFailed, RunError, RunEvent, TaskSettings
from domain.retry import Retry
from domain.run import Run
from domain.status import Status
from tests.domain.stories import NOW, TRIGGERED, WORKER, happened, said, told

ERROR = RunError("It failed.")
DIED = RunError("It crashed.", code=PROCESS_DIED)
LOST = RunError("Nobody heard of it.", "WorkerLost", code=WORKER_LOST)
HANDED = told(TRIGGERED, e.RunDequeued(2, WORKER, "1"))
STARTED = e.AttemptStarted(1, 2, WORKER, "1")
EXECUTING = happened(HANDED, STARTED)
SUCCEEDED = happened(EXECUTING, e.AttemptSucceeded(1, 2))
FAILED = happened(EXECUTING, AttemptFailed(1, 2, ERROR), e.RunFailed(ERROR))
CRASHED = happened(EXECUTING, AttemptFailed(1, 2, DIED), e.RunCrashed(DIED))
RELEASED = happened(EXECUTING, e.RunEnqueued("released"))
CANCELED = happened(EXECUTING, e.RunCanceled())
TIMED_OUT = happened(EXECUTING, e.RunTimedOut(1))
TAKEN_BACK = happened(HANDED, e.RunEnqueued("lost"))
WORKER_GONE = happened(EXECUTING, AttemptFailed(1, 2, LOST), e.RunCrashed(LOST))
HANDED_AGAIN = happened(TAKEN_BACK, e.RunDequeued(4, "worker_2", "1"))
THREE = TaskSettings("send-email", retry=Retry(3, randomize=False))


def test_a_hand_out_has_a_token_that_grows() -> None:
    assert attempts.dequeue(told(TRIGGERED), WORKER, "1") == [e.RunDequeued(2, WORKER, "1")]
    assert attempts.dequeue(TAKEN_BACK, "worker_2", "1") == [e.RunDequeued(4, "worker_2", "1")]


def test_a_run_that_is_handed_out_again_and_again_and_never_starts_is_given_up() -> None:
    run = told(TRIGGERED)
    for _ in range(HANDOUTS_MAX):
        run = happened(run, *attempts.dequeue(run, WORKER, "1"), *attempts.hand_back("lost"))

    handed = "The run was handed to a worker 12 times, and none said that it started"
    never = RunError(f"{handed}; its code may have begun each time.", "NeverStarted")
    assert attempts.dequeue(run, WORKER, "1") == [e.RunSystemFailed(never)]


def test_a_worker_may_give_a_run_back_as_often_as_it_likes() -> None:
    run = told(TRIGGERED)
    for _ in range(HANDOUTS_MAX):
        run = happened(run, *attempts.dequeue(run, WORKER, "1"), *attempts.hand_back("released"))

    assert attempts.dequeue(run, WORKER, "1") == [e.RunDequeued(run.version + 1, WORKER, "1")]


def test_a_start_is_a_new_count_of_hand_outs() -> None:
    assert (HANDED.handouts, EXECUTING.handouts) == (1, 0)


@pytest.mark.parametrize(
    ("report", "events", "status"),
    [
        (said("run_1", "started"), [], Status.EXECUTING),
        (said("run_1", "succeeded", output=Raw(b"1")), [e.AttemptSucceeded(1, 2, Raw(b"1"))], Status.COMPLETED),
        (said("run_1", "failed"), [AttemptFailed(1, 2, ERROR)], Status.EXECUTING),
        (said("run_1", "failed", retryable=False), [AttemptFailed(1, 2, ERROR, retryable=False)], Status.EXECUTING),
        (said("run_1", "crashed"), [AttemptFailed(1, 2, DIED)], Status.EXECUTING),
        (said("run_1", "released"), [e.RunEnqueued("released")], Status.QUEUED),
    ],
)
def test_a_report_of_the_open_attempt_counts(report: attempts.Report, events: list[RunEvent], status: Status) -> None:
    decided = attempts.report(EXECUTING, report, WORKER)

    assert decided == events
    assert happened(EXECUTING, *decided).status is status


@pytest.mark.parametrize(
    ("kind", "events"),
    [
        ("started", [STARTED]),
        ("released", [e.RunEnqueued("released")]),
        # Two turns may be under way: the one with the end may overtake the one with the start.
        ("succeeded", [STARTED, e.AttemptSucceeded(1, 2)]),
        ("failed", [STARTED, AttemptFailed(1, 2, ERROR)]),
        ("crashed", [STARTED, AttemptFailed(1, 2, DIED)]),
    ],
)
def test_a_report_of_an_attempt_that_is_not_known_to_have_started_counts(kind: str, events: list[RunEvent]) -> None:
    assert attempts.report(HANDED, said("run_1", kind), WORKER) == events


def test_a_failure_without_a_reason_is_given_one() -> None:
    reason = RunError("The worker reported that the attempt failed and did not say why.")

    assert attempts.report(EXECUTING, said("run_1", "failed", error=None), WORKER) == [AttemptFailed(1, 2, reason)]


def test_a_report_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(NotAllowed, match="no report of the kind 'exploded'"):
        attempts.report(EXECUTING, said("run_1", "exploded"), WORKER)


@pytest.mark.parametrize(
    ("run", "kind"), [(SUCCEEDED, "succeeded"), (FAILED, "failed"), (CRASHED, "crashed"), (RELEASED, "released")]
)
def test_the_same_report_again_is_answered_as_before_and_writes_nothing(run: Run, kind: str) -> None:
    assert attempts.report(run, said("run_1", kind), WORKER) == []
    assert attempts.report(run, said("run_1", "started"), WORKER) == []


def test_the_same_report_again_writes_nothing_however_many_attempts_have_followed() -> None:
    run = happened(RELEASED, e.RunDequeued(5, "worker_2", "1"), e.AttemptStarted(2, 5, "worker_2", "1"))
    run = happened(run, e.AttemptSucceeded(2, 5))

    assert attempts.report(run, said("run_1", "released"), WORKER) == []


@pytest.mark.parametrize(
    ("run", "kind", "reason"),
    [
        (SUCCEEDED, "failed", "not open any more: it was succeeded"),
        (FAILED, "succeeded", "not open any more: it was failed"),
        (CANCELED, "succeeded", "not open any more: it was canceled"),
        (TIMED_OUT, "succeeded", "not open any more: it was timed out"),
        (TAKEN_BACK, "started", "not open any more: it was lost"),
        (WORKER_GONE, "succeeded", "not open any more: it was lost"),
        (HANDED_AGAIN, "succeeded", "not open any more: it was lost"),
    ],
)
def test_a_late_report_is_refused_and_recorded(run: Run, kind: str, reason: str) -> None:
    with pytest.raises(Late, match=reason) as refusal:
        attempts.report(run, said("run_1", kind), WORKER)

    assert refusal.value.events == [e.LateResultRefused(2, kind, WORKER)]


def test_a_late_report_is_recorded_once_for_each_token() -> None:
    late = e.LateResultRefused(2, "started", WORKER), e.LateResultRefused(4, "failed", "worker_2")
    run = happened(HANDED_AGAIN, e.RunEnqueued("lost"), *late)

    for token in (2, 4):
        with pytest.raises(Late) as refusal:
            attempts.report(run, said("run_1", "succeeded", token), WORKER)

        assert refusal.value.events == []


def test_a_report_with_a_token_that_was_never_given_is_refused() -> None:
    with pytest.raises(Late, match=r"Attempt 99 of run run_1 is not open\.") as refusal:
        attempts.report(EXECUTING, said("run_1", "succeeded", 99), WORKER)

    assert refusal.value.events == [e.LateResultRefused(99, "succeeded", WORKER)]


@pytest.mark.parametrize("run", [EXECUTING, SUCCEEDED])
def test_a_late_result_changes_nothing_in_the_run_but_that_it_is_known(run: Run) -> None:
    after = happened(run, e.LateResultRefused(1, "succeeded", WORKER))

    assert (after.status, after.token, after.version) == (run.status, run.token, run.version + 1)


def test_what_a_lost_worker_had_not_started_goes_back() -> None:
    assert attempts.lose(HANDED, "Gone.") == [e.RunEnqueued("lost")]


def test_what_a_lost_worker_had_started_is_a_failed_attempt() -> None:
    gone = RunError("Gone.", "WorkerLost", code=WORKER_LOST)

    assert attempts.lose(EXECUTING, "Gone.") == [AttemptFailed(1, 2, gone)]


@pytest.mark.parametrize("run", [told(TRIGGERED), RELEASED, CANCELED])
def test_without_an_open_attempt_nothing_is_lost(run: Run) -> None:
    assert attempts.lose(run, "Gone.") == []


def test_an_attempt_that_takes_too_long_ends_the_run() -> None:
    assert attempts.time_out(EXECUTING, 7) == [e.RunTimedOut(7)]
    assert happened(EXECUTING, e.RunTimedOut(7)).status is Status.TIMED_OUT


@pytest.mark.parametrize("run", [HANDED, RELEASED, CANCELED])
def test_only_an_executing_run_is_timed_out(run: Run) -> None:
    assert attempts.time_out(run, 7) == []


@pytest.mark.parametrize(
    ("failed", "settings", "events"),
    [
        (AttemptFailed(1, 2, ERROR), THREE, [e.RetryScheduled(NOW + 1_000)]),
        (AttemptFailed(1, 2, ERROR), None, [e.RunFailed(ERROR)]),
        (AttemptFailed(1, 2, ERROR), TaskSettings("send-email"), [e.RunFailed(ERROR)]),
        (AttemptFailed(1, 2, ERROR, retryable=False), THREE, [e.RunFailed(ERROR)]),
        (AttemptFailed(1, 2, LOST), THREE, [e.RetryScheduled(NOW + 1_000)]),
        (AttemptFailed(1, 2, LOST), None, [e.RunCrashed(LOST)]),
        (AttemptFailed(1, 2, DIED), THREE, [e.RunCrashed(DIED)]),
        (
            AttemptFailed(1, 2, DIED),
            TaskSettings("send-email", retry=Retry(3, randomize=False), retry_on_crash=True),
            [e.RetryScheduled(NOW + 1_000)],
        ),
        (AttemptFailed(1, 2, DIED), TaskSettings("send-email", retry_on_crash=True), [e.RunCrashed(DIED)]),
    ],
)
def test_after_a_failure_comes_a_retry_or_the_end(
    failed: AttemptFailed, settings: TaskSettings | None, events: list[RunEvent]
) -> None:
    run = happened(EXECUTING, failed)

    assert attempts.react_to_failure(run, failed, settings, now=NOW, chance=0.5) == events


def test_the_last_failure_ends_the_run() -> None:
    run, waits = EXECUTING, list[int]()
    for token in (2, 6, 10):
        failed = AttemptFailed(run.attempts, token, ERROR)
        run = happened(run, failed)
        (then,) = attempts.react_to_failure(run, failed, THREE, now=NOW, chance=0.5)
        run = happened(run, then)
        if isinstance(then, e.RetryScheduled):
            waits.append(then.at - NOW)
            run = happened(run, e.RunEnqueued("backoff"), e.RunDequeued(token + 4, WORKER, "1"))
            run = happened(run, e.AttemptStarted(run.attempts + 1, token + 4, WORKER, "1"))

    assert waits == [1_000, 2_000]
    assert (run.status, run.attempts, run.failures) == (Status.FAILED, 3, 3)


def test_the_runs_own_limit_goes_before_the_tasks() -> None:
    run = happened(told(e.RunTriggered("send-email", "emails", max_attempts=1)), e.RunDequeued(2, WORKER, "1"), STARTED)
    failed = AttemptFailed(1, 2, ERROR)

    events = attempts.react_to_failure(happened(run, failed), failed, THREE, now=NOW, chance=0.5)

    assert events == [e.RunFailed(ERROR)]


def test_a_released_attempt_does_not_count_as_failed() -> None:
    run = happened(RELEASED, e.RunDequeued(5, WORKER, "1"), e.AttemptStarted(2, 5, WORKER, "1"))

    assert (run.attempts, run.failures) == (2, 0)
