"""Auth resolvers: who is asked, who is asked again, and which answer counts."""

import pytest

from domain import commands as c
from domain import events as e
from domain.attempts import RESOLVER_TOKEN
from domain.commands import Cancel
from domain.events import RunError, TaskSettings
from domain.resolvers import NOBODY
from domain.status import Status
from tests.domain.gatestories import GUARDED, authorized, deploy, let_lease_pass, status_of, worker_of
from tests.domain.stories import NOW, VERSION, Room, new, said

ERROR = RunError("No such user.", "LookupError")


def room_with(*runs: str, tasks: tuple[TaskSettings, ...] = (GUARDED,)) -> Room:
    """A room in which runs wait for their resolver."""
    room = Room(*tasks)
    for run in runs or ("run_1",):
        room.trigger(new(run, "guarded"))
    return room


def test_a_worker_is_asked_with_a_hand_out_that_is_no_attempt() -> None:
    room = room_with()

    (hand,) = room.hire().take()

    assert (hand.run, hand.token, hand.task, hand.is_for_auth) == ("run_1", RESOLVER_TOKEN, "guarded", True)
    assert status_of(room) is Status.PENDING
    assert [type(event) for event in room.events()] == [e.RunTriggered, e.RunHeldForAuth]


def test_what_the_resolver_found_lets_the_run_go_on_and_goes_to_whoever_executes_it() -> None:
    room = room_with()
    worker = room.hire()
    (hand,) = worker.take()

    worker.turn(authorized(hand))
    (attempt,) = worker.take()

    assert room.events()[2:4] == [e.AuthResolved("sealed"), e.RunEnqueued("auth")]
    assert (attempt.run, attempt.auth, attempt.is_for_auth, attempt.attempt) == ("run_1", "sealed", False, 1)


@pytest.mark.parametrize("error", [ERROR, None])
def test_a_run_for_which_nobody_was_found_ends(error: RunError | None) -> None:
    room = room_with()
    worker = room.hire()
    (hand,) = worker.take()

    worker.turn(said(hand, "unauthorized", error=error))

    assert room.events()[2:] == [e.AuthUnresolved(error or NOBODY)]
    assert status_of(room) is Status.UNRESOLVED_AUTH


def test_an_answer_without_anything_in_it_is_none() -> None:
    room = room_with()
    worker = room.hire()
    (hand,) = worker.take()

    worker.turn(said(hand, "authorized"))

    assert status_of(room) is Status.UNRESOLVED_AUTH


def test_a_run_that_one_worker_was_asked_about_is_not_asked_of_another() -> None:
    room = room_with("run_1", "run_2")
    one, other = room.hire(), room.hire()

    assert [hand.run for hand in one.take()] == ["run_1"]
    assert [hand.run for hand in other.take(5)] == ["run_2"]
    assert room.hire().take(5) == ()


def test_a_worker_is_asked_no_more_than_it_wants() -> None:
    room = room_with("run_1", "run_2", "run_3")
    worker = room.hire()

    assert [hand.run for hand in worker.take(2)] == ["run_1", "run_2"]
    assert worker.turn(want=0, patient=False).runs == ()


def test_the_same_turn_again_is_answered_with_the_same_question() -> None:
    room = room_with()
    worker = room.hire()
    first = worker.take()

    assert worker.turn(sequence=1, received=0, want=1, patient=False).runs == first


def test_when_the_worker_is_lost_another_one_is_asked() -> None:
    room = room_with()
    room.hire().take()
    other = room.hire()
    assert other.take() == ()

    let_lease_pass(room)

    assert [hand.run for hand in other.take()] == ["run_1"]


def test_a_worker_that_does_not_hold_what_it_was_asked_is_asked_again() -> None:
    room = room_with()
    worker = room.hire()
    (hand,) = worker.take()

    assert worker.turn(holds=((hand.run, hand.token),), want=5, patient=False).runs == ()
    assert worker.turn(holds=(), want=5, patient=False).runs == (hand,)


def test_a_worker_that_ends_gives_the_question_back() -> None:
    room = room_with("run_1")
    first, second = room.hire(), room.hire()
    (hand,) = first.take()

    first.turn(said(hand, "released", token=hand.token))

    assert [each.run for each in second.take()] == ["run_1"]
    assert [type(event) for event in room.events()] == [e.RunTriggered, e.RunHeldForAuth]


