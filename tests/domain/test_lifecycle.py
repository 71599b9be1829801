"""A run outside its attempts: trigger, delay, reschedule, cancel, give up, expire."""

import pytest
from msgspec import Raw

from domain import events as e
from domain import lifecycle
from domain.environment import Environment
from domain.errors import NotAllowed
from domain.events import Queue, RunError, RunEvent, TaskSettings
from domain.lifecycle import Deadline, NewRun, deadline_of
from domain.run import Run
from domain.status import Status
from tests.domain.stories import ENVIRONMENT, NOW, TRIGGERED, WORKER, happened, new, told

SETTINGS = TaskSettings("send-email", queue=Queue("emails", 10), ttl=60_000)
KNOWN = Environment(
    ENVIRONMENT, "dev", "DEVELOPMENT", 2, versions={"20270115.1": {"send-email": SETTINGS}}, promoted=("20270115.1",)
)
HANDED = e.RunDequeued(2, WORKER, "20270115.1")
BEGUN = e.AttemptStarted(1, 2, WORKER, "20270115.1")
ERROR = RunError("no such city", "ValueError")
ENDED = (
    told(TRIGGERED, HANDED, BEGUN, e.AttemptSucceeded(1, 2)),
    told(TRIGGERED, HANDED, BEGUN, e.AttemptFailed(1, 2, ERROR), e.RunFailed(ERROR)),
    told(TRIGGERED, e.RunCanceled()),
    told(TRIGGERED, e.RunSystemFailed(ERROR)),
)


def triggered(**more: object) -> e.RunTriggered:
    fields: dict[str, object] = {"task": "send-email", "queue": "emails", "payload": Raw(b"{}"), "payload_size": 2}
    return e.RunTriggered(**({"ttl_ms": 60_000} | fields | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "events"),
    [
        (new(), [triggered()]),
        (new(queue="mine"), [triggered(queue="mine")]),
        (new(ttl_ms=5), [triggered(ttl_ms=5)]),
        (new(ttl_ms=0), [triggered(ttl_ms=None)]),
        (new(delay_until=NOW + 1), [triggered(), e.RunDelayed(NOW + 1)]),
        (new(delay_until=NOW), [triggered()]),
        (new(max_attempts=7, tags=("a",)), [triggered(max_attempts=7, tags=("a",))]),
        (new(task="unheard-of"), [triggered(task="unheard-of", queue="task/unheard-of", ttl_ms=None)]),
    ],
)
def test_what_a_trigger_leaves_open_comes_from_the_current_version(asked: NewRun, events: list[RunEvent]) -> None:
    assert lifecycle.trigger(asked, KNOWN, NOW) == events


def test_a_triggered_run_is_queued_and_its_ttl_runs() -> None:
    run = told(triggered())

    assert (run.status, run.queued_at, run.expires_at) == (Status.QUEUED, NOW, NOW + 60_000)
    assert deadline_of(run) == Deadline(NOW + 60_000, "ttl")


def test_the_ttl_of_a_delayed_run_begins_when_it_is_queued() -> None:
    delayed = told(triggered(), e.RunDelayed(NOW + 10))
    queued = happened(delayed, e.RunEnqueued("delay"), at=NOW + 10)

    assert deadline_of(delayed) == Deadline(NOW + 10, "delay")
    assert deadline_of(queued) == Deadline(NOW + 60_010, "ttl")


def test_a_delay_that_is_over_puts_the_run_into_its_queue() -> None:
    run = told(TRIGGERED, e.RunDelayed(NOW + 10))

    assert lifecycle.fire(run, Deadline(NOW + 10, "delay")) == [e.RunEnqueued("delay")]


def test_a_backoff_that_is_over_puts_the_run_into_its_queue() -> None:
    run = told(TRIGGERED, HANDED, BEGUN, e.AttemptFailed(1, 2, ERROR), e.RetryScheduled(NOW + 10))

    assert lifecycle.fire(run, Deadline(NOW + 10, "backoff")) == [e.RunEnqueued("backoff")]


