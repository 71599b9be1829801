"""Tries of a step: each that fails is journaled, and the run waits for the next one as it waits for a time."""

from domain import commands as c
from domain import events as e
from domain.commands import HandOut, RefusedReport, Woken
from domain.durations import iso
from domain.events import Entry, Queue, RunError, TaskSettings
from domain.explanation import Explanation
from domain.retry import Retry
from domain.run import Wait
from domain.status import Status
from tests.domain.stories import ENVIRONMENT, LEASE_MS, NOW, WORKER, Colleague, Room, new, said, started, succeeded
from tests.domain.waitstories import blocked, frozen, pass_slowly, stepped, tried

BUSY = RunError("busy")
SERIAL = TaskSettings("send-email", queue=Queue("mails", 1))
TWICE = TaskSettings("send-email", retry=Retry(2, 1_000, 1_000, randomize=False))
CHARGE = Entry(0, "charge")


def try_once(worker: Colleague, until: int) -> HandOut:
    """Take a run that starts, and waits for its next try until then."""
    (hand,) = worker.take()
    answer = worker.turn(started(hand), tried(hand, 0, until), blocked(hand, 0))
    assert answer.refused == ()
    return hand


def test_a_run_waits_for_its_next_try_without_a_slot_and_goes_on_in_its_process() -> None:
    room = Room(SERIAL)
    worker = Colleague(room)
    room.trigger(new("run_1"), new("run_2"))
    hand = try_once(worker, NOW + 1_000)
    (other,) = worker.take()
    worker.turn(started(other), succeeded(other))
    waiting = worker.submit(want=0)
    room.commit()

    answers = room.pass_time(1_000)

    assert answers[waiting].woken == (Woken("run_1", hand.token, e.WaitCompleted(0)),)
    assert room.events()[3:] == [
        e.StepTryFailed(CHARGE, BUSY, NOW + 1_000),
        e.RunBlocked(),
        e.WaitCompleted(0),
        e.RunResumed(),
    ]


def test_a_frozen_run_is_queued_when_its_next_try_is_due_and_goes_on_in_the_same_attempt() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.turn(frozen(try_once(worker, NOW + 1_000)))
    assert room.run().status is Status.FROZEN

    room.pass_time(1_000)
    (again,) = room.hire().take()

    assert (again.attempt, again.journal) == (1, 1)
    assert room.events()[-3:-1] == [e.WaitCompleted(0), e.RunEnqueued("resumed")]


def test_a_try_is_recorded_once_and_only_with_a_time_for_the_next_one() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = try_once(worker, NOW + 5)
    length = len(room.log)

    again = worker.turn(tried(hand, 0, NOW + 7))
    endless = worker.turn(tried(hand, 1, None))

    assert again.refused == ()
    assert len(room.log) == length
    said_why = "Behind a failed try comes a time until which the next one waits."
    assert endless.refused == (RefusedReport("run_1", hand.token, said_why),)


def test_tries_of_several_branches_end_each_at_its_time() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), tried(hand, 0, NOW + 9, "a"), tried(hand, 1, NOW + 5, "b"), blocked(hand, 0, 1))

    before = room.run().waits
    room.pass_time(5)

    assert before == (Wait(0, until=NOW + 9, step="a"), Wait(1, until=NOW + 5, step="b"))
    assert room.run().waits == (Wait(0, until=NOW + 9, step="a"),)
    assert room.events()[-2:] == [e.WaitCompleted(1), e.RunResumed()]


def test_an_attempt_that_fails_waits_for_no_try_any_more() -> None:
    room = Room(TWICE)
    room.trigger()
    worker = Colleague(room)
    hand = try_once(worker, NOW + 5)

    worker.turn(said(hand, "failed"))
    room.pass_time(5)

    assert (room.run().waits, room.run().status) == ((), Status.REATTEMPTING)
    assert e.WaitCompleted(0) not in room.events()


def test_a_run_that_is_canceled_waits_for_no_try_any_more() -> None:
    room = Room()
    room.trigger()
    try_once(Colleague(room), NOW + 5)

    room.submit(c.CancelRun, environment=ENVIRONMENT, run="run_1")
    room.commit()
    room.pass_time(5)

    assert isinstance(room.events()[-1], e.RunCanceled)


def test_a_worker_that_is_lost_between_two_tries_freezes_its_run() -> None:
    room = Room()
    room.trigger()
    try_once(Colleague(room), NOW + 2 * LEASE_MS)

    pass_slowly(room, LEASE_MS)
    room.restart()
    frozen_then = room.run().status
    pass_slowly(room, LEASE_MS)

    assert frozen_then is Status.FROZEN
    assert room.events()[-2:] == [e.WaitCompleted(0), e.RunEnqueued("resumed")]


def test_a_process_that_dies_of_a_later_try_goes_on_behind_those_before() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = try_once(worker, NOW + 5)
    room.pass_time(5)

    worker.turn(said(hand, "crashed"))
    (again,) = worker.take()
    worker.turn(started(again), stepped(again, 1), succeeded(again))

    assert (again.attempt, again.journal) == (1, 1)
    assert room.run().status is Status.COMPLETED


def test_why_a_run_waits_names_the_step_that_is_tried_again() -> None:
    room = Room()
    room.trigger()
    try_once(Colleague(room), NOW + 5)

    asked = room.submit(c.ExplainRun, run="run_1")
    told = room.commit()[asked]

    at = iso(NOW + 5)
    sentence = f'Its code waits until {at} to try the step "charge" again; worker {WORKER} keeps its process.'
    waits = [{"wait": 0, "step": "charge", "until": at}]
    assert told == Explanation("waiting", sentence, {"waits": waits, "worker": WORKER})
