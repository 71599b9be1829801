"""Workers' turns: each is answered once, with what became of its reports, and an answer can be had again."""

import pytest

from domain import commands as c
from domain import events as e
from domain.attempts import Report
from domain.commands import Cancel, HandOut, RefusedReport, TurnAnswer
from domain.errors import InvalidInput, NotFound, UnknownVersion
from domain.events import TaskSettings
from domain.retry import Retry
from tests.domain.stories import (
    ENVIRONMENT,
    LEASE_MS,
    NOW,
    OUTAGE,
    VERSION,
    WAITS,
    WORKER,
    Colleague,
    Room,
    new,
    said,
    started,
    succeeded,
)

HAND = HandOut("run_1", 2, 1, "send-email", "task/send-email", 1, None)
LATE = "Attempt 2 of run run_1 is not open any more: it was canceled."


def test_a_turn_without_news_waits_and_a_trigger_ends_the_wait_in_its_own_commit() -> None:
    room = Room()
    waiting = Colleague(room).submit(want=1)
    assert room.commit() == {}

    triggered = room.submit(c.TriggerRuns, runs=[new()])
    answers = room.commit()

    assert answers == {triggered: [c.Accepted("run_1")], waiting: TurnAnswer(1, runs=(HAND,))}
    assert room.events()[1:] == [e.RunDequeued(2, WORKER, VERSION)]


def test_a_hand_out_says_what_the_worker_must_know() -> None:
    room = Room(TaskSettings("send-email", retry=Retry(4), max_duration=9_000))
    room.trigger(new("run_1"), new("run_2", max_attempts=2, max_duration_ms=5))

    hands = Colleague(room).take(2)

    assert hands == (
        HandOut("run_1", 2, 1, "send-email", "task/send-email", 4, 9_000),
        HandOut("run_2", 2, 1, "send-email", "task/send-email", 2, 5),
    )


def test_a_turn_that_will_not_wait_is_answered_at_once() -> None:
    assert Colleague(Room()).turn(want=1, patient=False) == TurnAnswer(1)


def test_a_turn_with_reports_is_answered_when_they_are_committed() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()

    assert worker.turn(started(hand), succeeded(hand)) == TurnAnswer(2)
    assert room.events()[2:] == [e.AttemptStarted(1, 2, WORKER, VERSION), e.AttemptSucceeded(1, 2)]


def test_a_turn_whose_time_is_up_is_answered_with_what_there_is() -> None:
    room = Room()
    waiting = Colleague(room).submit(want=1)
    room.commit()

    ended = room.submit(c.EndTurn, session=WORKER, sequence=1)

    assert room.commit() == {waiting: TurnAnswer(1), ended: None}


def test_ending_a_turn_that_no_longer_waits_does_nothing() -> None:
    room = Room()
    worker = Colleague(room)
    worker.turn(patient=False)
    waiting = worker.submit(want=1)
    room.commit()

    room.ask(c.EndTurn, session=WORKER, sequence=1)
    room.ask(c.EndTurn, session="worker_9", sequence=1)

    assert waiting not in room.commit()


def test_a_later_turn_ends_the_one_that_waits() -> None:
    room = Room()
    worker = Colleague(room)
    first = worker.submit(want=1)
    room.commit()

    second = worker.submit(received=0, want=1)

    assert room.commit() == {first: TurnAnswer(1)}
    room.trigger()
    assert second not in room.commit()
    assert room.run().worker == WORKER


def test_a_turn_that_was_overtaken_is_told_of_its_reports_and_the_later_one_gets_the_runs() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()
    later = worker.submit(sequence=4, received=2, want=1)
    room.commit()

    assert worker.turn(succeeded(hand), sequence=3, received=2, want=1) == TurnAnswer(3)
    room.submit(c.TriggerRuns, runs=[new("run_2")])
    assert [run.run for run in room.commit()[later].runs] == ["run_2"]


