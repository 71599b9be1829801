"""Waits: the slot is free at once, each wait ends once, and the run goes on where there is a slot for it."""

import pytest

from domain import commands as c
from domain import events as e
from domain.commands import RefusedReport, TurnAnswer, Woken
from domain.errors import NotFound
from domain.events import Entry, Queue, TaskSettings
from domain.explanation import Explanation
from domain.run import Wait
from domain.status import Status
from domain.waits import SETTLED_MAX
from tests.domain.stories import LEASE_MS, NOW, VERSION, WAITS, WORKER, Colleague, Room, new, said, started, succeeded
from tests.domain.waitstories import blocked, frozen, pass_slowly, stepped, wait, waits

SERIAL = TaskSettings("send-email", queue=Queue("mails", 1))
TOKEN = "waitpoint_1"
ENTRY = Entry(0, "wait")


def statuses(room: Room, *runs: str) -> list[Status]:
    return [room.run(run).status for run in runs]


def test_a_run_waits_for_a_time_without_a_slot_and_goes_on_in_its_process() -> None:
    room = Room(SERIAL)
    worker = Colleague(room)
    room.trigger(new("run_1"), new("run_2"))
    hand = wait(worker, until=NOW + 1_000)
    (other,) = worker.take()
    worker.turn(started(other), succeeded(other))
    waiting = worker.submit(want=0)
    room.commit()

    answers = room.pass_time(1_000)

    assert answers[waiting] == TurnAnswer(5, woken=(Woken("run_1", hand.token, e.WaitCompleted(0)),))
    assert room.events()[3:] == [
        e.WaitStarted(ENTRY, until=NOW + 1_000),
        e.RunBlocked(),
        e.WaitCompleted(0),
        e.RunResumed(),
    ]


def test_a_wait_that_is_over_takes_a_slot_only_when_there_is_one() -> None:
    room = Room(SERIAL)
    worker = Colleague(room)
    room.trigger(new("run_1"), new("run_2"))
    wait(worker, until=NOW + 1_000)
    (other,) = worker.take()
    worker.turn(started(other))

    room.pass_time(1_000)
    before = statuses(room, "run_1", "run_2")
    worker.turn(succeeded(other))

    assert before == [Status.WAITING, Status.EXECUTING]
    assert statuses(room, "run_1", "run_2") == [Status.EXECUTING, Status.COMPLETED]


def test_a_parent_waits_for_a_child_of_its_own_queue_and_goes_on_in_the_commit_of_its_end() -> None:
    room = Room(SERIAL)
    worker = Colleague(room)
    room.trigger(new("run_1"))
    (parent,) = worker.take()
    worker.turn(started(parent))
    room.trigger(new("run_2", parent="run_1"))
    worker.turn(waits(parent, 0, "run_2"), blocked(parent, 0))
    (child,) = worker.take()
    worker.turn(started(child))
    length = len(room.log)

    answer = worker.turn(succeeded(child))

    assert answer.woken == (Woken("run_1", parent.token, e.WaitCompleted(0, ("run_2",))),)
    assert [type(recorded.event) for recorded in room.log[length:]] == [
        e.AttemptSucceeded,
        e.WaitCompleted,
        e.RunResumed,
    ]


def test_several_parents_may_wait_for_one_child() -> None:
    room = Room()
    worker = Colleague(room)
    room.trigger(new("child", delay_until=NOW + 10), new("run_1"), new("run_2"))
    wait(worker, "child")
    wait(worker, "child")

    room.ask(c.CancelRun, run="child")

    assert statuses(room, "run_1", "run_2") == [Status.EXECUTING] * 2


def test_a_token_is_completed_once_and_by_whom_it_is_first() -> None:
    room = Room()
    room.ask(c.CreateWaitpoint, waitpoint=TOKEN)

    room.ask(c.CompleteWaitpoint, waitpoint=TOKEN)
    room.ask(c.CompleteWaitpoint, waitpoint=TOKEN)

    assert room.events(TOKEN) == [e.WaitpointCreated(), e.WaitpointCompleted()]
    with pytest.raises(NotFound, match=r"Waitpoint waitpoint_9 not found\."):
        room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_9")


def test_a_token_may_be_completed_before_anybody_waits_for_it() -> None:
    room = Room()
    room.trigger()
    room.ask(c.CreateWaitpoint, waitpoint=TOKEN)
    room.ask(c.CompleteWaitpoint, waitpoint=TOKEN)
    worker = Colleague(room)
    (hand,) = worker.take()

    answer = worker.turn(started(hand), waits(hand, 0, TOKEN), blocked(hand, 0))

    assert answer.woken == (Woken("run_1", hand.token, e.WaitCompleted(0, (TOKEN,))),)
    assert room.run().status is Status.EXECUTING


