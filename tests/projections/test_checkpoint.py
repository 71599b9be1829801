"""What the checkpoint keeps, and how another shape of it is noticed."""

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, defstruct

from domain import events as e
from domain import states
from domain.batch import Batch
from domain.connection import Connection
from domain.environment import Environment
from domain.events import Event, Recorded
from domain.queue import QueueState
from domain.states import KINDS, State, Writer, kind_of
from domain.status import Status
from projections import checkpoint
from projections.fold import KEPT_KINDS
from tests.projections.histories import Historian, chances, history, of_run, unhurried
from tests.projections.model import kept, naively

TRIGGERED = e.RunTriggered("greet", "task/greet")


def kept_after(*records: Recorded) -> State | None:
    state: State | None = None
    for recorded in records:
        state = checkpoint.project(state, recorded)
    return state


def first(stream: str, event: Event) -> Recorded:
    return Recorded(1, stream, 1, "env_a", 1, 1, "test", "test", event)


def test_a_run_is_kept_until_it_ends() -> None:
    executing = of_run(TRIGGERED, e.RunDequeued(2, "w", "v"), e.AttemptStarted(1, 2, "w", "v"))

    assert kept_after(*executing) == states.fold(executing)
    assert kept_after(*of_run(TRIGGERED, e.RunCanceled())) is None
    assert kept_after(*of_run(TRIGGERED, e.RunCanceled(), e.TagsAdded(("late",)))) is None


def test_a_connection_is_kept_also_when_it_is_removed() -> None:
    history = [
        Recorded(number, "conn_1", number, "env_a", number, number, "test", "test", event)
        for number, event in enumerate(
            [e.ConnectionSaved("mail", "1.aa.x", "aa"), e.ConnectionRemoved("mail"), e.ConnectionRemoved("mail")], 1
        )
    ]

    assert kept_after(*history[:1]) == Connection("conn_1", 1, "env_a", "mail", 1, 1, "1.aa.x", "aa")
    assert kept_after(*history) == Connection("conn_1", 3, "env_a", "mail", 1, 3)


def test_environments_queues_and_the_writer_are_kept_and_keys_are_not() -> None:
    assert isinstance(kept_after(first("env_a", e.EnvironmentCreated("dev", "DEVELOPMENT"))), Environment)
    assert kept_after(first("writer", e.WriterStarted(1))) == Writer("writer", 1, 1)
    assert kept_after(first("queue_1", e.QueuePaused("emails"))) == QueueState("queue_1", "env_a", "emails", 1, True)
    assert kept_after(first("key_1", e.KeyClaimed("run_1", 5))) is None


def test_batches_and_bulk_actions_are_kept_until_they_end() -> None:
    begun: dict[str, Event] = {
        "batch_1": e.BatchTriggered(("run_1",)),
        "batch_2": e.BatchCreated(1, 5),
        "bulk_1": e.BulkStarted("CANCEL", runs=("run_1",)),
    }
    ends = {"batch": (e.BatchCompleted(), e.BatchAborted()), "bulk": (e.BulkCompleted(), e.BulkAborted())}

    for stream, event in begun.items():
        assert kept_after(first(stream, event)) is not None
        for end in ends[kind_of(stream)]:
            assert kept_after(first(stream, event), Recorded(2, stream, 2, "env_a", 2, 2, "test", "test", end)) is None


@unhurried
@given(chances, st.integers(0, 80))
def test_only_kinds_of_which_some_are_kept_are_folded_at_all(chance: Random, length: int) -> None:
    historian = Historian(chance)
    for _ in range(length):
        historian.go_on()

    kept = {stream for stream, state in historian.states.items() if states.is_kept(state)}
    assert {kind_of(stream) for stream in kept} <= KEPT_KINDS
    assert KINDS.keys() - KEPT_KINDS == {"key", "packet"}


@unhurried
@given(chances, st.integers(0, 80), st.integers(0, 80))
def test_a_checkpoint_and_the_tail_behind_it_are_the_whole_fold(chance: Random, before: int, after: int) -> None:
    records = history(chance, before + after)
    continued: dict[str, State | None] = dict(kept(naively(records[:before])))
    for recorded in records[before:]:
        continued[recorded.stream] = checkpoint.project(continued.get(recorded.stream), recorded)

    whole = kept(naively(records))
    assert {stream: state for stream, state in continued.items() if state is not None} == whole


class Part(Struct):
    name: str


class OtherPart(Struct):
    name: str | None


def shape_with(**fields: Any) -> str:
    return checkpoint.shape_of([defstruct("State", fields.items())])


def test_the_shape_is_the_same_from_one_program_to_the_next() -> None:
    assert checkpoint.shape() == checkpoint.shape()
    assert shape_with(id=str, part=Part) == shape_with(id=str, part=Part)


def test_another_field_type_or_part_is_another_shape() -> None:
    shapes = [
        shape_with(id=str, part=Part),
        shape_with(name=str, part=Part),
        shape_with(id=int, part=Part),
        shape_with(id=str, part=OtherPart),
        shape_with(id=str, part=Part | None),
        shape_with(id=str, part=tuple[Part, ...]),
        shape_with(id=str, part=Status),
        shape_with(id=str),
        checkpoint.shape_of([Batch]),
    ]

    assert len(set(shapes)) == len(shapes)