def test_a_turn_that_was_overtaken_by_an_answered_one_gets_no_runs_and_compares_nothing() -> None:
    room = Room()
    room.trigger(new("run_1"), new("run_2"))
    worker = Colleague(room)
    worker.turn(sequence=2, received=0, want=1, patient=False)
    worker.turn(sequence=3, received=2, patient=False)
    room.news()

    assert worker.turn(sequence=1, received=0, want=1, holds=()) == TurnAnswer(1)
    assert room.news() == []


def test_a_repeated_turn_gets_the_same_answer_and_does_nothing_twice() -> None:
    room = Room()
    room.trigger(new("run_1"), new("run_2"))
    worker = Colleague(room)
    hand = worker.start()
    first = worker.turn(succeeded(hand), want=1)
    room.news()

    again = worker.turn(succeeded(hand), sequence=3, received=2, want=1, holds=((hand.run, hand.token),))

    assert again == first
    assert [run.run for run in first.runs] == ["run_2"]
    assert room.news() == []


def test_a_turn_that_comes_twice_while_it_waits_is_answered_twice_and_the_same() -> None:
    room = Room()
    worker = Colleague(room)
    first = worker.submit(want=1)
    room.commit()
    second = worker.submit(sequence=1, received=0, want=1)
    room.commit()

    room.submit(c.TriggerRuns, runs=[new()])
    answers = room.commit()

    assert answers[first] == answers[second] == TurnAnswer(1, runs=(HAND,))


def test_a_copy_of_a_turn_whose_answer_was_received_does_nothing() -> None:
    room = Room()
    room.trigger(new("run_1"), new("run_2"))
    worker = Colleague(room)
    worker.start()
    worker.turn(patient=False)
    room.news()

    assert worker.turn(sequence=1, received=0, want=1, holds=()) == TurnAnswer(1)
    assert room.news() == []


def test_a_sequence_that_was_received_already_is_refused() -> None:
    with pytest.raises(InvalidInput, match="sequences only grow"):
        Colleague(Room()).turn(sequence=3, received=3)


def test_a_worker_with_a_version_that_was_never_registered_is_told_to_register() -> None:
    with pytest.raises(UnknownVersion, match="register the tasks again"):
        Colleague(Room()).turn(version="20270115.9")


def test_a_report_of_an_unknown_run_is_refused_and_the_others_count() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()

    answer = worker.turn(started("run_9", 2), succeeded(hand))

    assert answer == TurnAnswer(3, refused=(RefusedReport("run_9", 2, "Run run_9 not found."),))
    assert room.run().is_final


def test_a_report_is_dated_no_later_than_now_and_no_earlier_than_its_run() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.take()
    room.pass_time(1_000)

    worker.turn(Report("run_1", 2, "started", room.now.wall + 5_000), Report("run_1", 2, "succeeded", 7))

    assert [recorded.occurred_at for recorded in room.history("run_1")[2:]] == [room.now.wall, NOW]


def test_a_cancel_is_delivered_to_the_worker_that_waits() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.start()
    waiting = worker.submit(want=1)
    room.commit()

    canceled = room.submit(c.CancelRun, run="run_1")

    told = TurnAnswer(3, cancels=(Cancel("run_1", 2, "CANCELED"),))
    assert room.commit() == {canceled: None, waiting: told}


def test_a_cancel_waits_for_the_workers_next_turn_and_comes_once() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()
    room.ask(c.CancelRun, run="run_1")

    answer = worker.turn(succeeded(hand))

    refused = (RefusedReport("run_1", 2, LATE),)
    assert answer == TurnAnswer(3, cancels=(Cancel("run_1", 2, "CANCELED"),), refused=refused)
    assert room.events()[-1] == e.LateResultRefused(2, "succeeded", WORKER)
    assert worker.turn(patient=False) == TurnAnswer(4)


def test_a_run_that_was_given_up_is_gone_for_its_worker() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.start()
    room.ask(c.GiveUpRun, run="run_1", message="It cannot go on.")

    assert worker.turn(patient=False).cancels == (Cancel("run_1", 2, "GONE"),)


def test_a_run_whose_hand_out_never_arrived_goes_back_at_once() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.take()
    room.news()

    worker.turn(holds=())

    assert room.news() == [("run_1", e.RunEnqueued("lost"))]


