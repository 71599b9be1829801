"""Connections to a file that others may be opening as well."""

import sqlite3
from contextlib import closing
from time import monotonic, sleep

from eventsourcing.sqlite import SQLITE3_DEFAULT_LOCK_TIMEOUT, SQLiteConnection, SQLiteConnectionPool

AGAIN_SECONDS = 0.01


class PatientPool(SQLiteConnectionPool):
    """The library's pool, which waits for a file that somebody else is making just now.

    The library lets a new file have a write-ahead log. SQLite refuses that at once while another connection is about to
    write, its time-out notwithstanding: whoever has a lock and wants more might wait for ever.
    """

    def _create_connection(self) -> SQLiteConnection:
        if self.is_sqlite_memory_mode or self.is_journal_mode_wal:
            return super()._create_connection()
        seconds = self.lock_timeout or SQLITE3_DEFAULT_LOCK_TIMEOUT
        with closing(sqlite3.connect(self.db_name, uri=True, timeout=seconds)) as connection:
            _change_to_wal(connection, monotonic() + seconds)
            # It is closed behind the other: the last one to be closed would copy the whole log into the file.
            return super()._create_connection()


def _change_to_wal(connection: sqlite3.Connection, end: float) -> None:
    while connection.execute("pragma journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() >= end:
                raise
            sleep(AGAIN_SECONDS)