def test_thousands_that_wait_for_one_thing_go_on_in_several_batches() -> None:
    count = 3 * SETTLED_MAX
    room = Room()
    room.ask(c.CreateWaitpoint, waitpoint=TOKEN)
    for start in range(0, count, 500):
        room.trigger(*(new(f"run_{number}") for number in range(start, start + 500)))
    worker = Colleague(room)
    while handed := worker.take(500):
        worker.turn(*(report for hand in handed for report in (started(hand), waits(hand, 0, TOKEN), blocked(hand, 0))))
    room.news()

    room.submit(c.CompleteWaitpoint, waitpoint=TOKEN)
    sizes = [1]
    while sizes[-1]:
        room.commit()
        sizes.append(len(room.news()))

    runs = [room.engine.memory.run(f"run_{number}") for number in range(count)]
    assert {run and (run.waits, run.status) for run in runs} == {((), Status.EXECUTING)}
    # What ends waits has a share of a batch twice, and what goes on has one.
    assert sizes[1:] == [3 * SETTLED_MAX + 1, 2 * SETTLED_MAX, SETTLED_MAX, 0]


def test_a_wait_for_what_is_over_ends_also_where_another_wait_of_the_run_is_for_the_same() -> None:
    room = Room()
    room.trigger()
    for token in ("waitpoint_1", "waitpoint_2"):
        room.ask(c.CreateWaitpoint, waitpoint=token)
    room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_1")
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), waits(hand, 0, "waitpoint_1", "waitpoint_2"))

    answer = worker.turn(waits(hand, 1, "waitpoint_1"))

    assert answer.woken == (Woken("run_1", hand.token, e.WaitCompleted(1, ("waitpoint_1",))),)


def test_a_token_times_out_and_the_code_is_told_that_it_is_over() -> None:
    room = Room()
    room.trigger()
    room.ask(c.CreateWaitpoint, waitpoint=TOKEN, timeout_at=NOW + 5)
    wait(Colleague(room), TOKEN)

    room.pass_time(5)

    assert room.events(TOKEN)[1:] == [e.WaitpointTimedOut()]
    assert room.events()[-2:] == [e.WaitCompleted(0, (TOKEN,)), e.RunResumed()]


@pytest.mark.parametrize("is_any", [True, False])
def test_of_several_tokens_any_or_all_have_to_be_completed(*, is_any: bool) -> None:
    room = Room()
    room.trigger()
    tokens = [f"waitpoint_{number}" for number in range(3)]
    for token in tokens:
        room.ask(c.CreateWaitpoint, waitpoint=token)
    wait(Colleague(room), *tokens, is_any=is_any)

    went_on: list[bool] = []
    for token in reversed(tokens):
        room.ask(c.CompleteWaitpoint, waitpoint=token)
        went_on.append(room.run().status is Status.EXECUTING)

    assert went_on == ([True, True, True] if is_any else [False, False, True])
    assert room.events()[-2] == e.WaitCompleted(0, ("waitpoint_2",) if is_any else tuple(tokens))


def test_tokens_that_are_completed_at_once_end_one_wait_each() -> None:
    room = Room()
    room.trigger()
    for token in ("waitpoint_1", "waitpoint_2"):
        room.ask(c.CreateWaitpoint, waitpoint=token)
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), waits(hand, 0, "waitpoint_1"), waits(hand, 1, "waitpoint_2"), blocked(hand, 0, 1))

    for token in ("waitpoint_1", "waitpoint_2"):
        room.submit(c.CompleteWaitpoint, waitpoint=token)
    room.commit()

    assert room.events()[-3:] == [
        e.WaitCompleted(0, ("waitpoint_1",)),
        e.WaitCompleted(1, ("waitpoint_2",)),
        e.RunResumed(),
    ]


def test_a_wait_with_a_time_ends_with_what_is_over_by_then() -> None:
    room = Room()
    room.trigger()
    for token in ("waitpoint_1", "waitpoint_2"):
        room.ask(c.CreateWaitpoint, waitpoint=token)
    wait(Colleague(room), "waitpoint_1", "waitpoint_2", until=NOW + 9)
    room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_2")

    room.pass_time(9)

    assert room.events()[-2] == e.WaitCompleted(0, ("waitpoint_2",), is_timed_out=True)