def test_a_run_that_was_not_started_in_time_expires() -> None:
    run = told(triggered())

    assert lifecycle.fire(run, Deadline(NOW + 60_000, "ttl")) == [e.RunExpired(60_000)]


@pytest.mark.parametrize(
    "run",
    [
        told(triggered(), e.RunDequeued(2, WORKER, "1")),
        told(triggered(), HANDED, BEGUN),
        told(triggered(), HANDED, BEGUN, e.RunEnqueued("released")),
        told(triggered(), e.RunCanceled()),
        told(triggered(ttl_ms=5)),
    ],
)
def test_a_deadline_that_is_no_longer_the_runs_brings_nothing(run: Run) -> None:
    assert lifecycle.fire(run, Deadline(NOW + 60_000, "ttl")) == []


def test_a_run_handed_back_before_its_start_may_still_expire() -> None:
    run = told(triggered(), HANDED, e.RunEnqueued("lost"))

    assert deadline_of(run) == Deadline(NOW + 60_000, "ttl")


def test_a_run_that_is_tried_again_no_longer_expires() -> None:
    failed = told(triggered(), HANDED, BEGUN, e.AttemptFailed(1, 2, ERROR), e.RetryScheduled(NOW + 10))

    assert deadline_of(happened(failed, e.RunEnqueued("backoff"), at=NOW + 10)) is None


def test_a_delayed_run_gets_another_time() -> None:
    run = told(TRIGGERED, e.RunDelayed(NOW + 10))

    assert lifecycle.reschedule(run, NOW + 20, NOW) == [e.RunRescheduled(NOW + 20)]
    assert deadline_of(happened(run, e.RunRescheduled(NOW + 20))) == Deadline(NOW + 20, "delay")


def test_the_same_time_again_changes_nothing() -> None:
    assert lifecycle.reschedule(told(TRIGGERED, e.RunDelayed(NOW + 10)), NOW + 10, NOW) == []


def test_a_time_that_has_passed_is_refused() -> None:
    with pytest.raises(NotAllowed, match="to a time that has passed"):
        lifecycle.reschedule(told(TRIGGERED, e.RunDelayed(NOW + 10)), NOW, NOW)


@pytest.mark.parametrize("run", [told(TRIGGERED), told(TRIGGERED, HANDED), *ENDED])
def test_only_a_delayed_run_is_rescheduled(run: Run) -> None:
    with pytest.raises(NotAllowed, match=f"run run_1 is {run.status}"):
        lifecycle.reschedule(run, NOW + 10, NOW)


@pytest.mark.parametrize(
    "run",
    [
        told(TRIGGERED),
        told(TRIGGERED, e.RunDelayed(NOW + 10)),
        told(TRIGGERED, HANDED),
        told(TRIGGERED, HANDED, BEGUN),
        told(TRIGGERED, HANDED, BEGUN, e.AttemptFailed(1, 2, ERROR), e.RetryScheduled(NOW + 10)),
    ],
)
def test_a_live_run_is_canceled_and_nothing_more_is_due(run: Run) -> None:
    events = lifecycle.cancel(run, "No longer needed.")
    canceled = happened(run, *events)

    assert events == [e.RunCanceled("No longer needed.")]
    assert (canceled.status, canceled.token, canceled.worker) == (Status.CANCELED, None, None)
    assert deadline_of(canceled) is None


@pytest.mark.parametrize("run", ENDED)
def test_an_ended_run_stays_as_it_ended(run: Run) -> None:
    assert lifecycle.cancel(run) == []
    assert lifecycle.give_up(run, "It cannot go on.") == []


def test_a_run_is_given_up_with_the_reason() -> None:
    failed = e.RunSystemFailed(RunError("It cannot go on.", "SystemFailure"))

    assert lifecycle.give_up(told(TRIGGERED), "It cannot go on.") == [failed]
    assert happened(told(TRIGGERED), failed).status is Status.SYSTEM_FAILURE
