"""Queues: slots are the open attempts, first come first served, and priority moves a run ahead in time."""

import pytest

from domain import commands as c
from domain import events as e
from domain.events import Queue, TaskSettings
from domain.ready import Slots
from domain.retry import Retry
from tests.domain.stories import ENVIRONMENT, LEASE_MS, VERSION, Colleague, Room, live_on, new, said, started, succeeded

ONE_AT_A_TIME = TaskSettings("send-email", queue=Queue("emails", 1))
EMAILS = Slots(ENVIRONMENT, "emails", None)


def handed(room: Room, want: int = 99, version: str = VERSION) -> list[str]:
    """What a worker of a version gets that has just come."""
    return [hand.run for hand in room.hire().turn(version=version, want=want, patient=False).runs]


def test_the_first_to_come_is_the_first_to_be_handed_out() -> None:
    room = Room()
    for run in ("run_3", "run_1", "run_2"):
        room.trigger(new(run))
        room.pass_time(1)

    assert handed(room) == ["run_3", "run_1", "run_2"]


def test_those_that_come_together_go_in_the_order_of_their_ids() -> None:
    room = Room()
    room.trigger(new("run_2"), new("run_3"), new("run_1"))

    assert handed(room) == ["run_1", "run_2", "run_3"]


def test_a_priority_is_a_head_start_in_seconds() -> None:
    room = Room()
    room.trigger(new("run_1"))
    room.pass_time(1_999)
    room.trigger(new("run_2", priority=2))
    room.trigger(new("run_3", priority=1))

    assert handed(room) == ["run_2", "run_1", "run_3"]


def test_order_holds_across_the_tasks_of_a_queue_and_queues_take_turns() -> None:
    room = Room(TaskSettings("a"), TaskSettings("b", queue=Queue("shared")), TaskSettings("c", queue=Queue("shared")))
    for run, task in (("run_1", "c"), ("run_2", "b"), ("run_3", "c"), ("run_4", "a")):
        room.trigger(new(run, task))
        room.pass_time(1)

    assert handed(room) == ["run_1", "run_4", "run_2", "run_3"]


def test_a_worker_gets_no_more_than_it_wants_and_the_rest_stays_in_order() -> None:
    room = Room()
    room.trigger(*(new(f"run_{n}") for n in range(5)))

    assert handed(room, want=2) == ["run_0", "run_1"]
    assert room.engine.memory.ready.depth(ENVIRONMENT, "task/send-email") == 3
    assert [hand.run for hand in Colleague(room).take(9)] == ["run_2", "run_3", "run_4"]


def test_a_run_that_is_handed_back_keeps_its_place() -> None:
    room = Room()
    room.trigger(new("run_1"))
    room.pass_time(1)
    room.trigger(new("run_2"))
    worker = Colleague(room)
    (hand,) = worker.take()

    worker.turn(said(hand, "released"))

    assert handed(room) == ["run_1", "run_2"]


def test_a_run_that_is_tried_again_goes_behind_those_that_came_before_its_time() -> None:
    room = Room(TaskSettings("send-email", retry=Retry(2, 1_000, 1_000, randomize=False)))
    worker = Colleague(room)
    room.trigger(new("run_1"))
    hand = worker.start()
    worker.turn(said(hand, "failed"))
    room.trigger(new("run_2"))
    room.pass_time(1_000)

    assert handed(room) == ["run_2", "run_1"]


def test_no_more_attempts_are_open_than_the_limit_of_the_queue() -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(new("run_1"), new("run_2"))

    assert handed(room) == ["run_1"]
    assert room.engine.memory.ready.taken(EMAILS) == 1
    assert handed(room) == []


def test_the_limit_counts_across_tasks_and_workers() -> None:
    room = Room(TaskSettings("a", queue=Queue("emails", 2)), TaskSettings("b", queue=Queue("emails")))
    room.trigger(new("run_1", "a"), new("run_2", "b"), new("run_3", "a"))

    assert [hand.run for hand in Colleague(room).take()] == ["run_1"]
    assert handed(room) == ["run_2"]