def test_a_started_run_that_its_worker_no_longer_holds_is_a_failed_attempt() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.start()

    worker.turn(holds=())

    lost = e.RunError(f"Worker {WORKER} does not hold the run.", "WorkerLost", code=e.WORKER_LOST)
    assert room.events()[-2:] == [e.AttemptFailed(1, 2, lost), e.RunCrashed(lost)]


def test_a_run_whose_hand_out_may_still_be_on_its_way_stays_the_workers() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.take()
    room.news()

    assert worker.turn(holds=(), received=0) == WAITS
    assert room.news() == []


def test_a_run_that_is_reported_to_be_over_is_not_missed() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()

    assert worker.turn(succeeded(hand), holds=((hand.run, hand.token),)) == TurnAnswer(3)


def test_a_worker_that_holds_what_is_no_longer_its_own_is_told_so() -> None:
    room = Room()
    worker = Colleague(room)

    assert worker.turn(holds=(("run_1", 2),)) == TurnAnswer(1, cancels=(Cancel("run_1", 2, "GONE"),))


def test_a_session_of_another_environment_is_not_found() -> None:
    room = Room()
    Colleague(room).turn(patient=False)
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type="PRODUCTION")
    room.ask(c.RegisterVersion, environment="env_2", digest="one", tasks=(), day="20270115")

    with pytest.raises(NotFound, match="not of this environment"):
        Colleague(room).turn(environment="env_2")


def test_a_session_of_another_environment_is_not_found_after_a_restart_either() -> None:
    room = Room()
    room.trigger()
    Colleague(room).start()
    room.ask(c.CreateEnvironment, environment="env_2", slug="another", type="PRODUCTION")
    room.ask(c.RegisterVersion, environment="env_2", digest="one", tasks=(), day="20270115")
    room.restart()

    with pytest.raises(NotFound, match="not of this environment"):
        Colleague(room).turn(environment="env_2", holds=())
    assert room.run().worker == WORKER


def test_whoever_waits_when_a_batch_fails_is_told_so() -> None:
    room = Room()
    waiting = Colleague(room).submit(want=1)
    room.commit()

    triggered = room.submit(c.TriggerRuns, runs=[new()])

    assert room.fail() == {triggered: OUTAGE, waiting: OUTAGE}


def test_after_a_failed_batch_the_same_turn_is_taken_as_if_it_came_for_the_first_time() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.submit(started(hand))
    room.fail()

    answer = worker.turn(started(hand), sequence=2, received=1, holds=((hand.run, hand.token),))

    assert answer == TurnAnswer(2)
    assert room.events()[2:] == [e.AttemptStarted(1, 2, WORKER, VERSION)]


def test_a_worker_that_waits_gets_a_run_although_the_batch_is_full_of_new_ones() -> None:
    room = Room()
    waiting = Colleague(room).submit(want=1)
    room.commit()

    room.submit(c.TriggerRuns, runs=[new(f"run_{n:04}") for n in range(4_100)])

    assert [hand.run for hand in room.commit()[waiting].runs] == ["run_0000"]


def test_a_retry_that_is_due_goes_to_the_worker_that_waits() -> None:
    room = Room(TaskSettings("send-email", retry=Retry(2, 1_000, 1_000, randomize=False)))
    room.trigger()
    worker = Colleague(room)
    worker.turn(said(worker.start(), "failed"))
    waiting = worker.submit(want=1)
    room.commit()
    assert room.engine.wait_ms(room.now) == 1_000

    answers = room.pass_time(1_000)

    assert [(hand.run, hand.attempt) for hand in answers[waiting].runs] == [("run_1", 2)]


def test_an_engine_that_has_lost_no_one_has_no_lease_to_wait_for() -> None:
    room = Room()
    assert room.engine.wait_ms(room.now) is None

    Colleague(room).turn(patient=False)

    assert room.engine.wait_ms(room.now) == LEASE_MS
    assert room.engine.memory.environment(ENVIRONMENT) is not None
