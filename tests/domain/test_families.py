"""Families: who is whose parent, how deep, and how far a cancel reaches."""

import pytest

from domain import commands as c
from domain import events as e
from domain.commands import Cancel
from domain.errors import InvalidInput
from domain.events import TaskSettings
from domain.lifecycle import PARENT_CANCELED
from domain.status import Status
from tests.domain.gatestories import status_of
from tests.domain.stories import Colleague, Room, new, said, succeeded


def family(room: Room, **parents: str | None) -> Room:
    """Runs, each with its parent."""
    for run, parent in parents.items():
        room.trigger(new(run, parent=parent))
    return room


def test_a_child_knows_its_parent_the_root_and_its_depth() -> None:
    room = family(Room(), run_1=None, run_2="run_1", run_3="run_2", run_4="run_3")

    runs = [room.run(run) for run in ("run_1", "run_2", "run_3", "run_4")]
    assert [(run.parent, run.root, run.depth) for run in runs] == [
        (None, None, 0),
        ("run_1", "run_1", 1),
        ("run_2", "run_1", 2),
        ("run_3", "run_1", 3),
    ]


def test_a_cancel_reaches_every_unfinished_descendant_and_nobody_else() -> None:
    room = family(
        Room(), run_0=None, run_1="run_0", run_2="run_1", run_3="run_1", run_4="run_2", run_5="run_0", run_6=None
    )
    room.news()

    room.ask(c.CancelRun, run="run_1", reason="No longer needed.")

    news = room.news()
    assert news[0] == ("run_1", e.RunCanceled("No longer needed."))
    assert sorted(news[1:]) == [(run, e.RunCanceled(PARENT_CANCELED)) for run in ("run_2", "run_3", "run_4")]
    assert [status_of(room, run) for run in ("run_0", "run_5", "run_6")] == [Status.QUEUED] * 3
    assert room.engine.memory.children == {"run_0": {"run_5": None}}


def test_descendants_that_are_executed_are_taken_from_their_workers() -> None:
    room = family(Room(), run_1=None, run_2="run_1")
    worker = Colleague(room)
    hands = {hand.run: hand for hand in worker.take(2)}
    worker.turn(*(said(hand, "started") for hand in hands.values()))

    room.ask(c.CancelRun, run="run_1")
    told = worker.turn(patient=False)

    assert sorted(told.cancels, key=lambda each: each.run) == [
        Cancel(run, hands[run].token, "CANCELED") for run in ("run_1", "run_2")
    ]


@pytest.mark.parametrize("status", ["held", "delayed", "retried"])
def test_descendants_are_canceled_wherever_they_wait(status: str) -> None:
    room = Room(TaskSettings("guarded", auth_resolver=True), TaskSettings("send-email"))
    room.trigger(new("run_1"))
    task = {"held": "guarded"}.get(status, "send-email")
    room.trigger(new("run_2", task, parent="run_1", delay_until=room.now.wall + 9_000 if status == "delayed" else None))
    if status == "retried":
        worker = Colleague(room)
        worker.take(2)

    room.ask(c.CancelRun, run="run_1")

    assert room.events("run_2")[-1] == e.RunCanceled(PARENT_CANCELED)


def test_a_finished_child_stays_as_it_ended() -> None:
    room = Room()
    room.trigger(new("run_1", delay_until=room.now.wall + 60_000))
    room.trigger(new("run_2", parent="run_1"))
    worker = Colleague(room)
    worker.turn(succeeded(worker.start()))
    room.news()

    room.ask(c.CancelRun, run="run_1")

    assert room.news() == [("run_1", e.RunCanceled())]
    assert status_of(room, "run_2") is Status.COMPLETED


def test_a_cancel_again_writes_nothing() -> None:
    room = family(Room(), run_1=None, run_2="run_1")
    room.ask(c.CancelRun, run="run_1")
    room.news()

    room.ask(c.CancelRun, run="run_1")

    assert room.news() == []


def test_a_cancel_whose_commit_failed_leaves_the_family_whole() -> None:
    room = family(Room(), run_1=None, run_2="run_1", run_3="run_2")
    room.submit(c.CancelRun, run="run_1")
    room.fail()

    assert room.engine.memory.children == {"run_1": {"run_2": None}, "run_2": {"run_3": None}}

    room.ask(c.CancelRun, run="run_1")
    assert [status_of(room, run) for run in ("run_1", "run_2", "run_3")] == [Status.CANCELED] * 3
    assert room.engine.memory.children == {}


def test_a_cancel_after_a_restart_reaches_the_family() -> None:
    room = family(Room(), run_1=None, run_2="run_1", run_3="run_2")
    room.restart()

    room.ask(c.CancelRun, run="run_1")

    assert status_of(room, "run_3") is Status.CANCELED


@pytest.mark.parametrize("delay_ms", [None, 60_000])
def test_a_child_of_a_canceled_parent_is_canceled_at_once(delay_ms: int | None) -> None:
    room = family(Room(), run_1=None)
    room.ask(c.CancelRun, run="run_1")

    accepted = room.trigger(
        new("run_2", parent="run_1", delay_until=None if delay_ms is None else room.now.wall + delay_ms)
    )

    assert [each.run for each in accepted] == ["run_2"]
    assert room.events("run_2")[-1] == e.RunCanceled(PARENT_CANCELED)
    assert room.engine.memory.children == {}


def test_a_child_that_arrives_with_the_cancel_of_its_parent_does_not_outlive_it() -> None:
    room = family(Room(), run_1=None)
    room.submit(c.TriggerRuns, runs=[new("run_2", parent="run_1")])
    room.submit(c.CancelRun, run="run_1")
    room.commit()

    assert status_of(room, "run_2") is Status.CANCELED


def test_a_child_of_a_parent_that_ended_otherwise_lives() -> None:
    room = family(Room(), run_1=None)
    worker = Colleague(room)
    worker.turn(succeeded(worker.start()))

    room.trigger(new("run_2", parent="run_1"))

    assert status_of(room, "run_2") is Status.QUEUED
    assert (room.run("run_2").root, room.run("run_2").depth) == ("run_1", 1)


def test_a_run_that_is_given_up_leaves_its_children_alone() -> None:
    room = family(Room(), run_1=None, run_2="run_1")

    room.ask(c.GiveUpRun, run="run_1", message="It cannot go on.")

    assert status_of(room, "run_2") is Status.QUEUED


@pytest.mark.parametrize("parent", ["run_0", "env_1", "key_1", "", "*"])
def test_what_is_no_run_can_be_no_parent_and_nothing_is_written(parent: str) -> None:
    room = Room()
    room.trigger(new("run_9", key="key_1", key_until=room.now.wall + 1_000))
    room.news()

    with pytest.raises(InvalidInput, match="could be the parent"):
        room.trigger(new("run_1"), new("run_2", parent=parent), batch="batch_1")

    assert room.news() == []


def test_a_run_of_another_environment_can_be_no_parent() -> None:
    room = family(Room(), run_1=None)
    room.ask(c.CreateEnvironment, environment="env_2", slug="stg", type="STAGING")

    with pytest.raises(InvalidInput, match="could be the parent"):
        room.trigger(new("run_2", parent="run_1"), environment="env_2")
