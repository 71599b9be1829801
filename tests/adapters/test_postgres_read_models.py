"""What is PostgreSQL's own: who waits for whom, which indexes lists are read from, the library's test suite."""

# pyright: reportPrivateUsage=false

import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import TrackingRecorder as LibraryRecorder
from eventsourcing.tests.persistence import TrackingRecorderTestCase
from msgspec import Raw
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.postgres import database
from adapters.postgres import read_models as read_models_module
from adapters.postgres.read_models import PostgresReadModels
from adapters.postgres.read_models_store import LOCK_TRACKED, Store, TrackingRecorder
from adapters.postgres.read_models_write import project, store
from adapters.read_models_tables import LEDGER, current
from app.engine import rebuild as rebuilds
from app.engine.rebuild import rebuild
from domain import events as e
from domain.errors import OutOfStep, Unavailable
from domain.ports import START
from projections.fold import TagRow
from projections.known import Known
from tests.adapters.ledgers import recorded
from tests.adapters.read_models import apply, dump, follow, head_of, in_postgres, ledger_of
from tests.postgres import database_url, schema_of_its_own
from tests.projections.histories import history
from tests.projections.model import naively

HISTORY = history(Random(1), 200)
SOON_SECONDS = 20
"""More than anything takes that comes by itself."""
WAITING = "select from pg_stat_activity where application_name = %s and wait_event_type = 'Lock' and query like %s"
UPDATES = """
select pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid)
from pg_class where oid = 'run_rows'::regclass
"""
# How often this connection has read each table from end to end since it last told the server.
SCANS = """
select relname, pg_stat_get_xact_numscans(oid) from pg_class
where oid in ('run_rows'::regclass, 'attempt_rows'::regclass, 'state_rows'::regclass)
"""
CONNECTED = "select from pg_stat_activity where application_name = %s"


@pytest.fixture
def read_models() -> Generator[PostgresReadModels]:
    with in_postgres() as opener:
        opened = opener()
        assert isinstance(opened, PostgresReadModels)
        yield opened


@pytest.fixture
def threads() -> Generator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


class TestTrackingOfTheLibrary(TrackingRecorderTestCase):
    """The `eventsourcing` library's own suite for whatever tracks a position."""

    def create_recorder(self) -> LibraryRecorder:
        schema = self.enterContext(schema_of_its_own())
        with psycopg.connect(database_url()) as connection:
            connection.execute(f"create schema {schema}".encode())
        store = Store(database_url(), schema)
        self.addCleanup(store.close)
        recorder = TrackingRecorder(store)
        recorder.create_table()
        return recorder


del TrackingRecorderTestCase  # pytest would collect it once more, without a recorder


def until_some(statement: str, *parameters: object) -> None:
    """Ask the server until it has rows for this."""
    deadline = time.monotonic() + SOON_SECONDS
    with psycopg.connect(database_url(), autocommit=True) as connection:
        while not connection.execute(statement.encode(), parameters).rowcount:
            assert time.monotonic() < deadline, f"There is nothing for {statement} with {parameters}."


def is_waiting(read_models: PostgresReadModels, for_what: str) -> None:
    """Return once a connection of these read models waits for a lock with this statement."""
    until_some(WAITING, f"runfold {read_models._store.schema}", f"%{for_what}%")


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.2)

    with pytest.raises(Unavailable, match="cannot be read"):
        PostgresReadModels("postgresql://127.0.0.1:1/nobody")


def test_a_database_that_was_not_migrated_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        PostgresReadModels(database_url(), "nowhere")


def test_connections_are_let_go(read_models: PostgresReadModels) -> None:
    name = f"runfold {read_models._store.schema}"
    until_some(CONNECTED, name)
    read_models.close()

    until_some(f"select where not exists ({CONNECTED})", name)
    with pytest.raises(Unavailable):
        read_models.position()


def test_who_follows_ends_another_that_went_away_in_the_middle_of_its_pipeline(
    read_models: PostgresReadModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_models_module, "ANSWER_SECONDS", 0.2)
    gone = Store(database_url(), read_models._store.schema)
    stack = ExitStack()
    cursor = stack.enter_context(gone.writing())
    stack.enter_context(cursor.connection.pipeline())
    # It was executed, but without the end of the pipeline the server waits for more, and for ever.
    cursor.execute(LOCK_TRACKED, (LEDGER,)).fetchall()
    with pytest.raises(Unavailable, match=r"no answer within 0\.2 seconds"):
        apply(read_models, HISTORY)

    assert apply(read_models, HISTORY) == head_of(HISTORY)
    assert dump(read_models) == naively(HISTORY)
    with pytest.raises(Unavailable):
        stack.close()
    gone.close()


def test_those_who_open_at_the_same_time_find_one_set_of_tables(threads: ThreadPoolExecutor) -> None:
    with in_postgres() as opener:
        opened = [each.result(SOON_SECONDS) for each in [threads.submit(opener) for _ in range(4)]]

        assert [each.position() for each in opened] == [START] * 4
        apply(opened[0], HISTORY)
        assert dump(opened[3]) == naively(HISTORY)


def test_a_snapshot_is_not_ended_for_being_slow(read_models: PostgresReadModels) -> None:
    setting = "idle_in_transaction_session_timeout"
    for _ in range(10):  # more often than it takes until the driver prepares a statement
        with read_models._store.snapshot() as connection:
            assert connection.execute(f"show {setting}".encode()).fetchall() == [{setting: "0"}]


