"""The one connection that appends to the log; made when first needed, and anew after it broke."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.codec import NewRow
from adapters.hashes import NONE_KEPT
from adapters.postgres.database import CONNECTION, SCHEMA, configure
from adapters.postgres.line import ANSWER_SECONDS, Line
from adapters.postgres.recorder import channel_of, insert_behind
from domain.errors import Deposed
from domain.ports import Head

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
        self._line: Line[Any] | None = None
        self._lost = 0
        """The server's process behind the former connection, if that broke."""

    def append(
        self,
        batch: Sequence[NewRow],
        blobs: Mapping[str, bytes],
        after: Head,
        kept: Mapping[int, bytes] = NONE_KEPT,
    ) -> Head:
        """Insert the batch right behind `after`. Raises Deposed, psycopg's errors."""
        line = self._line = self._line or self._connect()
        try:
            return insert_behind(line, batch, blobs, after, channel_of(self._schema), kept)
        except Deposed:
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        if self._line:
            self._line.close()
            self._line = None

    def _connect(self) -> Line[Any]:
        line = Line.connect(self._url, application_name=name_of(self._schema), **CONNECTION)
        line.answer_seconds = self._answer_seconds
        try:
            configure(line, self._schema)
            line.execute(SETTINGS)
            if self._lost:
                # What it has not committed by now it never will, so that nothing waits for it.
                line.execute(f"{END} and pid = %s", (name_of(self._schema), self._lost))
            # A line that broke no longer knows.
            self._lost = line.info.backend_pid
        except BaseException:
            line.close()
            raise
        return line
