"""The file of the read models, and the library's tracking contract over it."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock

from eventsourcing.persistence import IntegrityError, PersistenceError, Tracking
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTrackingRecorder,
)

from adapters.read_models_tables import LEDGER, current
from adapters.sqlite.opening import PatientPool
from adapters.sqlite.read_models_schema import SHAPE, TABLES, TRACKED, indexes
from adapters.sqlite.scrubbing import scrub
from domain.errors import Unavailable
from domain.ports import START, Head

TRACK = """
insert into tracked (application_name, notification_id, digest, shape)
values (:application_name, :notification_id, :digest, :shape)
on conflict (application_name) do update
set notification_id = :notification_id, digest = :digest, shape = :shape
where tracked.notification_id < :notification_id
returning notification_id
"""
LOCK_SECONDS = 60
"""How long one writer waits for another: as long as a rebuild takes to make one index."""
# More than the library's default of 1,000 pages: the pages of the indexes, which every batch touches, are then copied
# into the file less often.
WAL_PAGES = 8_000
CACHE_KIB = 32_768


class _Pool(PatientPool):
    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        cursor = connection.cursor()
        # After a power loss the tail may be missing together with its tracked position; it is followed again.
        cursor.execute("pragma synchronous = normal")
        cursor.execute(f"pragma wal_autocheckpoint = {WAL_PAGES}")
        cursor.execute(f"pragma cache_size = {-CACHE_KIB}")
        # What is erased is overwritten, but for pages that are given up as a whole: they go when the file is scrubbed.
        cursor.execute("pragma secure_delete = fast")
        return connection


class Store(SQLiteDatastore):
    """Connections to the file. Errors of the driver become Unavailable: what is asked again may succeed."""

    def __init__(self, database: str) -> None:
        super().__init__(database, originator_id_type="text")
        self.pool.close()
        self.pool = _Pool(db_name=database, lock_timeout=LOCK_SECONDS)
        self._writers = Lock()

    @contextmanager
    def reading(self) -> Generator[sqlite3.Cursor]:
        """A cursor in a transaction that sees one state of the file."""
        try:
            with self.transaction(commit=False) as cursor:
                cursor.sqlite_cursor.row_factory = None
                yield cursor.sqlite_cursor
        except (sqlite3.Error, PersistenceError) as error:
            raise Unavailable(f"The read models cannot be read: {error}.") from error

    @contextmanager
    def writing(self) -> Generator[sqlite3.Cursor]:
        """A cursor in a transaction that is the only one to write, and commits at the end."""
        try:
            # Whoever waits for the pool's own lock keeps all others from connections, readers too.
            with self._writers, self.get_connection(commit=True) as connection:
                cursor = connection.cursor().sqlite_cursor
                cursor.row_factory = None
                cursor.execute("begin immediate")
                try:
                    yield cursor
                    cursor.execute("commit")
                except BaseException:
                    if cursor.connection.in_transaction:
                        cursor.execute("rollback")
                    raise
                finally:
                    cursor.close()
        except (sqlite3.Error, PersistenceError) as error:
            raise Unavailable(f"The read models cannot be written: {error}.") from error

    def scrub(self, *, is_whole: bool) -> None:
        """Let nothing of what was erased stay behind: see `scrub`. Raises Unavailable, also while somebody reads."""
        try:
            with self._writers, self.get_connection(commit=True) as connection:
                scrub(connection.cursor().sqlite_cursor, is_whole=is_whole)
        except (sqlite3.Error, PersistenceError) as error:
            raise Unavailable(f"What was erased may still be in the files of the read models: {error}.") from error


class TrackingRecorder(SQLiteTrackingRecorder):
    """The library's contract over our table; the hot path tracks the ledger with the same statement."""

    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore)
        self.insert_tracking_statement = TRACK
        self.select_max_tracking_id_statement = """
        select max(notification_id) from tracked where application_name = ?
        """

    def construct_create_table_statements(self) -> list[str]:
        """The table of what is tracked."""
        return [TRACKED]

    def _insert_tracking(self, c: SQLiteCursor, tracking: Tracking) -> None:
        if not track(c.sqlite_cursor, tracking.application_name, Head(tracking.notification_id, START.digest)):
            name, position = tracking.application_name, tracking.notification_id
            raise IntegrityError(f"{name} was followed to {position} or further already.")


def track(cursor: sqlite3.Cursor, name: str, head: Head) -> bool:
    """Note how far this log was followed. False, and nothing noted, if that is not further than before."""
    parameters = {
        "application_name": name,
        "notification_id": head.position,
        "digest": head.digest,
        "shape": SHAPE,
    }
    return cursor.execute(TRACK, parameters).fetchone() is not None


def tracked(cursor: sqlite3.Cursor) -> tuple[Head, bool]:
    """How far the ledger was followed, and whether the rows are of the shape that this program writes."""
    position, digest, shape = cursor.execute(
        "select notification_id, digest, shape from tracked where application_name = ?", (LEDGER,)
    ).fetchone()
    return Head(position, digest), shape == SHAPE


def create(store: Store) -> None:
    """Make the tables, unless there are some; those of another shape stay as they are until they are rebuilt."""
    with store.writing() as cursor:
        cursor.execute(TRACKED)
        if track(cursor, LEDGER, START):
            for statement in (*TABLES, *indexes(current, 0)):
                cursor.execute(statement)