def test_what_is_completed_in_the_commit_in_which_its_time_is_over_came_in_time() -> None:
    room = Room()
    room.trigger()
    room.ask(c.CreateWaitpoint, waitpoint=TOKEN)
    wait(Colleague(room), TOKEN, until=NOW + 9)

    room.submit(c.CompleteWaitpoint, waitpoint=TOKEN)
    room.pass_time(9)

    assert room.events()[-2] == e.WaitCompleted(0, (TOKEN,))


def test_two_branches_may_wait_for_the_same_that_is_over_though_one_waits_for_more() -> None:
    room = Room()
    room.trigger()
    for token in ("waitpoint_1", "waitpoint_2"):
        room.ask(c.CreateWaitpoint, waitpoint=token)
    worker = Colleague(room)
    hand = worker.start()
    worker.turn(waits(hand, 0, "waitpoint_1", "waitpoint_2"))
    room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_1")

    worker.turn(waits(hand, 1, "waitpoint_1"))

    assert room.events()[-1] == e.WaitCompleted(1, ("waitpoint_1",))


def test_what_is_not_there_is_not_waited_for() -> None:
    room = Room()
    room.trigger()

    wait(Colleague(room), "waitpoint_9")

    assert room.events()[3:] == [e.WaitStarted(ENTRY, ("waitpoint_9",)), e.WaitCompleted(0, unknown=("waitpoint_9",))]
    assert room.run().status is Status.EXECUTING


def test_who_waits_for_what_is_not_there_is_told_so_at_once() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()

    answer = worker.turn(started(hand), waits(hand, 0, "waitpoint_9"))

    assert answer.woken == (Woken("run_1", hand.token, e.WaitCompleted(0, unknown=("waitpoint_9",))),)


def test_who_says_that_nothing_goes_on_and_has_not_heard_of_the_end_of_a_wait_is_told_it() -> None:
    room = Room()
    room.trigger()
    room.ask(c.CreateWaitpoint, waitpoint=TOKEN)
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), waits(hand, 0, TOKEN))
    room.ask(c.CompleteWaitpoint, waitpoint=TOKEN)

    answer = worker.turn(blocked(hand, 0))

    assert answer.woken == (Woken("run_1", hand.token, e.WaitCompleted(0, (TOKEN,))),)
    assert room.run().status is Status.EXECUTING


def test_a_frozen_run_goes_on_anywhere_in_the_same_attempt() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = wait(worker, until=NOW + 1_000)
    assert worker.turn(frozen(hand)).refused == ()
    assert room.run().status is Status.FROZEN

    room.pass_time(1_000)
    other = room.hire()
    (again,) = other.take()
    other.turn(started(again))

    assert (again.attempt, again.journal) == (1, 1)
    assert room.events()[5:] == [
        e.RunFrozen(),
        e.WaitCompleted(0),
        e.RunEnqueued("resumed"),
        e.RunDequeued(9, "worker_of_1", VERSION),
        e.AttemptResumed(1, 9, "worker_of_1", VERSION, NOW),
    ]


def test_a_run_that_is_frozen_when_its_wait_is_over_is_queued_at_once() -> None:
    room = Room(SERIAL)
    room.trigger(new("run_1"), new("run_2"))
    worker = Colleague(room)
    hand = wait(worker, until=NOW + 1_000)
    worker.start()
    room.pass_time(1_000)

    worker.turn(frozen(hand))

    assert room.events()[-2:] == [e.RunFrozen(), e.RunEnqueued("resumed")]


def test_a_wait_outlives_its_worker_and_the_engine() -> None:
    room = Room()
    room.trigger()
    wait(Colleague(room), until=NOW + 2 * LEASE_MS)

    pass_slowly(room, LEASE_MS)
    room.restart()
    frozen_then = room.run().status
    pass_slowly(room, LEASE_MS)

    assert frozen_then is Status.FROZEN
    assert room.events()[-2:] == [e.WaitCompleted(0), e.RunEnqueued("resumed")]


def test_a_worker_is_told_again_by_an_engine_that_does_not_know_what_it_was_told() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = wait(worker, until=NOW + 5)
    room.pass_time(5)
    assert room.run().status is Status.EXECUTING
    room.restart()

    answer = worker.turn(holds=(("run_1", hand.token),), waits=(("run_1", hand.token, (0,)),), want=1)

    assert answer.woken == (Woken("run_1", hand.token, e.WaitCompleted(0)),)


