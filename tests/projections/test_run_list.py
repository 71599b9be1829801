"""Given what happened to a run, then its row."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from adapters.read_models_rows import of_run as of_row
from adapters.read_models_rows import to_run
from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Recorded, RunError, RunEvent
from domain.run import Run, evolve
from domain.status import FINAL, Status
from projections.run_list import project
from projections.run_row import RunRow
from projections.run_state import state_of
from tests.projections.histories import Historian, chances, of_run, unhurried

TRIGGERED = e.RunTriggered("greet", "task/greet", Raw(b"1"), payload_size=1)
DEQUEUED = e.RunDequeued(2, "worker_1", "20260101.1")
STARTED = e.AttemptStarted(1, 2, "worker_1", "20260101.1")
BOOM = RunError("boom", "ValueError")
FAILED = e.AttemptFailed(1, 2, BOOM)


TIMES = st.integers(0, 2**53)
NAMES = st.sampled_from(["a", "b", "é"])
AMOUNTS = st.none() | st.integers(0, 10)
TRIGGERS = {
    "task": NAMES,
    "queue": NAMES,
    "payload": st.just(Raw(b"1")),
    "payload_blob": st.none(),
    "payload_type": NAMES,
    "payload_size": st.integers(0, 10),
    "tags": st.lists(NAMES, max_size=3).map(tuple),
    "metadata": st.sampled_from([e.NOTHING, Raw(b"{}"), Raw(b'{"a":1}')]),
    "priority": st.integers(-10, 10),
    "concurrency_key": st.none() | NAMES,
    "ttl_ms": AMOUNTS,
    "max_attempts": AMOUNTS,
    "max_duration_ms": AMOUNTS,
    "is_test": st.booleans(),
    "batch": st.none() | NAMES,
    "idempotency_key": st.none() | NAMES,
    "replay_of": st.none() | NAMES,
    "traceparent": st.none() | NAMES,
    "source": st.sampled_from([e.API, e.MANUAL, "schedule"]),
    "version": st.none() | NAMES,
    "machine": st.none() | NAMES,
    "parent": st.none() | NAMES,
    "root": st.none() | NAMES,
    "depth": st.integers(0, 3),
    "delay_until": st.none() | TIMES,
    "prefix": st.none() | st.builds(e.Prefix, NAMES, st.just(3), st.integers(1, 9)),
    "schedule": st.none() | st.builds(e.Scheduled, NAMES, st.just(1), TIMES),
    "job": st.none() | st.builds(e.JobRef, NAMES, NAMES, TIMES),
    "event": st.none(),
    "about": st.none(),
}
assert tuple(TRIGGERS) == e.RunTriggered.__struct_fields__


def row_after(*events: RunEvent) -> RunRow:
    row: RunRow | None = None
    for recorded in of_run(*events):
        row = project(row, recorded)
    assert row is not None
    return row


def test_a_run_that_was_triggered() -> None:
    triggered = e.RunTriggered(
        task="greet",
        queue="urgent",
        payload=Raw(b'{"to":"you"}'),
        payload_size=12,
        tags=("red", "blue", "red"),
        metadata=Raw(b'{"a": 1}'),
        priority=3,
        concurrency_key="tenant",
        ttl_ms=500,
        max_attempts=4,
        max_duration_ms=9_000,
        is_test=True,
        batch="batch_1",
        idempotency_key="once",
        replay_of="run_0",
    )

    assert row_after(triggered) == RunRow(
        id="run_1",
        environment="env_a",
        task="greet",
        queue="urgent",
        status=Status.QUEUED,
        events=1,
        position=1,
        created_at=1_000,
        updated_at=1_001,
        queued_at=1_000,
        ttl_ms=500,
        tags=("blue", "red"),
        max_attempts=4,
        max_duration_ms=9_000,
        priority=3,
        concurrency_key="tenant",
        is_test=True,
        batch="batch_1",
        idempotency_key="once",
        replay_of="run_0",
        metadata=Raw(b'{"a": 1}'),
        payload_size=12,
        born=1,
    )


def test_each_word_of_a_trigger_is_in_the_field_of_its_name() -> None:
    texts = (
        "task",
        "queue",
        "concurrency_key",
        "batch",
        "idempotency_key",
        "replay_of",
        "source",
        "machine",
        "parent",
        "root",
    )
    numbers = ("max_attempts", "max_duration_ms", "priority", "payload_size", "depth", "ttl_ms")
    told: dict[str, Any] = {**{name: name for name in texts}, **{name: at for at, name in enumerate(numbers, 1)}}
    job, scheduled = e.JobRef("job_1", "report", 1), e.Scheduled("sched_1", 2, 3)
    triggered = e.RunTriggered(**told, payload=Raw(b"1"), version="locked", is_test=True, job=job, schedule=scheduled)
    row = row_after(triggered)

    assert {name: getattr(row, name) for name in told} == told
    assert (row.lock, row.is_test, row.job, row.schedule) == ("locked", True, job, "sched_1")
    assert (row.version, row.worker, row.error, row.ended) == (None, None, None, None)
    assert (row.started_at, row.finished_at, row.executing_since) == (None, None, None)
    assert (row.delayed_until, row.expired_at) == (None, None)
    assert (row.attempts, row.duration_ms, row.replays, row.is_erased) == (0, 0, (), False)


def test_a_run_that_succeeded_at_once() -> None:
    row = row_after(TRIGGERED, DEQUEUED, STARTED, e.AttemptSucceeded(1, 2, Raw(b"2")))

    assert row == RunRow(
        id="run_1",
        environment="env_a",
        task="greet",
        queue="task/greet",
        status=Status.COMPLETED,
        events=4,
        position=4,
        created_at=1_000,
        updated_at=1_031,
        queued_at=1_000,
        started_at=1_020,
        finished_at=1_030,
        version="20260101.1",
        worker="worker_1",
        attempts=1,
        payload_size=1,
        duration_ms=10,
        born=1,
        ended=4,
    )


def test_a_run_that_fails_keeps_the_error_until_an_attempt_succeeds() -> None:
    failed = [TRIGGERED, DEQUEUED, STARTED, FAILED, e.RetryScheduled(1_400)]
    again = [
        e.RunEnqueued("backoff"),
        e.RunDequeued(7, "worker_2", "20260102.1"),
        e.AttemptStarted(2, 7, "worker_2", "20260102.1"),
    ]
    waiting, executing = row_after(*failed), row_after(*failed, *again)
    succeeded = row_after(*failed, *again, e.AttemptSucceeded(2, 7))

    assert (waiting.status, waiting.error, waiting.duration_ms) == (Status.REATTEMPTING, BOOM, 10)
    assert (executing.error, executing.executing_since, executing.queued_at) == (BOOM, 1_070, 1_050)
    assert (succeeded.error, succeeded.attempts, succeeded.duration_ms) == (None, 2, 20)
    assert (succeeded.worker, succeeded.version, succeeded.started_at) == ("worker_2", "20260102.1", 1_020)


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        (e.RunFailed(BOOM), Status.FAILED, BOOM),
        (e.RunCrashed(BOOM), Status.CRASHED, BOOM),
        (e.RunInterrupted(BOOM), Status.INTERRUPTED, BOOM),
        (e.RunSystemFailed(BOOM), Status.SYSTEM_FAILURE, BOOM),
        (e.RunCanceled("enough"), Status.CANCELED, None),
        (e.RunTimedOut(5), Status.TIMED_OUT, None),
    ],
)
def test_an_attempt_that_ends_the_run(end: RunEvent, status: Status, error: RunError | None) -> None:
    row = row_after(TRIGGERED, DEQUEUED, STARTED, end)

    assert (row.status, row.error, row.finished_at) == (status, error, 1_030)
    assert (row.duration_ms, row.executing_since) == (10, None)


def test_a_run_that_takes_too_long_does_not_show_the_error_of_an_attempt_before() -> None:
    second = [e.RunEnqueued("backoff"), DEQUEUED, e.AttemptStarted(2, 2, "worker_1", "20260101.1")]
    row = row_after(TRIGGERED, DEQUEUED, STARTED, FAILED, e.RetryScheduled(1), *second, e.RunTimedOut(5))

    assert row.error is None


def test_a_delayed_run_enters_its_queue_when_the_delay_is_over() -> None:
    delayed = [TRIGGERED, e.RunDelayed(5_000), e.RunRescheduled(6_000)]
    before, after = row_after(*delayed), row_after(*delayed, e.RunEnqueued("delay"))

    assert (before.status, before.delayed_until, before.queued_at) == (Status.DELAYED, 6_000, None)
    assert (after.status, after.delayed_until, after.queued_at) == (Status.QUEUED, 6_000, 1_030)


def test_an_expired_run_says_when() -> None:
    row = row_after(TRIGGERED, e.RunExpired(500))

    assert (row.status, row.expired_at, row.finished_at, row.started_at) == (Status.EXPIRED, 1_010, 1_010, None)


def test_a_run_that_is_handed_back_keeps_its_place_and_what_it_executed() -> None:
    not_started = row_after(TRIGGERED, DEQUEUED, e.RunEnqueued("lost"))
    released = row_after(TRIGGERED, DEQUEUED, STARTED, e.RunEnqueued("released"))

    assert (not_started.queued_at, not_started.attempts, not_started.worker) == (1_000, 0, None)
    assert (released.queued_at, released.attempts, released.duration_ms) == (1_000, 1, 10)


def test_a_wait_does_not_count_as_executing() -> None:
    waited = [TRIGGERED, DEQUEUED, STARTED, e.RunBlocked(), e.WaitCompleted(0), e.RunResumed()]
    row = row_after(*waited, e.AttemptSucceeded(1, 2))

    assert row.duration_ms == 20


def test_annotations_may_follow_the_end() -> None:
    row = row_after(TRIGGERED, e.RunCanceled(), e.TagsAdded(("b", "a")), e.MetadataUpdated(Raw(b"null")))

    assert (row.status, row.tags, row.metadata, row.events) == (Status.CANCELED, ("a", "b"), Raw(b"null"), 4)


def test_a_worker_whose_clock_is_behind_never_makes_a_duration_negative() -> None:
    *before, succeeded = of_run(TRIGGERED, DEQUEUED, STARTED, e.AttemptSucceeded(1, 2))
    row: RunRow | None = None
    for recorded in [*before, Recorded(4, "run_1", 4, "env_a", 7, 1_031, "test", "test", succeeded.event)]:
        row = project(row, recorded)

    assert row is not None
    assert (row.duration_ms, row.finished_at) == (0, 7)


def test_projecting_leaves_the_row_before_as_it_was() -> None:
    first, second = of_run(TRIGGERED, DEQUEUED)
    before = project(None, first)
    after = project(before, second)

    assert before == row_after(TRIGGERED)
    assert after == row_after(TRIGGERED, DEQUEUED)


def test_events_that_do_not_follow_the_row_are_refused() -> None:
    first, second, third = of_run(TRIGGERED, DEQUEUED, STARTED)

    with pytest.raises(LedgerCorrupt, match="There is no run run_1"):
        project(None, second)
    with pytest.raises(LedgerCorrupt, match="has 1 events, and event 3 is to follow"):
        project(project(None, first), third)


def test_an_event_of_something_else_is_not_a_row() -> None:
    created = Recorded(1, "env_a", 1, "env_a", 1, 1, "test", "test", e.EnvironmentCreated("dev", "DEVELOPMENT"))

    assert project(None, created) is None


@unhurried
@given(chances, st.integers(0, 60))
def test_rows_agree_with_the_states_that_the_engine_decides_on(chance: Random, length: int) -> None:
    rows: dict[str, RunRow] = {}
    historian = Historian(chance)
    for _ in range(length):
        historian.go_on()
    for recorded in historian.records:
        before = rows.get(recorded.stream)
        row = project(before, recorded)
        if row is not None:
            rows[row.id] = row
            assert before is None or row.updated_at > before.updated_at

    runs = {run.id: run for run in historian.states.values() if isinstance(run, Run)}
    assert {row.id: (row.status, row.attempts, row.events) for row in rows.values()} == {
        run.id: (run.status, run.attempts, run.version) for run in runs.values()
    }
    assert all((row.finished_at is not None) == (row.status in FINAL) for row in rows.values())
    assert all((row.executing_since is not None) <= (row.status is Status.EXECUTING) for row in rows.values())


@given(st.builds(e.RunTriggered, **TRIGGERS), TIMES, TIMES)
def test_the_row_of_a_run_that_waits_tells_its_state(event: e.RunTriggered, occurred: int, recorded: int) -> None:
    first = Recorded(7, "run_1", 1, "env_a", occurred, recorded, "test", "test", event)
    row = project(None, first)
    assert row is not None

    if row.tells_state:
        assert state_of(to_run(of_row(row))) == evolve(None, first)
    else:
        assert event.prefix or event.delay_until is not None or event.ttl_ms == 0 or len(event.tags) > 1


def test_a_row_tells_the_state_only_as_long_as_nothing_else_happened() -> None:
    assert row_after(TRIGGERED).tells_state
    assert not row_after(TRIGGERED, DEQUEUED).tells_state
    assert not row_after(TRIGGERED, e.TagsAdded(("red",))).tells_state
