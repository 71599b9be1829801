"""The database of the read models, and the library's tracking contract over it."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

from eventsourcing.persistence import IntegrityError, Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, TupleRow
from psycopg.sql import SQL

from adapters.postgres.database import ERRORS, Database, told
from adapters.postgres.line import ANSWER_SECONDS
from adapters.postgres.read_models_schema import ENVIRONMENTS, INDEXES, REBUILDS, SHAPE, TABLES, TRACKED
from adapters.read_models_tables import LEDGER
from domain.errors import Unavailable
from domain.ports import START, Head

TRACK: LiteralString = """
insert into tracked (application_name, notification_id, digest, shape)
values (%(application_name)s, %(notification_id)s, %(digest)b, %(shape)s)
on conflict (application_name) do update
set notification_id = excluded.notification_id, digest = excluded.digest, shape = excluded.shape
where tracked.notification_id < excluded.notification_id
returning notification_id
"""
READ_TRACKED: LiteralString = "select notification_id, digest, shape from tracked where application_name = %s"
LOCK_TRACKED: LiteralString = f"{READ_TRACKED} for update"
LOCK_MAKERS = "select pg_advisory_xact_lock(hashtext('runfold read models'), hashtext(current_schema()))"
# Of a client that went away between two messages of a pipeline the server knows nothing, and no time-out of its own
# begins before the last of them. Readers hold a weaker lock, and whoever waits for a lock is not silent.
END_SILENT = """
select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
where datname = current_database() and relation = 'tracked'::regclass and mode in ('RowShareLock', 'RowExclusiveLock')
and granted and wait_event = 'ClientRead' and state_change < clock_timestamp() - %s * interval '1 s'
"""
IN_ORDER = "select set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)"
# A swap waits for those who read several tables, before it keeps anybody from following, and they wait for it: tables
# whose names have changed hands in the middle would not be those of the position that was read.
LOCK_WHOLE = "lock table rebuilds in access share mode"
# Whoever compares all rows with others takes their time.
NO_HURRY = "set local idle_in_transaction_session_timeout = 0"


class Store(Database):
    """Errors of the driver become Unavailable: what is asked again may succeed."""

    def rows(
        self, statement: LiteralString, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[TupleRow]:
        """Ask once, outside of any transaction."""
        with _unavailable("read"):
            return super().rows(statement, parameters)

    def listed(self, statement: LiteralString, parameters: Mapping[str, object]) -> list[TupleRow]:
        """Ask for the first rows of an order, which their index has: whatever sorts would have to read all of them."""
        with _unavailable("read"), super().writing() as cursor, cursor.connection.pipeline():
            cursor.connection.execute(IN_ORDER)
            return cursor.execute(statement, parameters).fetchall()

    @contextmanager
    def writing(self, answer_seconds: float | None = ANSWER_SECONDS) -> Generator[Cursor[TupleRow]]:
        """A cursor in a transaction that commits at the end."""
        with _unavailable("written"), super().writing(answer_seconds) as cursor:
            yield cursor

    def end_silent(self, seconds: float) -> None:
        """End whoever keeps others from following, and has not said a word for so long."""
        self.rows(END_SILENT, (seconds,))

    def vacuum(self, table: LiteralString, *, is_whole: bool = False) -> None:
        """Note for the planner what is in a table, and that everybody sees all of it; or write all of it anew."""
        with _unavailable("written"):
            super().vacuum(table, is_whole=is_whole)

    @contextmanager
    def snapshot(self) -> Generator[Connection[DictRow]]:
        """A connection in a transaction that sees one state of all tables, none of which is swapped meanwhile."""
        with _unavailable("read"), super().snapshot() as connection:
            connection.execute(LOCK_WHOLE)
            connection.execute(NO_HURRY)
            yield connection


class TrackingRecorder(PostgresTrackingRecorder):
    """The library's contract over our table; the hot path tracks the ledger with the same statement."""

    def __init__(self, datastore: PostgresDatastore) -> None:
        super().__init__(datastore, tracking_table_name="tracked")
        self.max_tracking_id_statement = SQL(
            "select max(notification_id) as max from tracked where application_name = %s"
        ).format()

    def create_table(self) -> None:
        """The table of what is tracked."""
        with self.datastore.get_connection() as connection:
            connection.execute(TRACKED)

    def _insert_tracking(self, curs: Cursor[DictRow], tracking: Tracking) -> None:
        if not track(curs, tracking.application_name, Head(tracking.notification_id, START.digest)):
            name, position = tracking.application_name, tracking.notification_id
            raise IntegrityError(f"{name} was followed to {position} or further already.")


def track(cursor: Cursor[Any], name: str, head: Head) -> bool:
    """Note how far this log was followed. False, and nothing noted, if that is not further than before."""
    parameters = {
        "application_name": name,
        "notification_id": head.position,
        "digest": head.digest,
        "shape": SHAPE,
    }
    return cursor.execute(TRACK, parameters).fetchone() is not None


def head_and_shape(rows: Sequence[TupleRow]) -> tuple[Head, bool]:
    """How far the ledger was followed, and whether the rows are of the shape that this program writes."""
    ((position, digest, shape),) = rows
    return Head(position, digest), shape == SHAPE


def create(store: Store) -> None:
    """Make the tables, unless there are some; those of another shape stay as they are until they are rebuilt."""
    if store.rows("select to_regclass('tracked')") != [(None,)]:
        return
    with store.writing() as cursor:
        # Who opens them at the same time waits here.
        cursor.execute(LOCK_MAKERS)
        cursor.execute(TRACKED)
        if track(cursor, LEDGER, START):
            cursor.execute(REBUILDS)
            cursor.execute(ENVIRONMENTS)
            cursor.execute("insert into rebuilds values (0)")
            for statement in (*TABLES, *INDEXES):
                cursor.execute(statement)


def storable(text: str) -> str:
    """A text to compare columns with. One with a NUL equals none, and neither does what it becomes here."""
    return text.replace("\0", "\1")


@contextmanager
def _unavailable(done: str) -> Generator[None]:
    try:
        yield
    except ERRORS as error:
        raise Unavailable(f"The read models cannot be {done}: {told(error)}.") from error
