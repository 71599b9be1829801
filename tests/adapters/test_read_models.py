"""What read models promise: the rows of the pure fold, each event once, and a checkpoint to start from."""

from pathlib import Path
from random import Random

import pytest
from eventsourcing.persistence import TrackingRecorder as LibraryRecorder
from eventsourcing.tests.persistence import TrackingRecorderTestCase
from hypothesis import given
from hypothesis import strategies as st

from adapters.sqlite.read_models import SqliteReadModels
from adapters.sqlite.read_models_store import Store, TrackingRecorder
from domain import events as e
from domain import states
from domain.errors import LedgerCorrupt, OutOfStep, Unavailable
from domain.ports import START, Head
from domain.states import State
from domain.status import Status
from projections import checkpoint
from projections.queues import count
from tests.adapters.read_models import READ_MODELS, apply, dump, head_of, in_memory, inside
from tests.projections.histories import ENVIRONMENTS, chances, history, of_run, split, unhurried
from tests.projections.model import naively

TRIGGERED = e.RunTriggered("greet", "task/greet", tags=("red",))
STARTED = (e.RunDequeued(2, "worker_1", "20260101.1"), e.AttemptStarted(1, 2, "worker_1", "20260101.1"))
HISTORY = of_run(TRIGGERED, *STARTED, e.AttemptSucceeded(1, 2))


