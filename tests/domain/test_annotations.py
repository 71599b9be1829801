"""Tags and metadata: what is added to what is known of a run, of its parent and of its root, also after the end."""

from typing import Any

import pytest
from msgspec import Raw, json

from domain import commands as c
from domain import events as e
from domain.annotations import AFTER_THE_END_MS, TAGS_MAX
from domain.errors import InvalidInput, NotFound, TooLate
from domain.metadata import Operation
from tests.domain.stories import OUTAGE, Colleague, Room, new, succeeded

ADD = Operation("increment", "n", 1)


def update(room: Room, run: str = "run_1", **more: Any) -> Any:
    """Change metadata; returns the run's after it."""
    after = bytes(room.ask(c.UpdateMetadata, run=run, **more))
    return json.decode(after) if after else {}


def metadata_of(room: Room, run: str = "run_1") -> Any:
    """The metadata of a run."""
    return json.decode(room.run(run).metadata)


def ended() -> Room:
    """A room with a run that completed."""
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.turn(succeeded(worker.start()))
    room.news()
    return room


def family() -> Room:
    """A run, its child and its grandchild."""
    room = Room()
    for run, parent in (("run_1", None), ("run_2", "run_1"), ("run_3", "run_2")):
        room.trigger(new(run, parent=parent))
    room.news()
    return room


def test_tags_are_added_behind_those_that_are_there_each_once() -> None:
    room = Room()
    room.trigger(new(tags=("b", "a")))

    room.ask(c.AddTags, run="run_1", tags=("c", "a", "c", "d"))

    assert room.events()[-1] == e.TagsAdded(("c", "d"))
    assert room.run().tags == ("b", "a", "c", "d")


def test_tags_that_are_there_already_write_nothing() -> None:
    room = Room()
    room.trigger(new(tags=("a",)))
    room.news()

    assert room.ask(c.AddTags, run="run_1", tags=("a", "a")) is None
    assert room.news() == []


def test_a_run_has_at_most_ten_tags() -> None:
    room = Room()
    room.trigger(new(tags=tuple(f"t{number}" for number in range(TAGS_MAX - 1))))
    room.news()

    with pytest.raises(InvalidInput, match="at most 10 tags: run run_1 has 9, and 2 are to be added"):
        room.ask(c.AddTags, run="run_1", tags=("x", "y"))
    assert room.news() == []

    room.ask(c.AddTags, run="run_1", tags=("x", "t0"))
    assert len(room.run().tags) == TAGS_MAX


def test_a_finished_run_can_still_be_tagged() -> None:
    room = ended()

    room.ask(c.AddTags, run="run_1", tags=("late",))

    assert room.run().tags == ("late",)
    assert room.engine.memory.run("run_1") is None


def test_operations_change_the_metadata_that_the_run_was_triggered_with() -> None:
    room = Room()
    room.trigger(new(metadata=Raw(b'{"n":1,"b":[]}')))

    assert update(room, operations=(ADD, Operation("append", "b", 1))) == {"n": 2, "b": [1]}
    assert room.events()[-1] == e.MetadataUpdated(Raw(b'{"n":2,"b":[1]}'))


def test_a_replacement_comes_before_the_operations() -> None:
    room = Room()
    room.trigger(new(metadata=Raw(b'{"n":1}')))

    assert update(room, replaces=Raw(b'{"n":5}'), operations=(ADD,)) == {"n": 6}


def test_what_changes_nothing_writes_nothing() -> None:
    room = Room()
    room.trigger(new(metadata=Raw(b'{"n":1}')))
    room.news()

    assert update(room, operations=(Operation("set", "n", 1),)) == {"n": 1}
    assert bytes(room.ask(c.UpdateMetadata, run="run_1")) == b'{"n":1}'
    assert room.news() == []