def test_a_lost_worker_s_run_goes_on_where_its_journal_ends() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), stepped(hand, 0))

    pass_slowly(room, LEASE_MS)
    (again,) = room.hire().take()

    assert (again.attempt, again.journal) == (1, 1)
    assert room.events()[4:5] == [e.RunEnqueued("lost")]
    assert room.run().failures == 0


def test_an_attempt_that_is_lost_again_and_again_without_getting_further_has_failed() -> None:
    room = Room()
    room.trigger()
    ends: list[e.Event] = []
    for index in range(5):
        worker = room.hire()
        hands = worker.take()
        if not hands:
            break
        reports = [started(hands[0])] + ([stepped(hands[0], 0)] if index == 0 else [])
        worker.turn(*reports)
        pass_slowly(room, LEASE_MS)
        ends.append(room.events()[-1])

    assert ends[:-1] == [e.RunEnqueued("lost")] * 4
    assert isinstance(ends[-1], e.RunCrashed)


def test_an_entry_is_recorded_once_and_none_is_left_out() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), stepped(hand, 0))
    length = len(room.log)

    again, ahead = worker.turn(stepped(hand, 0)), worker.turn(stepped(hand, 2))

    assert len(room.log) == length
    assert again.refused == ()
    assert ahead.refused == (
        RefusedReport("run_1", hand.token, "Entry 2 cannot follow: the journal of run run_1 has 1."),
    )


def test_a_retry_keeps_the_journal_and_waits_anew() -> None:
    room = Room()
    room.trigger(new(max_attempts=2))
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), stepped(hand, 0), waits(hand, 1, until=NOW + 10**9))
    assert room.run().waits == (Wait(1, until=NOW + 10**9),)

    worker.turn(said(hand, "failed"))

    assert (room.run().waits, room.run().journal) == ((), 2)
    room.pass_time(60_000)
    (again,) = room.hire().take()
    assert (again.attempt, again.journal) == (2, 2)


def test_a_canceled_run_waits_no_longer_and_its_worker_is_told() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = wait(worker, until=NOW + 5)
    waiting = worker.submit()
    room.commit()

    answers = dict(room.commit())
    ticket = room.submit(c.CancelRun, run="run_1")
    answers |= room.commit()
    room.pass_time(5)

    assert answers[ticket] is None
    assert answers.get(waiting, WAITS).cancels == (c.Cancel("run_1", hand.token, "CANCELED"),)
    assert room.events()[-1] == e.RunCanceled()


def test_the_time_that_a_run_waits_does_not_count_as_time_that_it_took() -> None:
    room = Room(TaskSettings("send-email", max_duration=10_000))
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand))
    room.pass_time(4_000)
    worker.turn(waits(hand, 0, until=NOW + 20_000), blocked(hand, 0))
    pass_slowly(room, 16_000)
    assert room.run().status is Status.EXECUTING

    room.pass_time(3_000)
    room.pass_time(2_999)
    still = room.run().status
    room.pass_time(1)

    assert (still, room.run().status) == (Status.EXECUTING, Status.TIMED_OUT)


@pytest.mark.parametrize("end", ["frozen", "succeeded"])
def test_a_turn_that_comes_again_with_its_end_is_answered_as_before(end: str) -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    reports = [started(hand), stepped(hand, 0), waits(hand, 1, until=NOW + 5), blocked(hand, 1), said(hand, end)]
    first = worker.turn(*reports)
    length = len(room.log)
    room.restart()

    again = worker.turn(*reports, sequence=worker.sequence)

    assert (first.refused, again.refused) == ((), ())
    assert len(room.log) == length


def test_a_late_entry_of_another_attempt_is_refused_and_recorded_once() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = wait(worker, until=NOW + 5)
    worker.turn(frozen(hand))

    refused = [worker.turn(stepped(hand, 1)).refused for _ in range(2)]

    late = RefusedReport("run_1", hand.token, "Attempt 2 of run run_1 is not open any more: it was frozen.")
    assert refused == [(late,)] * 2
    assert room.events()[-1] == e.LateResultRefused(2, "step_succeeded", WORKER)


def test_who_asks_why_a_run_waits_while_it_is_woken_is_told_that_it_goes_on() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = wait(worker, until=NOW + 5)
    worker.submit(waits(hand, 1, "waitpoint_9"))
    asked = room.submit(c.ExplainRun, run="run_1")

    told = room.commit()[asked]

    sentence = f"What its code waited for is over; it goes on in worker {WORKER} in a moment."
    assert told == Explanation("turn", sentence, {"worker": WORKER, "over": [1]})
    assert room.run().status is Status.EXECUTING


