"""A version never changes: a run that is locked to one without its task can never be, and is refused."""

from typing import Any

import pytest
from msgspec import Raw

from domain import commands as c
from domain import events as e
from domain.batch import Batch
from domain.commands import Accepted, TakenItems
from domain.errors import InvalidInput
from domain.events import ItemError, TaskSettings
from domain.states import fold
from tests.domain.gatestories import deploy
from tests.domain.stories import NOW, VERSION, Room, new

LATE = TaskSettings("late")
REFUSAL = f"Version {VERSION} has no task late."


@pytest.mark.parametrize("more", [{}, {"batch": "batch_1"}])
def test_a_trigger_of_a_version_without_the_task_is_refused_with_all_beside_it(more: dict[str, Any]) -> None:
    room = Room()
    deploy(room, LATE)
    room.news()
    beside = [new("run_2")] if more else []

    with pytest.raises(InvalidInput, match=REFUSAL):
        room.trigger(*beside, new("run_1", "late", lock=VERSION), **more)

    assert room.news() == []


def test_an_item_of_a_version_without_the_task_spoils_no_other() -> None:
    room = Room()
    room.ask(c.CreateBatch, batch="batch_1", run_count=2, expires_at=NOW + 1_000)
    room.news()
    items = [new("run_1", "late", lock=VERSION, batch="batch_1"), new("run_2", batch="batch_1")]

    taken = room.ask(c.AddItems, batch="batch_1", runs=items, indexes=(0, 1))

    batch = fold(room.history("batch_1"))
    assert taken == TakenItems(2, 2, 2, sealed=True)
    assert isinstance(batch, Batch)
    assert batch.runs == {1: "run_2"}
    assert batch.errors == (ItemError(0, "late", REFUSAL, "INVALID_ITEM"),)
    assert room.history("run_1") == []


@pytest.mark.parametrize(("task", "lock"), [("send-email", VERSION), ("late", "20270115.2"), ("late", None)])
def test_a_lock_to_a_version_that_has_the_task_or_may_have_it_once_is_accepted(task: str, lock: str | None) -> None:
    room = Room()

    assert room.trigger(new("run_1", task, lock=lock)) == [Accepted("run_1")]


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (c.AddTags, {"tags": ("a",)}),
        (c.UpdateMetadata, {"replaces": Raw(b'{"n":1}')}),
    ],
)
def test_a_held_run_keeps_its_place_when_something_is_noted_on_it(
    command: type[c.Command], more: dict[str, Any]
) -> None:
    room = Room()
    room.trigger(*(new(run, "late") for run in ("run_1", "run_2", "run_3")), batch="batch_1")

    room.ask(command, run="run_1", **more)
    room.news()
    deploy(room, LATE)

    released = [run for run, event in room.news() if isinstance(event, e.RunEnqueued)]
    assert released == ["run_1", "run_2", "run_3"]


def test_a_key_is_answered_with_its_run_also_when_that_could_not_be_made_any_more() -> None:
    room = Room()
    once: dict[str, Any] = {"lock": "20270115.2", "key": "key_1", "key_until": NOW + 60_000}
    (first,) = room.trigger(new("run_1", **once))
    room.ask(c.CancelRun, run="run_1")
    deploy(room, LATE)

    again = room.trigger(new("run_2", **once))

    assert (first, again) == (Accepted("run_1"), [Accepted("run_1", cached=True)])
