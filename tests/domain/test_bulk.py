"""Bulk actions in the core: a chunk and the cursor behind it are one commit, and no chunk is done twice."""

from typing import Any

import pytest

from domain import commands as c
from domain import events as e
from domain.bulk import Bulk, BulkStatus
from domain.errors import NotAllowed, NotFound
from domain.states import fold
from tests.domain.stories import Room, new


def room_with_bulk(action: str = "CANCEL") -> Room:
    room = Room()
    room.trigger(*(new(f"run_{number}") for number in range(4)))
    room.ask(c.StartBulk, bulk="bulk_1", action=action, runs=tuple(f"run_{number}" for number in range(4)))
    room.news()
    return room


def advance(room: Room, after: str | None, cursor: str | None, *, is_last: bool = False, **more: Any) -> Any:
    step: dict[str, Any] = {"bulk": "bulk_1", "after": after, "cursor": cursor, "is_last": is_last, "runs": []}
    return room.ask(c.AdvanceBulk, **(step | more))


def bulk_of(room: Room) -> Bulk:
    state = fold(room.history("bulk_1"))
    assert isinstance(state, Bulk)
    return state


def test_a_chunk_and_its_cursor_are_one_commit() -> None:
    room = room_with_bulk()

    assert advance(room, None, "2", cancels=("run_0", "run_1"))
    assert room.news() == [
        ("run_0", e.RunCanceled("Canceled by bulk_1.")),
        ("run_1", e.RunCanceled("Canceled by bulk_1.")),
        ("bulk_1", e.BulkAdvanced("2", 2, 0, ("run_0", "run_1"))),
    ]


def test_a_chunk_that_comes_again_is_not_done() -> None:
    room = room_with_bulk("REPLAY")
    step: dict[str, Any] = {"runs": [new("run_8", replay_of="run_0"), new("run_9", replay_of="run_1")]}
    advance(room, None, "2", **step)
    room.news()
    room.restart()

    assert not advance(room, None, "2", **step)
    assert room.news() == []
    assert (bulk_of(room).success, bulk_of(room).total) == (2, 4)


def test_what_is_not_there_or_ended_otherwise_is_a_failure() -> None:
    room = room_with_bulk()
    room.ask(c.GiveUpRun, run="run_0", message="Someone gave it up.")
    room.ask(c.CancelRun, run="run_1")

    advance(room, None, "4", cancels=("run_0", "run_1", "run_none"), success=1, failure=2, is_last=True)

    assert (bulk_of(room).success, bulk_of(room).failure) == (2, 4)
    assert bulk_of(room).status is BulkStatus.COMPLETED


def test_a_replay_of_a_run_that_is_gone_is_a_failure_and_spoils_no_other() -> None:
    room = room_with_bulk("REPLAY")

    advance(room, None, "2", runs=[new("run_8", replay_of="run_none"), new("run_9", replay_of="run_1")])

    assert (bulk_of(room).success, bulk_of(room).failure) == (1, 1)
    assert [type(event) for event in room.events("run_1")][-1] is e.RunReplayed
    assert room.events("run_8") == []


def test_an_action_is_kept_until_it_ends() -> None:
    room = room_with_bulk()
    assert list(room.engine.memory.bulks) == ["bulk_1"]
    room.restart()
    assert list(room.engine.memory.bulks) == ["bulk_1"]

    advance(room, None, None, is_last=True)

    assert list(room.engine.memory.bulks) == []
    assert "bulk_1" not in room.engine.memory.states


def test_an_aborted_action_does_nothing_more() -> None:
    room = room_with_bulk()
    for _ in range(2):
        room.ask(c.AbortBulk, bulk="bulk_1")
    assert room.news() == [("bulk_1", e.BulkAborted())]

    assert not advance(room, None, "2", cancels=("run_0", "run_1"))
    assert room.news() == []


def test_an_action_that_an_error_stops_says_why() -> None:
    room = room_with_bulk()
    room.ask(c.AbortBulk, bulk="bulk_1", error="It could not go on.")
    room.ask(c.AbortBulk, bulk="bulk_1")

    assert room.news() == [("bulk_1", e.BulkAborted("It could not go on."))]
    assert (bulk_of(room).status, bulk_of(room).error) == (BulkStatus.ABORTED, "It could not go on.")


def test_a_completed_action_cannot_be_aborted() -> None:
    room = room_with_bulk()
    advance(room, None, "4", is_last=True)

    with pytest.raises(NotAllowed, match="Cannot abort bulk action bulk_1: it is COMPLETED"):
        room.ask(c.AbortBulk, bulk="bulk_1")
    with pytest.raises(NotFound, match="Bulk action bulk_2 not found"):
        room.ask(c.AbortBulk, bulk="bulk_2")


def test_a_commit_that_fails_leaves_the_action_as_it_was() -> None:
    room = room_with_bulk()
    room.submit(c.AdvanceBulk, bulk="bulk_1", after=None, cursor="4", is_last=True, runs=[], cancels=("run_0", "run_1"))
    room.fail()

    assert list(room.engine.memory.bulks) == ["bulk_1"]
    assert advance(room, None, "4", cancels=("run_0", "run_1"), is_last=True)
    assert bulk_of(room).success == 2


def test_the_same_request_begins_one_action() -> None:
    room = Room()
    asked: dict[str, Any] = {"action": "CANCEL", "runs": ("run_1",), "request": "key_1"}

    assert room.ask(c.StartBulk, bulk="bulk_1", **asked) == "bulk_1"
    assert room.ask(c.StartBulk, bulk="bulk_2", **asked) == "bulk_1"
    assert room.history("bulk_2") == []