@pytest.mark.parametrize("kind", ["succeeded", "failed", "crashed", "released"])
def test_a_slot_is_free_when_its_attempt_is_reported_to_be_over(kind: str) -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(new("run_1"), new("run_2"))
    worker = Colleague(room)

    worker.turn(said(worker.start(), kind))

    assert room.engine.memory.ready.taken(EMAILS) == 0
    assert len(handed(room)) == 1


@pytest.mark.parametrize(("kind", "more"), [(c.CancelRun, {}), (c.GiveUpRun, {"message": "It cannot go on."})])
def test_a_slot_is_free_when_its_run_is_ended_from_outside(kind: type[c.Command], more: dict[str, str]) -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(new("run_1"), new("run_2"))
    Colleague(room).start()

    room.ask(kind, run="run_1", **more)

    assert handed(room) == ["run_2"]


def test_a_slot_is_given_on_in_the_commit_that_frees_it() -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(new("run_1"), new("run_2"))
    worker = Colleague(room)
    hand = worker.start()

    answer = worker.turn(succeeded(hand), want=1)

    assert [hand.run for hand in answer.runs] == ["run_2"]


def test_each_concurrency_key_has_the_whole_limit() -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(
        new("run_1", concurrency_key="ada"),
        new("run_2", concurrency_key="ada"),
        new("run_3", concurrency_key="bob"),
        new("run_4"),
        new("run_5"),
    )

    assert handed(room) == ["run_1", "run_3", "run_4"]
    assert room.engine.memory.ready.taken(EMAILS._replace(concurrency_key="ada")) == 1


def test_a_full_queue_does_not_hold_up_another_one() -> None:
    room = Room(ONE_AT_A_TIME, TaskSettings("other"))
    room.trigger(new("run_1"), new("run_2"), new("run_3", "other"))

    assert handed(room) == ["run_1", "run_3"]


@pytest.mark.parametrize(("limit", "more"), [(3, ["run_2", "run_3"]), (None, ["run_2", "run_3", "run_4"]), (1, [])])
def test_a_new_version_brings_a_new_limit(limit: int | None, more: list[str]) -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(*(new(f"run_{n}") for n in range(1, 5)))
    handed(room)

    tasks = (TaskSettings("send-email", queue=Queue("emails", limit)), TaskSettings("added"))
    room.ask(c.RegisterVersion, digest="two", tasks=tasks, day="20270115")

    assert handed(room, version="20270115.2") == more


def test_slots_are_what_the_ledger_says_after_a_restart() -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(new("run_1"), new("run_2"))
    Colleague(room).start()

    room.restart()

    assert room.engine.memory.ready.taken(EMAILS) == 1
    assert handed(room) == []


def test_runs_that_left_the_queue_are_not_counted_and_not_handed_out() -> None:
    room = Room()
    room.trigger(*(new(f"run_{n}") for n in range(3)))

    room.ask(c.CancelRun, run="run_1")

    assert room.engine.memory.ready.depth(ENVIRONMENT, "task/send-email") == 2
    assert handed(room) == ["run_0", "run_2"]


def test_a_run_that_never_starts_is_given_up_and_the_next_one_is_handed_out() -> None:
    room = Room()
    room.trigger(new("run_1"))
    for _ in range(12):
        assert len(Colleague(room).take()) == 1
        live_on(room, LEASE_MS)
    room.trigger(new("run_2"))

    assert [hand.run for hand in Colleague(room).take()] == ["run_2"]
    assert isinstance(room.events("run_1")[-1], e.RunSystemFailed)


def test_a_started_attempt_holds_its_slot() -> None:
    room = Room(ONE_AT_A_TIME)
    room.trigger(new("run_1"), new("run_2"))
    worker = Colleague(room)
    (hand,) = worker.take()

    answer = worker.turn(started(hand), want=5)

    assert answer.runs == ()
