"""Who may execute a run: workers of its version, its task, its machine; and what happens when nobody ever will."""

import pytest

from domain import commands as c
from domain import events as e
from domain.events import OUT_OF_MEMORY, RunError, TaskSettings
from domain.retry import OutOfMemory, Retry
from domain.status import Status
from tests.domain.stories import Room, new, said, started

GROWING = TaskSettings(
    "send-email",
    machine="small-1x",
    retry=Retry(3, 1_000, 1_000, randomize=False, out_of_memory=OutOfMemory("large-1x")),
)
FAILING = TaskSettings("send-email", retry=Retry(3, 1_000, 1_000, randomize=False))
SECOND = "20270115.2"


def deploy(room: Room, *tasks: TaskSettings, digest: str = "two") -> None:
    room.ask(c.RegisterVersion, digest=digest, tasks=tasks, day="20270115")


def test_a_run_goes_on_with_its_version_as_long_as_a_worker_of_that_is_there() -> None:
    room = Room(FAILING)
    room.trigger(new())
    old, fresh = room.hire(), room.hire()
    old.turn(said(old.start(), "failed"), want=1)
    deploy(room, FAILING, TaskSettings("more"))
    room.pass_time(1_000)

    taken = fresh.turn(version=SECOND, want=1, patient=False).runs

    assert taken == ()
    assert [hand.attempt for hand in old.take()] == [2]


@pytest.mark.parametrize("is_gone", [False, True], ids=["it takes no more", "it is not heard of"])
def test_without_such_a_worker_it_goes_on_with_the_newest_version(*, is_gone: bool) -> None:
    room = Room(FAILING)
    room.trigger(new())
    old, fresh = room.hire(), room.hire()
    old.turn(said(old.start(), "failed"), want=int(is_gone))
    deploy(room, FAILING, TaskSettings("more"))
    for _ in range(8):
        # In steps that the engine does not take for a pause in which it was deaf.
        fresh.turn(version=SECOND, want=0, patient=False)
        if not is_gone:
            old.turn(want=0, patient=False)
        room.pass_time(5_000)

    (hand,) = fresh.turn(version=SECOND, want=1, patient=False).runs

    assert (hand.run, hand.attempt) == ("run_1", 2)


def test_a_worker_of_its_version_that_does_not_take_its_machine_keeps_it_from_nobody() -> None:
    room = Room(GROWING)
    room.trigger(new())
    small, large = room.hire(), room.hire()
    (hand,) = small.turn(want=1, patient=False, machines=("small-1x",)).runs
    small.turn(started(hand), machines=("small-1x",))
    deploy(room, GROWING, TaskSettings("more"))
    out_of_memory = said(hand, "crashed", error=RunError("It grew.", code=OUT_OF_MEMORY))
    small.turn(out_of_memory, want=1, machines=("small-1x",))
    room.pass_time(1_000)

    (again,) = large.turn(version=SECOND, want=1, patient=False, machines=("large-1x",)).runs

    assert (again.machine, again.attempt) == ("large-1x", 2)


@pytest.mark.parametrize("promote", [True, False])
def test_a_run_ends_when_the_version_that_it_is_locked_to_comes_without_its_task(*, promote: bool) -> None:
    room = Room()
    room.trigger(new(lock=SECOND))

    room.ask(c.RegisterVersion, digest="two", tasks=(TaskSettings("more"),), day="20270115", promote=promote)

    error = RunError(f"Version {SECOND} came without the task send-email.", "NoSuchTask")
    assert room.events()[1:] == [e.RunHeldForVersion(SECOND), e.RunSystemFailed(error)]


def test_a_delay_that_is_over_does_not_come_back() -> None:
    room = Room(TaskSettings("send-email", connections=("mail",)))
    room.trigger(new(delay_until=room.now.wall + 60_000))
    save = {"name": "mail", "sealed": "1.aa.x", "key_name": "aa"}
    room.ask(c.SaveConnection, **save)
    room.ask(c.RescheduleRun, run="run_1", until=room.now.wall + 1_000)
    room.pass_time(1_000)
    room.ask(c.RemoveConnection, name="mail")
    worker = room.hire()
    assert worker.take() == ()
    assert room.run().status is Status.WAITING_ON_CONNECTIONS

    room.ask(c.SaveConnection, **save)

    assert [hand.run for hand in worker.take()] == ["run_1"]


def test_a_run_that_could_not_be_handed_out_goes_back_once() -> None:
    room = Room()
    room.trigger(new())
    (hand,) = room.hire().take()

    room.ask(c.ReturnRun, run="run_1", token=hand.token)
    room.ask(c.ReturnRun, run="run_1", token=hand.token)

    assert [type(event) for event in room.events()][1:] == [e.RunDequeued, e.RunEnqueued]
    assert room.run().last_version is None
