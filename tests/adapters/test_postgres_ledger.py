"""What is PostgreSQL's own: migrations, tampering, the library's test suite."""

# pyright: reportPrivateUsage=false

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from unittest import TestCase
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import ApplicationRecorder, OperationalError
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from adapters.postgres import migrate as migrating
from adapters.postgres.database import Database, told
from adapters.postgres.ledger import READ_STREAMS, PostgresLedger
from adapters.postgres.line import NoAnswer
from adapters.postgres.migrate import Migration, migrate, migrations
from adapters.postgres.recorder import Recorder
from domain.errors import LedgerUnavailable
from domain.ports import START
from tests.adapters.ledgers import triggered
from tests.postgres import database_of_its_own, database_url, schema_of_its_own


@pytest.fixture
def schema() -> Generator[str]:
    with schema_of_its_own() as schema:
        yield schema


def asked(statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url()) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (
            "update {}.events set state = state || decode('20', 'hex') where notification_id = 2",
            "Event 2 is not",
        ),
        ("update {}.events set originator_id = 'run_9' where notification_id = 1", "Event 1 is not"),
        ("delete from {}.events where notification_id = 2", "Events 2 to 2 are missing"),
        ("update {}.events set digest = decode(repeat('00', 32), 'hex') where notification_id = 3", "Event 3 is not"),
        ("update {}.events set notification_id = 9 where notification_id = 2", "Events 2 to 2 are missing"),
    ],
)
def test_tampering_shows(schema: str, tampering: str, found: str) -> None:
    migrate(database_url(), schema)
    ledger = PostgresLedger(database_url(), schema)
    ledger.append(triggered(START, "run_1", "run_2", "run_3"), {}, after=START)
    asked(tampering.format(schema))

    sentences = list(ledger.verify())

    assert found in sentences[0]
    ledger.close()


def test_histories_are_found_by_their_streams_in_a_table_that_the_server_has_not_counted(schema: str) -> None:
    migrate(database_url(), schema)
    ledger = PostgresLedger(database_url(), schema)
    ledger.append(triggered(START, *(f"run_{number:05}" for number in range(5_000))), {}, after=START)

    plan = str(ledger._rows(f"explain {READ_STREAMS}", ["run_00001"], 10**9))

    assert "originator_id_originator_version" in plan
    assert "pkey" not in plan
    assert [*ledger.read_streams(["run_00001"])] == ["run_00001"]
    ledger.close()


def test_a_dry_run_tells_what_is_missing_and_does_nothing(schema: str) -> None:
    missing = migrate(database_url(), schema, dry_run=True)

    assert missing == migrations()
    assert asked(f"select from pg_namespace where nspname = '{schema}'") == []


def test_migrations_are_applied_once(schema: str) -> None:
    assert migrate(database_url(), schema) == migrations()
    assert migrate(database_url(), schema) == []
    assert migrate(database_url(), schema, dry_run=True) == []


def test_those_who_migrate_at_the_same_time_apply_each_file_once(schema: str) -> None:
    with ThreadPoolExecutor() as threads:
        applied = [threads.submit(migrate, database_url(), schema) for _ in range(4)]

    assert sorted(each.result() for each in applied) == [[], [], [], migrations()]


def test_a_file_that_was_changed_since_is_refused(schema: str) -> None:
    migrate(database_url(), schema)
    asked(f"update {schema}.migrations set sha256 = 'before'")

    with pytest.raises(LedgerUnavailable, match=r"Migration 0001_\w+\.sql is not the one that was applied"):
        migrate(database_url(), schema)


def test_a_database_of_a_newer_version_is_refused(schema: str) -> None:
    migrate(database_url(), schema)
    asked(f"insert into {schema}.migrations values (9999, '9999_later.sql', '')")

    with pytest.raises(LedgerUnavailable, match="migration 9999, which a newer version of Runfold made"):
        migrate(database_url(), schema)


def test_migrations_are_applied_all_or_none(schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration(9999, "9999_broken.sql", "create table more (number int); create table events (number int)")
    monkeypatch.setattr(migrating, "migrations", lambda: [*migrations(), broken])

    with pytest.raises(LedgerUnavailable, match='cannot be migrated: relation "events" already exists'):
        migrate(database_url(), schema)
    assert asked(f"select from pg_namespace where nspname = '{schema}'") == []


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_database_that_keeps_texts_in_no_utf8_is_refused(encoding: str, *, dry_run: bool) -> None:
    with database_of_its_own(f"encoding '{encoding}' locale 'C' template template0") as url:
        with pytest.raises(LedgerUnavailable, match=f"has the encoding {encoding}, .* with `create database …"):
            migrate(url, dry_run=dry_run)
        with psycopg.connect(url) as connection:
            schemas = connection.execute("select from pg_namespace where nspname = 'runfold'").fetchall()

    assert schemas == []


def test_the_documented_encoding_is_taken() -> None:
    with database_of_its_own("encoding 'UTF8' template template0") as url:
        assert migrate(url) == migrations()


def test_a_server_that_is_not_there_cannot_be_migrated() -> None:
    with pytest.raises(LedgerUnavailable, match="cannot be migrated"):
        migrate("postgresql://127.0.0.1:1/nobody")


class _InPostgres(TestCase):
    EXPECT_CONTIGUOUS_NOTIFICATION_IDS = True

    def new_originator_id(self) -> UUID | str:
        return uuid4().hex

    def create_recorder(self) -> ApplicationRecorder:
        database = Database(database_url(), self.enterContext(schema_of_its_own()))
        self.addCleanup(database.close)
        recorder = Recorder(database)
        recorder.create_table()
        return recorder


class TestTheLibrarysRecorderSuite(_InPostgres, ApplicationRecorderTestCase[ApplicationRecorder]):
    """The recorder keeps the contract of the library that it comes from."""


class TestTheLibrarysInterleavingSuite(_InPostgres, NonInterleavingNotificationIDsBaseCase):
    """Notifications of concurrent writers do not interleave."""


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase


def test_of_a_connection_that_fails_nobody_is_told_where_the_database_is() -> None:
    refused = psycopg.OperationalError('connection to server on socket "/secret/socket" failed: Connection refused')
    wrapped = OperationalError(str(refused))
    wrapped.__cause__ = refused
    with psycopg.connect(database_url()) as connection, pytest.raises(psycopg.Error) as said:
        connection.execute("select * from nothing")

    assert told(refused) == told(wrapped) == "the connection to the database failed"
    assert told(said.value) == 'relation "nothing" does not exist'
    assert told(NoAnswer("No answer within 10 seconds")) == "No answer within 10 seconds"
