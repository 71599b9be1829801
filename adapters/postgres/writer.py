"""The one connection that appends to the log; made when first needed, and anew after it broke."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import Connection

from adapters.codec import NewRow
from adapters.postgres.database import CONNECTION, SCHEMA, configure
from adapters.postgres.line import Line
from adapters.postgres.recorder import channel_of, insert_behind
from domain.errors import Deposed
from domain.ports import Head

ANSWER_SECONDS = 10.0
"""After so long without an answer the connection is given up: it may be dead without either side knowing."""
# A statement that outlives its client must not keep the positions that it inserted for long.
SETTINGS = "set lock_timeout = '5s'; set statement_timeout = '10s'"
END = """
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = %s and datname = current_database() and pid <> pg_backend_pid()
"""


def name_of(schema: str) -> str:
    """How writers are known among all connections to a database: whoever takes over ends those of the former one."""
    return f"runfold writer {schema}"[:63]


class Writer:
    """Belongs to one thread at a time. Any error of psycopg's leaves it open whether the batch landed."""

    def __init__(self, url: str, schema: str = SCHEMA, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._url = url
        self._schema = schema
        self._answer_seconds = answer_seconds
        self._line: Line | None = None
        self._lost = 0

    def append(self, batch: Sequence[NewRow], blobs: Mapping[str, bytes], after: Head) -> Head:
        """Insert the batch right behind `after`. Raises Deposed, psycopg's errors, TimeoutError."""
        line = self._line = self._line or Line(self._connect(), self._answer_seconds)
        try:
            with line.in_time():
                return insert_behind(line.connection, batch, blobs, after, channel_of(self._schema))
        except Deposed:
            raise
        except BaseException:
            self._lost = line.connection.info.backend_pid
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        if self._line:
            self._line.close()
            self._line = None

    def _connect(self) -> Connection[Any]:
        connection = psycopg.connect(self._url, application_name=name_of(self._schema), **CONNECTION)
        try:
            configure(connection, self._schema)
            connection.execute(SETTINGS)
            if self._lost:
                # What it has not committed by now it never will, so that nothing waits for it.
                connection.execute(f"{END} and pid = %s", (name_of(self._schema), self._lost))
        except BaseException:
            connection.close()
            raise
        return connection
