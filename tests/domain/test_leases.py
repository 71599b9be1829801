"""Leases and max durations: who is silent for too long loses its runs; that the engine was deaf makes nobody late."""

import pytest

from domain import commands as c
from domain import events as e
from domain.commands import Cancel, RefusedReport, TurnAnswer
from domain.events import RunError, TaskSettings
from domain.retry import Retry
from domain.status import Status
from tests.domain.stories import LEASE_MS, LOOK_MS, NOW, OUTAGE, WAITS, WORKER, Colleague, Room, live_on, new, succeeded

TWICE = TaskSettings("send-email", retry=Retry(2, 1_000, 1_000, randomize=False))
BRIEF = TaskSettings("send-email", max_duration=20_000)
SILENT = RunError(f"Worker {WORKER} was not heard of for {LEASE_MS} ms.", "WorkerLost", code=e.WORKER_LOST)


def test_a_worker_that_is_silent_for_its_lease_loses_what_it_had_not_started() -> None:
    room = Room()
    room.trigger()
    Colleague(room).take()
    room.news()

    live_on(room, LEASE_MS - 1)
    assert room.news() == []

    room.pass_time(1)
    assert room.news() == [("run_1", e.RunEnqueued("lost"))]


def test_what_it_had_started_is_a_failed_attempt_that_is_tried_again() -> None:
    room = Room(TWICE)
    room.trigger()
    Colleague(room).start()
    room.news()

    live_on(room, LEASE_MS)

    retry = e.RetryScheduled(NOW + LEASE_MS + 1_000)
    assert room.news() == [("run_1", e.AttemptFailed(1, 2, SILENT)), ("run_1", retry)]


def test_the_run_ends_as_crashed_when_no_attempt_is_left() -> None:
    room = Room()
    room.trigger()
    Colleague(room).start()

    live_on(room, LEASE_MS)

    assert room.run().status is Status.CRASHED


def test_every_turn_renews_the_lease() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.start()

    for _ in range(4):
        live_on(room, LEASE_MS - 1)
        worker.turn(patient=False)

    assert room.run().status is Status.EXECUTING


def test_a_turn_that_came_before_the_engine_looked_renews_the_lease() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.start()
    live_on(room, LEASE_MS - 1)

    worker.submit(patient=False)
    room.pass_time(1)

    assert room.run().status is Status.EXECUTING


def test_the_waiting_turn_of_a_lost_worker_is_answered() -> None:
    room = Room()
    waiting = Colleague(room).submit(want=1)
    room.commit()

    for _ in range(LEASE_MS // LOOK_MS - 1):
        assert room.pass_time(LOOK_MS) == {}

    assert room.pass_time(LOOK_MS) == {waiting: TurnAnswer(1)}


def test_a_lost_worker_that_comes_back_is_told_what_it_has_lost() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()
    live_on(room, LEASE_MS)

    answer = worker.turn(succeeded(hand), holds=((hand.run, hand.token), ("run_9", 2)))

    late = RefusedReport("run_1", 2, "Attempt 2 of run run_1 is not open any more: it was lost.")
    assert answer == TurnAnswer(3, cancels=(Cancel("run_9", 2, "GONE"),), refused=(late,))
    assert room.events()[-1] == e.LateResultRefused(2, "succeeded", WORKER)


def test_leases_begin_anew_when_the_engine_was_deaf() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.start()
    room.news()

    room.pass_time(10 * LEASE_MS)
    assert room.news() == []

    live_on(room, LEASE_MS - 1)
    assert room.news() == []

    room.pass_time(1)
    assert [type(event) for _, event in room.news()] == [e.AttemptFailed, e.RunCrashed]


def test_a_turn_goes_on_waiting_when_the_engine_was_deaf() -> None:
    room = Room()
    waiting = Colleague(room).submit(want=1)
    room.commit()
    room.pass_time(10 * LEASE_MS)

    room.submit(c.TriggerRuns, runs=[new()])

    assert [hand.run for hand in room.commit()[waiting].runs] == ["run_1"]


def test_leases_begin_anew_when_the_engine_starts() -> None:
    room = Room()
    room.trigger()
    Colleague(room).start()
    live_on(room, LEASE_MS - 1)
    room.restart()
    room.news()

    live_on(room, LEASE_MS - 1)
    assert room.news() == []

    room.pass_time(1)
    assert [type(event) for _, event in room.news()] == [e.AttemptFailed, e.RunCrashed]


def test_leases_begin_anew_when_a_batch_failed() -> None:
    room = Room()
    room.trigger()
    Colleague(room).start()
    live_on(room, LEASE_MS - 1)
    ticket = room.submit(c.TriggerRuns, runs=[new("run_2")])
    assert room.fail() == {ticket: OUTAGE}

    live_on(room, LEASE_MS - 1)

    assert room.run().status is Status.EXECUTING


def test_a_loss_that_could_not_be_committed_is_not_one() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()
    live_on(room, LEASE_MS - 1)
    room.now = room.now._replace(mono=room.now.mono + 1)
    room.fail()

    assert worker.turn(succeeded(hand)) == TurnAnswer(3)
    assert room.run().status is Status.COMPLETED


def test_an_attempt_is_ended_when_its_max_duration_is_over_and_its_worker_must_stop_it() -> None:
    room = Room(BRIEF)
    room.trigger()
    worker = Colleague(room)
    worker.start()
    waiting = worker.submit(want=1)
    room.commit()
    for _ in range(3):
        room.pass_time(LOOK_MS)
    assert room.engine.wait_ms(room.now) == 5_000

    answers = room.pass_time(LOOK_MS)

    assert answers == {waiting: TurnAnswer(3, cancels=(Cancel("run_1", 2, "TIMED_OUT"),))}
    assert room.events()[-1] == e.RunTimedOut(20_000)


def test_the_runs_own_max_duration_goes_before_the_tasks() -> None:
    room = Room(BRIEF)
    room.trigger(new(max_duration_ms=500))
    Colleague(room).start()

    room.pass_time(500)

    assert room.events()[-1] == e.RunTimedOut(500)


def test_a_result_in_time_leaves_nothing_to_time_out() -> None:
    room = Room(BRIEF)
    room.trigger()
    worker = Colleague(room)
    worker.turn(succeeded(worker.start()))

    live_on(room, 25_000)

    assert room.run().status is Status.COMPLETED


@pytest.mark.parametrize("interrupt", ["a deaf pause", "a restart", "a failed batch"])
def test_max_durations_begin_anew_after(interrupt: str) -> None:
    room = Room(BRIEF)
    room.trigger()
    worker = Colleague(room)
    worker.start()
    live_on(room, 19_999)

    if interrupt == "a deaf pause":
        room.pass_time(60_000)
    elif interrupt == "a restart":
        room.restart()
    else:
        room.submit(c.TriggerRuns, runs=[new("run_2")])
        room.fail()
    live_on(room, 19_999)
    assert room.run().status is Status.EXECUTING

    room.pass_time(1)
    assert room.run().status is Status.TIMED_OUT


def test_the_wall_clock_ends_no_lease() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.start()
    room.now = room.now._replace(wall=NOW + 10 * LEASE_MS)

    assert worker.turn(want=1) == WAITS
    assert room.run().status is Status.EXECUTING
