"""The library's event recorder on SQLite, with positions that the writer assigns and a rolling hash over the log."""

import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from eventsourcing.persistence import IntegrityError, Notification, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteCursor,
    SQLiteDatastore,
)
from msgspec import json

from adapters.codec import NewRow
from adapters.hashes import NONE_KEPT, seal
from adapters.sqlite.opening import PatientPool
from adapters.sqlite.rows import insert
from adapters.sqlite.scrubbing import scrub
from domain.errors import Deposed
from domain.ports import START, Head

SCHEMA = (
    # notification_id is an integer primary key: a bare rowid may be renumbered by VACUUM.
    """
    create table if not exists events (
        notification_id integer primary key,
        originator_id text not null,
        originator_version integer not null,
        topic text not null,
        state blob not null,
        digest blob not null,
        unique (originator_id, originator_version)
    )
    """,
    "create table if not exists blobs (key text primary key, value blob not null) without rowid",
)
SQLITE_INTEGER_MAX = 2**63 - 1
SELECT_NOTIFICATIONS = """
select notification_id, originator_id, originator_version, topic, state from events
where notification_id between ? and ? and (not ? or topic in (select value from json_each(?)))
order by notification_id limit ?
"""
INSERT = """
insert into events (notification_id, originator_id, originator_version, topic, state, digest)
values {rows}
"""
# More than the library's default of 1,000 pages: the last pages of the tables, which every commit touches, are then
# copied into the file less often, and fewer commits wait for that.
WAL_PAGES = 8_000


class _Pool(PatientPool):
    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        cursor = connection.cursor()
        # An answered command must survive a power loss; the group commit makes the fsync nearly free.
        cursor.execute("pragma synchronous = full")
        cursor.execute(f"pragma wal_autocheckpoint = {WAL_PAGES}")
        # What is erased is overwritten; nothing is ever deleted otherwise, so that it costs nothing.
        cursor.execute("pragma secure_delete = on")
        return connection


class Datastore(SQLiteDatastore):
    """Connections to a ledger file. Transactions that write take the write lock when they begin."""

    def __init__(self, database: str) -> None:
        super().__init__(database, originator_id_type="text")
        self.pool.close()
        self.pool = _Pool(db_name=database)

    @contextmanager
    def writing(self) -> Generator[sqlite3.Cursor]:
        """One transaction that commits at the end. Raises sqlite3's errors as they are."""
        with self.get_connection(commit=True) as connection:
            cursor = connection.cursor().sqlite_cursor
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

    def scrub(self, *, is_whole: bool = False) -> None:
        """Let nothing of what was erased stay behind: see `scrub`."""
        with self.get_connection(commit=True) as connection:
            scrub(connection.cursor().sqlite_cursor, is_whole=is_whole)


class Recorder(SQLiteApplicationRecorder):
    """The library's contract over our table: the hot path and the library's own test suite run the same insert."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore, "events")
        self._store = datastore

    def construct_create_table_statements(self) -> list[str]:
        """The table of events and the one of blobs."""
        return list(SCHEMA)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        """Insert behind the head, whatever it is. Raises the library's IntegrityError for a version that exists."""
        try:
            with self._store.writing() as cursor:
                before = last_of(cursor)
                insert_behind(cursor, [_new_row(event) for event in stored_events], {}, before)
        except Deposed as conflict:
            raise IntegrityError(conflict) from conflict
        return [before.position + number for number in range(1, len(stored_events) + 1)]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """As the library's, which reads the position from a bare rowid."""
        first = 0 if start is None else start if inclusive_of_start else start + 1
        last = SQLITE_INTEGER_MAX if stop is None else stop
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(SELECT_NOTIFICATIONS, (first, last, bool(topics), json.encode(list(topics)), limit))
            return [Notification(row[1], row[2], row[3], row[4], id=row[0]) for row in cursor.fetchall()]

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        raise NotImplementedError(
            "Events are inserted through insert_events, in a transaction that begins as a writer."
        )


def _new_row(event: StoredEvent) -> NewRow:
    return str(event.originator_id), event.originator_version, event.topic, event.state


def last_of(cursor: sqlite3.Cursor) -> Head:
    """The head of the log."""
    row = cursor.execute("select notification_id, digest from events order by notification_id desc limit 1").fetchone()
    return Head(*row) if row else START


def insert_behind(
    cursor: sqlite3.Cursor,
    batch: Sequence[NewRow],
    blobs: Mapping[str, bytes],
    after: Head,
    kept: Mapping[int, bytes] = NONE_KEPT,
) -> Head:
    """Insert the batch right behind `after`. Raises Deposed if that is not the head; nothing may be committed then."""
    if last_of(cursor) != after:
        raise Deposed(f"The head of the ledger is not event {after.position} as it was left.")
    rows, head = seal(batch, after, kept)
    try:
        insert(cursor, INSERT, rows)
        cursor.executemany("insert into blobs (key, value) values (?, ?)", blobs.items())
    except sqlite3.IntegrityError as conflict:
        raise Deposed(f"An event of the batch behind {after.position} exists already: {conflict}.") from conflict
    return head