def test_rows_of_a_snapshot_stay_in_the_server_until_they_are_looked_at(read_models: PostgresReadModels) -> None:
    apply(read_models, HISTORY)
    with read_models._store.snapshot() as connection, read_models.snapshot() as snapshot:
        tags = naively(HISTORY).tags
        environment, tag, run = next(rows := snapshot.by_stream("tags"))

        assert TagRow(environment, tag, run) == min(tags, key=lambda row: (row.run, row.environment, row.tag))
        assert snapshot._connection.execute("select name from pg_cursors").fetchall() == [{"name": "rows_0"}]
        assert connection.execute("select name from pg_cursors").fetchall() == []
        assert len(list(rows)) == len(tags) - 1


def test_a_swap_waits_for_a_snapshot_and_lets_others_follow_meanwhile(
    read_models: PostgresReadModels, threads: ThreadPoolExecutor
) -> None:
    ledger = ledger_of(HISTORY)
    follow(read_models, ledger, upto=100)
    with read_models.snapshot() as snapshot:
        swapped = threads.submit(rebuild, ledger, read_models)
        is_waiting(read_models, "lock table rebuilds")
        apply(read_models, HISTORY[100:150])

        assert snapshot.head.position == 100
        assert {columns[0] for columns in snapshot.between("", None)["runs"]} == set(naively(HISTORY[:100]).runs)
    assert swapped.result(SOON_SECONDS) == ledger.head() == read_models.position()
    assert dump(read_models) == naively(HISTORY)


def test_whoever_follows_waits_for_the_swap_and_goes_on_behind_it(
    read_models: PostgresReadModels, threads: ThreadPoolExecutor
) -> None:
    follow(read_models, ledger_of(HISTORY), upto=100)
    fresh = read_models.start_rebuild()
    followed: list[Future[Any]] = []

    def read_tail(_: int) -> tuple[list[Any], Any]:
        followed.append(threads.submit(apply, read_models, HISTORY[100:]))
        is_waiting(read_models, "for update")
        return HISTORY[:150], head_of(HISTORY[:150])

    fresh.swap(read_tail)

    assert followed[0].result(SOON_SECONDS) == head_of(HISTORY) == read_models.position()
    assert dump(read_models) == naively(HISTORY)


def test_a_later_rebuild_takes_the_place_of_one_that_is_under_way(read_models: PostgresReadModels) -> None:
    ledger = ledger_of(HISTORY)
    first = read_models.start_rebuild()
    rebuilds.follow(ledger, first, 150)
    second = read_models.start_rebuild()
    rebuilds.follow(ledger, second, 100)

    with pytest.raises(OutOfStep, match="took the place"):
        rebuilds.follow(ledger, first, 200)
    with pytest.raises(OutOfStep, match="took the place"):
        first.index()
    with pytest.raises(OutOfStep, match="took the place"):
        first.swap(lambda _: ((), first.head))
    second.index()
    second.swap(lambda _: ((), second.head))
    assert dump(read_models) == naively(HISTORY[:100])


def test_environments_keep_their_numbers_in_a_rebuild(read_models: PostgresReadModels) -> None:
    follow(read_models, ledger_of(HISTORY))
    numbers = read_models._store.rows("select number, name from environments order by number")
    rebuild(ledger_of(HISTORY), read_models)

    assert {name for _, name in numbers} == {row.environment for row in naively(HISTORY).runs.values()}
    assert read_models._store.rows("select number, name from environments order by number") == numbers
    assert dump(read_models) == naively(HISTORY)


def test_read_models_from_before_environments_had_numbers_are_rebuilt(read_models: PostgresReadModels) -> None:
    follow(read_models, ledger_of(HISTORY))
    with read_models._store.writing() as cursor:
        cursor.execute("update tracked set shape = 'before'")
        cursor.execute("alter table run_rows alter environment type text using 'env_a'")
        cursor.execute("drop table environments")
    rebuild(ledger_of(HISTORY), read_models)

    assert dump(read_models) == naively(HISTORY)


def test_what_is_in_no_index_changes_none(read_models: PostgresReadModels) -> None:
    """So the next version of a row is put beside the one before, and its indexes stay as they are."""
    apply(read_models, [recorded(1, "run_1", 1, e.RunTriggered("greet", "task/greet", machine="micro"))])
    annotations = [e.MetadataUpdated(Raw(b'{"percent": 1}')), e.TagsAdded(("red",))]
    with read_models._store.writing() as cursor:
        for number, event in enumerate([*annotations, e.RunCanceled()], 2):
            store(
                cursor, project(cursor, [recorded(number, "run_1", number, event)], current, Known()).changes, current
            )
        cursor.execute(UPDATES)
        assert cursor.fetchall() == [(3, 2)]


def test_rows_of_a_batch_are_found_by_their_keys(
    read_models: PostgresReadModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans: list[dict[str, int]] = []

    def projected(cursor: Cursor[TupleRow], *arguments: Any) -> Any:
        scans.append(dict(cursor.execute(SCANS).fetchall()))
        return project(cursor, *arguments)

    def stored(cursor: Cursor[TupleRow], *arguments: Any) -> None:
        store(cursor, *arguments)
        scans.append(dict(cursor.execute(SCANS).fetchall()))

    apply(read_models, HISTORY[:100])
    read_models._known.forget()
    monkeypatch.setattr(read_models_module, "project", projected)
    monkeypatch.setattr(read_models_module, "store", stored)
    apply(read_models, HISTORY[100:])
    before, after = scans

    assert before == after
    assert dump(read_models) == naively(HISTORY)
