"""What is SQLite's own: the file's settings, which indexes lists are read from, the library's test suite."""

# pyright: reportPrivateUsage=false

from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest
from eventsourcing.persistence import TrackingRecorder as LibraryRecorder
from eventsourcing.tests.persistence import TrackingRecorderTestCase

from adapters import read_models_pages
from adapters.sqlite import read_models_list, read_models_waitpoints
from adapters.sqlite.read_models import MEMORY, UNFINISHED, SqliteReadModels
from adapters.sqlite.read_models_store import Store, TrackingRecorder
from domain.errors import Unavailable
from domain.status import Status
from domain.waitpoint import WaitpointStatus
from projections.filters import RunFilter
from projections.waitpoints import WaitpointFilter
from tests.adapters.read_models import apply
from tests.projections.histories import history, history_of_tokens


@pytest.fixture
def in_memory() -> Generator[SqliteReadModels]:
    read_models = SqliteReadModels(MEMORY, name="of-sqlite")
    yield read_models
    read_models.close()


class TestTrackingOfTheLibrary(TrackingRecorderTestCase):
    """The `eventsourcing` library's own suite for whatever tracks a position."""

    def create_recorder(self) -> LibraryRecorder:
        recorder = TrackingRecorder(Store(f"file:{self.id()}?mode=memory&cache=shared"))
        recorder.create_table()
        return recorder


del TrackingRecorderTestCase  # pytest would collect it once more, without a recorder


def test_a_file_is_in_write_ahead_mode_and_syncs_at_checkpoints(tmp_path: Path) -> None:
    read_models = SqliteReadModels(tmp_path / "read-models.db")
    with read_models._store.writing() as cursor:
        settings = [cursor.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert settings == ["wal", 1]
    read_models.close()


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        SqliteReadModels(tmp_path / "nowhere" / "read-models.db")


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (RunFilter(is_test=False), "runs_newest_0 (environment=? AND id>? AND id<?)"),
        (RunFilter(is_test=True), "test_runs_0 (environment=? AND status=? AND id>? AND id<?)"),
        (
            RunFilter(machines=("micro",), statuses=(Status.FAILED,)),
            "runs_with_machine_0 (environment=? AND status=? AND id>? AND id<?)",
        ),
        (
            RunFilter(versions=("1",)),
            "runs_of_version_0 (environment=? AND version=? AND status=? AND id>? AND id<?)",
        ),
        (
            RunFilter(tasks=("greet",), versions=("1",)),
            "runs_of_version_0 (environment=? AND version=? AND status=? AND id>? AND id<?)",
        ),
        (
            RunFilter(statuses=(Status.FAILED,), is_test=True),
            "test_runs_0 (environment=? AND status=? AND id>? AND id<?)",
        ),
        (
            RunFilter(queues=("urgent",), statuses=(Status.FAILED,)),
            "runs_of_queue_0 (environment=? AND queue=? AND id>? AND id<?)",
        ),
        (RunFilter(batch="batch_1", tasks=("greet",)), "runs_of_batch_0 (batch=? AND id>? AND id<?)"),
        (RunFilter(runs=frozenset({"run_1", "run_2"}), batch="batch_1"), "sqlite_autoindex_run_rows_1 (id=?)"),
        (RunFilter(tags=("red",), batch="batch_1"), "PRIMARY KEY (environment=? AND tag=? AND run>? AND run<?)"),
        (RunFilter(tags_all=("red", "blue")), "PRIMARY KEY (environment=? AND tag=? AND run>? AND run<?)"),
    ],
)
def test_each_part_of_a_filter_is_read_from_its_index_and_never_sorted(
    in_memory: SqliteReadModels, monkeypatch: pytest.MonkeyPatch, wanted: RunFilter, index: str
) -> None:
    monkeypatch.setattr(read_models_pages, "FEW_MAX", 0)  # no part has few runs, so that the first one finds them
    apply(in_memory, history(Random(1), 200))
    statements: list[str] = []
    with in_memory._store.writing() as cursor:
        for bound in ("run_", None):
            cursor.connection.set_trace_callback(statements.append)
            read_models_list.page(cursor, "env_a", wanted, 5, None, bound)
            cursor.connection.set_trace_callback(None)
        lists = [statement for statement in statements if "order by" in statement]
        plans = ["; ".join(step for *_, step in cursor.execute(f"explain query plan {each}")) for each in lists]

    assert len(plans) >= 2
    for plan in plans:
        assert plan.startswith(f"SEARCH {'tag_rows' if wanted.tags or wanted.tags_all else 'run_rows'} USING ")
        assert index in plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (WaitpointFilter(created_from=1), "waitpoints_of_status_0 (environment=? AND status=? AND id>? AND id<?)"),
        (
            WaitpointFilter(statuses=(WaitpointStatus.TIMED_OUT,)),
            "waitpoints_of_status_0 (environment=? AND status=? AND id>? AND id<?)",
        ),
        (
            WaitpointFilter(idempotency_key="once", statuses=(WaitpointStatus.WAITING,), tags=("red",)),
            "waitpoints_of_key_0 (environment=? AND key_digest=? AND id>? AND id<?)",
        ),
        (
            WaitpointFilter(tags=("red", "blue"), statuses=(WaitpointStatus.WAITING,)),
            "PRIMARY KEY (environment=? AND tag=? AND status=? AND waitpoint>? AND waitpoint<?)",
        ),
    ],
)
def test_lists_of_tokens_are_read_from_an_index_and_never_sorted(
    in_memory: SqliteReadModels, wanted: WaitpointFilter, index: str
) -> None:
    apply(in_memory, history_of_tokens(Random(1), 200))
    statements: list[str] = []
    with in_memory._store.writing() as cursor:
        for bound in ("waitpoint_", None):
            cursor.connection.set_trace_callback(statements.append)
            read_models_waitpoints.page(cursor, "env_a", wanted, 5, None, bound)
            cursor.connection.set_trace_callback(None)
        lists = [statement for statement in statements if "order by" in statement]
        plans = ["; ".join(step for *_, step in cursor.execute(f"explain query plan {each}")) for each in lists]

    is_of_tags = wanted.tags and wanted.idempotency_key is None
    assert len(plans) >= 2
    for plan in plans:
        assert plan.startswith(f"SEARCH {'tagged' if is_of_tags else 'waitpoint_rows'} USING ")
        assert index in plan
        assert "TEMP B-TREE" not in plan
        assert "SCAN waitpoint" not in plan


def test_counts_of_queues_are_read_from_unfinished_runs_alone(in_memory: SqliteReadModels) -> None:
    with in_memory._store.writing() as cursor:
        (plan, *_) = [step for *_, step in cursor.execute(f"explain query plan {UNFINISHED}", ("env_a",))]

    assert plan == "SEARCH run_rows USING COVERING INDEX unfinished_runs_0 (environment=?)"