def test_a_run_changes_its_parent_and_its_root_too() -> None:
    room = family()

    after = update(
        room,
        "run_3",
        operations=(ADD,),
        parent_operations=(ADD, ADD),
        root_operations=(ADD, ADD, ADD),
    )

    assert after == {"n": 1}
    assert [metadata_of(room, run) for run in ("run_3", "run_2", "run_1")] == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_parent_that_is_the_root_gets_both_in_one_event() -> None:
    room = family()

    update(room, "run_2", parent_operations=(ADD,), root_operations=(ADD,))

    assert [(stream, type(event)) for stream, event in room.news()] == [("run_1", e.MetadataUpdated)]
    assert metadata_of(room) == {"n": 2}


def test_a_run_without_a_parent_stands_for_it_and_for_the_root() -> None:
    room = Room()
    room.trigger()

    assert update(room, operations=(ADD,), parent_operations=(ADD,), root_operations=(ADD,)) == {"n": 3}
    assert len(room.events()) == 2


def test_a_refused_operation_of_the_parent_leaves_the_run_as_it_was() -> None:
    room = family()

    with pytest.raises(InvalidInput, match="increment needs a number"):
        update(room, "run_3", operations=(ADD,), root_operations=(Operation("increment", "n", "x"),))

    assert room.news() == []


def test_metadata_can_be_changed_for_an_hour_after_the_end() -> None:
    room = ended()
    room.pass_time(AFTER_THE_END_MS)
    assert update(room, operations=(ADD,)) == {"n": 1}
    room.news()

    room.pass_time(1)
    with pytest.raises(TooLate, match="Run run_1 ended more than an hour ago"):
        update(room, operations=(ADD,))
    assert room.news() == []


def test_a_parent_that_ended_long_ago_is_not_changed_by_its_child() -> None:
    room = Room()
    room.trigger()
    worker = Colleague(room)
    worker.turn(succeeded(worker.start()))
    room.trigger(new("run_2", parent="run_1"))
    room.pass_time(AFTER_THE_END_MS + 1)

    with pytest.raises(TooLate, match="Run run_1 ended"):
        update(room, "run_2", operations=(ADD,), parent_operations=(ADD,))
    assert update(room, "run_2", operations=(ADD,)) == {"n": 1}


def test_a_family_whose_elders_are_finished_is_found_in_the_ledger_after_a_restart() -> None:
    room = Room()
    room.trigger()
    room.trigger(new("run_2", parent="run_1"))
    room.trigger(new("run_3", parent="run_2"))
    worker = Colleague(room)
    for _ in range(3):
        worker.turn(succeeded(worker.start()))
    room.restart()

    update(room, "run_3", parent_operations=(ADD,), root_operations=(ADD, ADD))

    assert [metadata_of(room, run) for run in ("run_2", "run_1")] == [{"n": 1}, {"n": 2}]
    assert room.engine.memory.children == {}


def test_a_change_that_could_not_be_committed_did_not_happen() -> None:
    room = Room()
    room.trigger()
    ticket = room.submit(c.UpdateMetadata, run="run_1", operations=(ADD,))
    assert room.fail()[ticket] is OUTAGE

    assert update(room, operations=(ADD,)) == {"n": 1}


@pytest.mark.parametrize(
    ("command", "more"), [(c.AddTags, {"tags": ("a",)}), (c.UpdateMetadata, {"operations": (ADD,)})]
)
@pytest.mark.parametrize(("run", "environment"), [("run_0", "env_1"), ("env_1", "env_1"), ("run_1", "env_2")])
def test_what_is_no_run_of_the_environment_is_not_found(
    command: type[c.Command], more: dict[str, Any], run: str, environment: str
) -> None:
    room = Room()
    room.trigger()

    with pytest.raises(NotFound, match=f"Run {run} not found"):
        room.ask(command, run=run, environment=environment, **more)


def test_a_worker_is_told_the_tags_and_the_metadata_as_they_are_now() -> None:
    room = Room()
    room.trigger(new(tags=("a",), metadata=Raw(b'{"n":1}')))
    room.ask(c.AddTags, run="run_1", tags=("b",))
    update(room, operations=(ADD,))

    (hand,) = Colleague(room).take()

    assert (hand.tags, bytes(hand.metadata)) == (("a", "b"), b'{"n":2}')
