"""Batches in the core: each index at most one run, ended in the commit of the last run, kept until then."""

from typing import Any

import pytest

from domain import commands as c
from domain import events as e
from domain.batch import Batch, BatchStatus
from domain.commands import CreatedBatch, TakenItems
from domain.errors import InvalidInput, NotFound
from domain.events import ItemError
from domain.states import fold
from tests.domain.stories import NOW, Colleague, Room, new, started, succeeded

HOUR_MS = 3_600_000
BAD = ItemError(1, "send-email", "It is not an item.", "INVALID_ITEM")


def room_with_batch(count: int = 2, **more: Any) -> Room:
    room = Room()
    room.ask(c.CreateBatch, batch="batch_1", run_count=count, expires_at=NOW + HOUR_MS, **more)
    room.news()
    return room


def add(room: Room, *runs: str, indexes: tuple[int, ...] | None = None, **more: Any) -> Any:
    """Items 0, 1, … for these runs, or those of other indexes."""
    items = [new(run, batch="batch_1") for run in runs]
    return room.ask(c.AddItems, batch="batch_1", runs=items, indexes=indexes or tuple(range(len(runs))), **more)


def batch_of(room: Room) -> Batch:
    state = fold(room.history("batch_1"))
    assert isinstance(state, Batch)
    return state


def perform(room: Room, worker: Colleague) -> None:
    (hand,) = worker.take()
    worker.turn(started(hand), succeeded(hand))


def test_items_their_runs_and_the_seal_are_one_commit() -> None:
    room = room_with_batch()

    assert add(room, "run_1", "run_2") == TakenItems(2, 2, 2, sealed=True)
    assert [stream for stream, _ in room.news()] == ["run_1", "run_2", "batch_1", "batch_1"]
    assert [each.event for each in room.history("batch_1")[1:]] == [
        e.BatchItemsAccepted({0: "run_1", 1: "run_2"}),
        e.BatchSealed(),
    ]


def test_an_index_that_is_known_is_passed_over() -> None:
    room = room_with_batch(3)
    add(room, "run_1", errors=(BAD,))
    room.news()

    assert add(room, "run_2", "run_3", indexes=(0, 1)) == TakenItems(0, 2, 3, sealed=False)
    assert room.news() == []
    assert add(room, "run_4", "run_5", indexes=(2, 2)) == TakenItems(1, 3, 3, sealed=True)
    assert batch_of(room).runs == {0: "run_1", 2: "run_4"}


def test_a_batch_that_is_sealed_takes_what_it_has_again_and_nothing_else() -> None:
    room = room_with_batch(1)
    add(room, "run_1")
    room.news()

    assert add(room, "run_2", indexes=(7,)) == TakenItems(0, 1, 1, sealed=True)
    assert room.news() == []


def test_an_index_that_the_batch_does_not_have_is_refused_with_all_beside_it() -> None:
    room = room_with_batch(2)

    with pytest.raises(InvalidInput, match="have the indexes 0 to 1"):
        add(room, "run_1", "run_2", indexes=(0, 2))
    assert room.news() == []


def test_a_batch_that_nobody_created_takes_no_items() -> None:
    with pytest.raises(NotFound, match="Batch batch_1 not found"):
        add(Room(), "run_1")


def test_it_ends_with_its_last_run_and_is_forgotten_then() -> None:
    room = room_with_batch()
    worker = room.hire()
    add(room, "run_1", "run_2")
    perform(room, worker)
    assert batch_of(room).status is BatchStatus.PROCESSING
    assert "batch_1" in room.engine.memory.states
    room.news()

    perform(room, worker)

    assert room.news()[-1] == ("batch_1", e.BatchCompleted())
    assert batch_of(room).status is BatchStatus.COMPLETED
    assert "batch_1" not in room.engine.memory.states
    assert room.engine.memory.members.unfinished == {}


def test_items_after_the_end_are_answered_from_the_ledger() -> None:
    room = room_with_batch(1)
    add(room, "run_1")
    room.ask(c.CancelRun, run="run_1")

    assert add(room, "run_2") == TakenItems(0, 1, 1, sealed=True)


def test_a_batch_that_never_gets_its_items_expires_at_its_time() -> None:
    room = room_with_batch()
    room.pass_time(HOUR_MS - 1)
    assert room.news() == []

    room.pass_time(1)

    assert room.news() == [("batch_1", e.BatchExpired()), ("batch_1", e.BatchAborted())]
    with pytest.raises(InvalidInput, match="has expired: 0 of its 2 items came in time"):
        add(room, "run_1")


def test_the_time_to_expire_survives_a_restart() -> None:
    room = room_with_batch()
    add(room, "run_1")
    room.restart()

    room.pass_time(HOUR_MS)

    assert room.history("batch_1")[-1].event == e.BatchExpired()
    assert batch_of(room).status is BatchStatus.PARTIAL_FAILED


def test_a_sealed_batch_does_not_expire() -> None:
    room = room_with_batch(1)
    add(room, "run_1")

    room.pass_time(2 * HOUR_MS)

    assert batch_of(room).status is BatchStatus.PROCESSING


def test_a_batch_ends_after_a_restart_as_well() -> None:
    room = room_with_batch()
    add(room, "run_1", "run_2")
    room.ask(c.CancelRun, run="run_1")
    room.restart()

    room.ask(c.CancelRun, run="run_2")

    assert room.history("batch_1")[-1].event == e.BatchCompleted()


def test_a_commit_that_fails_leaves_the_batch_as_it_was() -> None:
    room = room_with_batch()
    add(room, "run_1", "run_2")
    room.ask(c.CancelRun, run="run_1")
    room.submit(c.CancelRun, run="run_2")
    room.fail()

    assert batch_of(room).status is BatchStatus.PROCESSING
    assert room.engine.memory.members.unfinished == {"batch_1": {"run_2": None}}
    room.ask(c.CancelRun, run="run_2")
    assert room.history("batch_1")[-1].event == e.BatchCompleted()


def test_an_expiry_that_fails_comes_again() -> None:
    room = room_with_batch()
    room.now = room.now._replace(wall=NOW + HOUR_MS)
    room.fail()

    room.commit()

    assert room.news() == [("batch_1", e.BatchExpired()), ("batch_1", e.BatchAborted())]


def test_a_batch_whose_runs_were_all_there_before_waits_for_them() -> None:
    room = Room()
    key: dict[str, Any] = {"key": "key_1", "key_until": NOW + HOUR_MS}
    room.trigger(new("run_1", **key))
    room.trigger(new("run_2", **key), batch="batch_1")
    assert batch_of(room).status is BatchStatus.PROCESSING

    room.ask(c.CancelRun, run="run_1")

    assert batch_of(room).status is BatchStatus.COMPLETED
    room.trigger(new("run_3", **key), batch="batch_2")
    assert [each.event for each in room.history("batch_2")] == [
        e.BatchTriggered(("run_1",), cached=(0,)),
        e.BatchCompleted(),
    ]


def test_the_key_and_the_request_of_a_batch_find_it_again() -> None:
    keys = {"key": "key_1", "key_until": NOW + HOUR_MS, "request": "key_2"}
    room = room_with_batch(2, **keys)

    def again(**more: Any) -> Any:
        return room.ask(c.CreateBatch, batch="batch_2", run_count=2, expires_at=NOW + HOUR_MS, **more)

    assert again(**keys) == CreatedBatch("batch_1", 2)
    assert again(key="key_1") == CreatedBatch("batch_1", 2, cached=True)
    assert room.news() == []