@pytest.mark.parametrize(("kind", "again"), [("released", "released"), ("released", "frozen"), ("crashed", "crashed")])
def test_a_waiting_run_that_is_given_up_is_frozen_and_to_say_so_again_is_no_news(kind: str, again: str) -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = wait(worker, until=NOW + 5)
    worker.turn(said(hand, kind))
    length = len(room.log)

    answer = worker.turn(started(hand), waits(hand, 0, until=NOW + 5), blocked(hand, 0), said(hand, again))

    assert (answer.refused, len(room.log), room.run().status) == ((), length, Status.FROZEN)


def test_a_run_that_only_says_that_it_is_frozen_goes_back_and_to_say_so_again_is_no_news() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    hand = worker.start()
    worker.turn(frozen(hand))
    length = len(room.log)

    answer = worker.turn(frozen(hand))

    assert (answer.refused, len(room.log), room.events()[-1]) == ((), length, e.RunEnqueued("released"))


def test_steps_that_are_told_again_with_the_end_are_no_news() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    reports = started(hand), stepped(hand, 0), succeeded(hand)
    worker.turn(*reports)
    room.restart()
    length = len(room.log)

    answer = worker.turn(*reports)

    assert (answer.refused, len(room.log)) == ((), length)


def test_a_wait_that_ends_between_the_hand_out_and_the_start_is_told_by_whichever_engine_there_is() -> None:
    room = Room()
    room.trigger()
    for token in ("waitpoint_1", "waitpoint_2"):
        room.ask(c.CreateWaitpoint, waitpoint=token)
    worker = Colleague(room)
    (hand,) = worker.take()
    worker.turn(started(hand), waits(hand, 0, "waitpoint_1"), waits(hand, 1, "waitpoint_2"), blocked(hand, 0, 1))
    worker.turn(frozen(hand))
    room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_1")
    (again,) = worker.take()
    room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_2")
    room.restart()
    worker.turn(started(again))
    room.restart()

    answer = worker.turn(blocked(again, 1), holds=(("run_1", again.token),))

    assert answer.woken == (Woken("run_1", again.token, e.WaitCompleted(1, ("waitpoint_2",))),)


def test_a_wait_that_would_never_end_is_refused() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()

    answer = worker.turn(started(hand), waits(hand, 0))

    refusal = RefusedReport("run_1", hand.token, "A wait has targets, or a time until which it lasts.")
    assert answer.refused == (refusal,)


@pytest.mark.parametrize("kind", ["released", "frozen", "crashed"])
def test_the_same_reports_again_write_nothing_though_they_closed_the_attempt(kind: str) -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    (hand,) = worker.take()
    reports = started(hand), stepped(hand, 0), waits(hand, 1, until=NOW + 9), blocked(hand, 1), said(hand, kind)
    worker.turn(*reports)
    length = len(room.log)

    again = worker.turn(*reports)

    assert room.run().status is Status.FROZEN
    assert (again.refused, len(room.log)) == ((), length)


def test_what_ends_while_a_run_is_handed_out_is_told_until_its_worker_has_heard_it() -> None:
    room = Room()
    room.trigger()
    for token in ("waitpoint_1", "waitpoint_2", "waitpoint_3"):
        room.ask(c.CreateWaitpoint, waitpoint=token)
    worker = Colleague(room)
    hand = worker.start()
    entries = [waits(hand, index, f"waitpoint_{index + 1}") for index in range(3)]
    worker.turn(*entries, blocked(hand, 0, 1, 2), frozen(hand))
    room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_1")
    other = room.hire()
    (again,) = other.take()
    room.ask(c.CompleteWaitpoint, waitpoint="waitpoint_2")
    # This overtakes the answer with the run on its way, and says nothing to who has not got the run.
    other.turn(patient=False)

    answer = other.turn(started(again), blocked(again, 1, 2))
    other.turn(frozen(again))

    assert answer.woken == (Woken("run_1", again.token, e.WaitCompleted(1, ("waitpoint_2",))),)
    assert room.events()[-2:] == [e.RunFrozen(), e.RunEnqueued("resumed")]


def test_what_came_in_time_ends_the_wait_though_the_engine_is_late() -> None:
    room = Room()
    room.trigger()
    room.ask(c.CreateWaitpoint, waitpoint=TOKEN, timeout_at=NOW + 5)
    wait(Colleague(room), TOKEN, until=NOW + 9)

    room.pass_time(1_000)

    assert room.events()[-2] == e.WaitCompleted(0, (TOKEN,))