@pytest.fixture(params=READ_MODELS)
def read_models(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteReadModels:
    return READ_MODELS[request.param](tmp_path)


class TestTrackingOfTheLibrary(TrackingRecorderTestCase):
    """The `eventsourcing` library's own suite for whatever tracks a position."""

    def create_recorder(self) -> LibraryRecorder:
        recorder = TrackingRecorder(Store(f"file:{self.id()}?mode=memory&cache=shared"))
        recorder.create_table()
        return recorder


del TrackingRecorderTestCase  # pytest would collect it once more, without a recorder


def test_new_read_models_begin_at_the_start(read_models: SqliteReadModels) -> None:
    assert read_models.position() == START
    assert read_models.checkpoint() == ([], START, True)


def test_what_was_followed_is_there(read_models: SqliteReadModels) -> None:
    head = apply(read_models, HISTORY)

    assert head == read_models.position() == head_of(HISTORY)
    assert dump(read_models) == naively(HISTORY)
    assert read_models.get("run_1") == naively(HISTORY).runs["run_1"]
    assert read_models.get("run_2") is None
    assert read_models.attempts_of(["run_1", "run_2"]) == {
        "run_1": list(naively(HISTORY).attempts.values()),
        "run_2": [],
    }


@unhurried
@given(chances, st.integers(0, 100))
def test_rows_are_those_of_the_pure_fold(chance: Random, length: int) -> None:
    records = history(chance, length)
    read_models = in_memory()
    for batch in split(records, chance):
        apply(read_models, batch)
    rows = naively(records)

    assert dump(read_models) == rows
    for environment in ENVIRONMENTS:
        runs = [row for row in rows.runs.values() if row.environment == environment]
        assert read_models.queues(environment) == count(runs)
        statuses = [row.status for row in runs]
        assert read_models.count_by_status(environment) == {status: statuses.count(status) for status in statuses}


@unhurried
@given(chances, st.integers(1, 60))
def test_a_batch_that_overlaps_what_was_followed_counts_once(chance: Random, length: int) -> None:
    records = history(chance, length)
    read_models = in_memory()
    for end in sorted(chance.randrange(length) + 1 for _ in range(5)):
        start = chance.randrange(min(read_models.position().position + 1, end))
        apply(read_models, records[start:end])

        assert dump(read_models) == naively(records[:end])


def test_events_that_were_followed_already_change_nothing(read_models: SqliteReadModels) -> None:
    apply(read_models, HISTORY)

    assert apply(read_models, HISTORY[:2]) == head_of(HISTORY)
    assert read_models.apply([], START) == head_of(HISTORY)
    assert dump(read_models) == naively(HISTORY)


def test_missing_events_are_noticed(read_models: SqliteReadModels) -> None:
    apply(read_models, HISTORY[:1])

    with pytest.raises(OutOfStep, match="at event 1, and event 3 is to follow"):
        apply(read_models, HISTORY[2:])
    assert read_models.position() == head_of(HISTORY[:1])


def test_a_batch_that_cannot_be_followed_leaves_everything_as_it_was(read_models: SqliteReadModels) -> None:
    apply(read_models, HISTORY[:1])
    (foreign,) = of_run(e.RunCanceled(), stream="run_2")
    foreign = type(foreign)(3, "run_2", 2, "env_a", 1, 1, "test", "test", foreign.event)

    with pytest.raises(LedgerCorrupt, match="no run run_2"):
        apply(read_models, [HISTORY[1], foreign])
    assert read_models.position() == head_of(HISTORY[:1])
    assert dump(read_models) == naively(HISTORY[:1])


def test_a_row_that_cannot_be_read_is_an_error_that_says_what_to_do(read_models: SqliteReadModels) -> None:
    apply(read_models, HISTORY[:3])
    with inside(read_models) as cursor:
        cursor.execute("update run_rows set detail = '{}'")

    with pytest.raises(LedgerCorrupt, match="Verify and rebuild"):
        apply(read_models, HISTORY[3:])


@unhurried
@given(chances, st.integers(0, 50), st.integers(0, 50))
def test_a_checkpoint_and_the_tail_behind_it_are_the_whole_fold(chance: Random, before: int, after: int) -> None:
    records = history(chance, before + after)
    read_models = in_memory()
    read_models.apply(records[:before], head_of(records[:before]) if before else START)
    kept, head, is_our_shape = read_models.checkpoint()
    continued: dict[str, State | None] = {state.id: state for state in kept}
    for recorded in records[head.position :]:
        continued[recorded.stream] = checkpoint.project(continued.get(recorded.stream), recorded)

    streams = {recorded.stream for recorded in records}
    whole = {stream: states.fold(each for each in records if each.stream == stream) for stream in streams}
    assert is_our_shape
    assert {stream: state for stream, state in continued.items() if state is not None} == {
        stream: state for stream, state in whole.items() if state is not None and states.is_kept(state)
    }


def test_rows_of_another_shape_are_not_read_and_not_followed(read_models: SqliteReadModels) -> None:
    apply(read_models, HISTORY[:3])
    with inside(read_models) as cursor:
        cursor.execute("update tracked set shape = 'before'")

    assert read_models.checkpoint() == ([], head_of(HISTORY[:3]), False)
    with pytest.raises(OutOfStep, match="another shape"):
        apply(read_models, HISTORY[3:])


def test_attempts_come_in_order(read_models: SqliteReadModels) -> None:
    again = [
        e.RunEnqueued("released"),
        e.RunDequeued(5, "worker_2", "20260101.1"),
        e.AttemptStarted(2, 5, "worker_2", "20260101.1"),
    ]
    apply(read_models, of_run(TRIGGERED, *STARTED, *again))

    assert [attempt.number for attempt in read_models.attempts_of(["run_1"])["run_1"]] == [1, 2]


def test_other_environments_do_not_count(read_models: SqliteReadModels) -> None:
    apply(read_models, of_run(TRIGGERED))

    assert read_models.count_by_status("env_a") == {Status.QUEUED: 1}
    assert read_models.count_by_status("env_b") == {}
    assert read_models.queues("env_b") == []


def test_a_file_keeps_what_was_followed(tmp_path: Path) -> None:
    first = SqliteReadModels(tmp_path / "read-models.db")
    apply(first, HISTORY[:3])
    first.close()
    second = SqliteReadModels(tmp_path / "read-models.db")
    apply(second, HISTORY[3:])

    assert dump(second) == naively(HISTORY)


def test_two_that_share_a_file_see_each_other(tmp_path: Path) -> None:
    first, second = (SqliteReadModels(tmp_path / "read-models.db") for _ in range(2))
    apply(first, HISTORY[:3])

    assert apply(second, HISTORY) == head_of(HISTORY)
    assert first.position() == head_of(HISTORY)


def test_a_file_is_in_write_ahead_mode_and_syncs_at_checkpoints(tmp_path: Path) -> None:
    read_models = SqliteReadModels(tmp_path / "read-models.db")
    with inside(read_models) as cursor:
        settings = [cursor.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert settings == ["wal", 1]


def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        SqliteReadModels(tmp_path / "nowhere" / "read-models.db")
    read_models = SqliteReadModels(tmp_path / "read-models.db")
    with inside(read_models) as cursor:
        cursor.execute("drop table run_rows")

    with pytest.raises(Unavailable, match="cannot be read"):
        read_models.get("run_1")


def test_the_head_belongs_to_the_last_event(read_models: SqliteReadModels) -> None:
    with pytest.raises(AssertionError):
        read_models.apply(HISTORY, Head(3, bytes(32)))