def test_a_worker_that_may_not_have_heard_the_question_yet_is_not_asked_twice() -> None:
    room = room_with()
    worker = room.hire()
    worker.take()

    assert worker.turn(received=0, holds=(), want=5, patient=False).runs == ()


def test_the_first_answer_counts_whoever_gives_it() -> None:
    room = room_with()
    lost, other = room.hire(), room.hire()
    (hand,) = lost.take()
    let_lease_pass(room)
    assert other.take() == (hand,)

    lost.turn(authorized(hand))
    late = other.turn(said(hand, "unauthorized", error=ERROR), patient=False)

    assert status_of(room) is Status.QUEUED
    assert [refused.error for refused in late.refused] == ["Run run_1 does not wait for its auth resolver any more."]


def test_a_worker_that_still_resolves_what_is_answered_is_told_to_stop() -> None:
    room = room_with()
    lost, other = room.hire(), room.hire()
    (hand,) = lost.take()
    let_lease_pass(room)
    other.take()
    lost.turn(authorized(hand), holds=())

    told = other.turn(holds=((hand.run, hand.token),), want=0, patient=False)

    assert told.cancels == (Cancel("run_1", RESOLVER_TOKEN, "GONE"),)


@pytest.mark.parametrize(
    ("command", "more", "reason"),
    [(c.CancelRun, {}, "CANCELED"), (c.GiveUpRun, {"message": "It cannot go on."}, "GONE")],
)
def test_a_run_that_is_ended_while_it_is_resolved_is_taken_from_the_worker(
    command: type[c.Command], more: dict[str, str], reason: str
) -> None:
    room = room_with()
    worker = room.hire()
    (hand,) = worker.take()

    room.ask(command, run="run_1", **more)
    told = worker.turn(holds=((hand.run, hand.token),), patient=False)
    late = worker.turn(authorized(hand), holds=(), patient=False)

    assert told.cancels == (Cancel("run_1", RESOLVER_TOKEN, reason),)
    assert [refused.run for refused in late.refused] == ["run_1"]
    assert status_of(room).value in {"CANCELED", "SYSTEM_FAILURE"}


def test_an_answer_whose_commit_failed_can_be_given_again() -> None:
    room = room_with()
    worker = room.hire()
    (hand,) = worker.take()
    worker.submit(authorized(hand))
    room.fail()
    assert room.run().status is Status.PENDING

    worker.turn(authorized(hand), holds=())

    assert status_of(room) is Status.QUEUED


def test_after_a_restart_the_run_is_asked_again_and_the_old_answer_still_counts() -> None:
    room = room_with()
    old, other = room.hire(), room.hire()
    (hand,) = old.take()
    room.restart()

    assert other.take() == (hand,)
    old.turn(authorized(hand))

    assert status_of(room) is Status.QUEUED


def test_only_workers_of_the_version_that_will_execute_the_run_are_asked() -> None:
    room = room_with("run_1", tasks=(GUARDED, TaskSettings("other")))
    room.trigger(new("run_2", "guarded", lock=VERSION))
    second = deploy(room, GUARDED, TaskSettings("another"))
    old, current = room.hire(), worker_of(room, second, "worker_new")

    assert [hand.run for hand in old.take(5)] == ["run_2"]
    assert [hand.run for hand in current.take(5)] == ["run_1"]


def test_a_worker_whose_version_has_no_resolver_is_not_asked() -> None:
    room = room_with()
    deploy(room, TaskSettings("guarded"))

    (hand,) = worker_of(room, "20270115.2", "worker_new").take()

    assert (hand.run, hand.is_for_auth) == ("run_1", False)


def test_an_answer_about_a_run_of_another_environment_is_refused() -> None:
    room = room_with()
    room.ask(c.CreateEnvironment, environment="env_2", slug="stg", type="STAGING")
    room.ask(c.RegisterVersion, environment="env_2", digest="one", tasks=(GUARDED,), day="20270115")

    told = room.hire().turn(said("run_1", "authorized", 0, sealed="theirs"), environment="env_2", patient=False)

    assert [refused.error for refused in told.refused] == ["Run run_1 not found."]
    assert status_of(room) is Status.PENDING


def test_the_delay_of_a_run_begins_behind_its_resolver() -> None:
    room = Room(GUARDED)
    room.trigger(new("run_1", "guarded", delay_until=NOW + 60_000))
    worker = room.hire()
    (hand,) = worker.take()

    worker.turn(authorized(hand))

    assert room.events()[2:] == [e.AuthResolved("sealed"), e.RunDelayed(NOW + 60_000)]
