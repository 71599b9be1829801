"""What a verifier thinks of a history: all that a run may do is in order, and nothing else."""

from random import Random

import pytest
from hypothesis import given
from msgspec.structs import replace

from domain import events as e
from domain.conduct import Conduct, fault_in
from domain.events import Event, Recorded, RunEvent
from projections.fold import histories_of
from tests.projections.histories import chances, history, of_run


def _faults(*history: Event, times: tuple[int, ...] = ()) -> list[str]:
    conduct = Conduct()
    at = times or tuple(range(len(history)))
    found = [
        conduct.fault(Recorded(number, "run_1", number, "env_1", moment, moment, "engine", "test", event))
        for number, (event, moment) in enumerate(zip(history, at, strict=True), 1)
    ]
    return [fault for fault in found if fault]


TRIGGERED = e.RunTriggered("greet", "task/greet")
CANCELED = e.RunCanceled()


def test_a_life_that_the_table_allows_is_in_order() -> None:
    assert _faults(TRIGGERED, e.RunDelayed(until=5), CANCELED, e.TagsAdded(("a",)), e.TagsAdded(("b",))) == []
    assert _faults(e.EnvironmentCreated("dev", "DEVELOPMENT"), TRIGGERED) == [
        "Event 2 of run_1: RunTriggered cannot happen when the run is over."
    ], "the second event of a stream begins nothing"


def test_what_the_table_does_not_allow_is_named_with_its_position() -> None:
    assert _faults(TRIGGERED, e.RunDelayed(until=5), e.RunDelayed(until=6)) == [
        "Event 3 of run_1: RunDelayed cannot happen while the run is DELAYED."
    ]
    assert _faults(TRIGGERED, CANCELED, CANCELED) == [
        "Event 3 of run_1: RunCanceled cannot happen when the run is over."
    ]
    assert _faults(e.RunDelayed(until=5)) == ["Event 1 of run_1: RunDelayed cannot happen before the run exists."]


def test_the_clock_of_the_ledger_does_not_go_back() -> None:
    assert _faults(TRIGGERED, CANCELED, times=(5, 5)) == []
    assert _faults(TRIGGERED, CANCELED, times=(5, 4)) == ["Event 2 was recorded before the event in front of it."]


HANDED, STARTED = e.RunDequeued(2, "worker_1", "v1"), e.AttemptStarted(1, 2, "worker_1", "v1")
FAILED, AGAIN = e.AttemptFailed(1, 2, e.RunError("boom")), (e.RetryScheduled(5), e.RunEnqueued("backoff"))
REFUSED = e.LateResultRefused(2, "succeeded", "worker_1")


def test_attempts_that_follow_each_other_each_under_its_token_are_in_order() -> None:
    second = (e.RunDequeued(7, "worker_1", "v1"), e.AttemptStarted(2, 7, "worker_1", "v1"))
    gone_on = (e.RunDequeued(10, "worker_2", "v1"), e.AttemptResumed(2, 10, "worker_2", "v1", 5))
    history = (
        *(TRIGGERED, HANDED, STARTED, FAILED, *AGAIN, *second, REFUSED, e.RunEnqueued("lost"), *gone_on),
        *(e.AttemptSucceeded(2, 10), REFUSED),
    )

    assert _faults(*history) == []


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (
            (HANDED, STARTED, e.AttemptSucceeded(1, 3)),
            "AttemptSucceeded tells of attempt 1 under the token 3, and attempt 1 under the token 2 is open.",
        ),
        (
            (HANDED, STARTED, e.AttemptSucceeded(2, 2)),
            "AttemptSucceeded tells of attempt 2 under the token 2, and attempt 1 under the token 2 is open.",
        ),
        (
            (HANDED, e.AttemptStarted(2, 2, "worker_1", "v1")),
            "AttemptStarted tells of attempt 2 under the token 2, and attempt 1 under the token 2 is open.",
        ),
        (
            (HANDED, e.AttemptResumed(1, 2, "worker_1", "v1", 5)),
            "AttemptResumed tells of attempt 1 under the token 2, and attempt 0 under the token 2 is open.",
        ),
        (
            (HANDED, STARTED, FAILED, FAILED),
            "AttemptFailed tells of attempt 1 under the token 2, and no attempt is open.",
        ),
        (
            (HANDED, STARTED, FAILED, *AGAIN, HANDED),
            "The run was handed out under the token 2, and now under 2.",
        ),
        (
            (HANDED, STARTED, REFUSED),
            "A report under the token 2 was refused, which is that of the open attempt.",
        ),
    ],
)
def test_who_reports_under_another_token_is_named(history: tuple[RunEvent, ...], said: str) -> None:
    position = len(history) + 1
    whole = f"Event {position} of run_1: {said}"

    assert _faults(TRIGGERED, *history) == [whole]
    assert fault_in(of_run(TRIGGERED, *history)) == (position, whole)


def test_a_history_by_itself_is_held_to_the_same() -> None:
    late = of_run(TRIGGERED, CANCELED, CANCELED, e.TagsAdded(("a",)))
    strange = [*late[:1], replace(late[1], event=e.WriterStarted(1))]

    assert fault_in([*late[:2], replace(late[3], version=3)]) is None
    assert fault_in(late) == (3, "Event 3 of run_1: RunCanceled cannot happen while the run is CANCELED.")
    assert fault_in(late[1:]) == (2, "Event 2 of run_1 is not its event 1.")
    assert fault_in(strange) == (2, "Event 2 of run_1: WriterStarted is not one of its kind.")
    assert _faults(TRIGGERED, e.WriterStarted(1)) == ["Event 2 of run_1: WriterStarted is not one of its kind."]


@given(chances)
def test_both_ways_say_the_same_of_any_history(chance: Random) -> None:
    records = history(chance, 60)
    conduct = Conduct()

    assert [fault for each in records if (fault := conduct.fault(each))] == []
    assert [found for each in histories_of(records).values() if (found := fault_in(each))] == []
