"""Connections to PostgreSQL: a pool for whoever reads or follows, and what every connection is set to."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, LiteralString, cast

from eventsourcing.persistence import PersistenceError
from eventsourcing.postgres import ConnectionPool, PostgresDatastore
from psycopg import Connection, Cursor, Error, OperationalError, sql
from psycopg.rows import DictRow, TupleRow, dict_row, tuple_row
from psycopg_pool import PoolTimeout

from adapters.postgres.line import ANSWER_SECONDS, Line, NoAnswer

SCHEMA = "runfold"
POOL_SIZE = 10
WAIT_SECONDS = 5
"""How long a connection may take to be made or to come free; what is asked meanwhile is answered "unavailable" then."""
PING_SECONDS = 2
FRESH_SECONDS = 1.0
"""So long after its last answer a connection counts as one that answers; what is read on it is asked again if not."""
# A peer that went away without a word (a cable, a firewall, a machine that died) is noticed within about ten seconds,
# on this side and on the server's.
CONNECTION: dict[str, Any] = {
    "connect_timeout": WAIT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
SETTINGS = (
    "set tcp_keepalives_idle = 4",
    "set tcp_keepalives_interval = 2",
    "set tcp_keepalives_count = 3",
    "set idle_in_transaction_session_timeout = '10s'",
)


class Database(PostgresDatastore):
    """The library's datastore over a libpq URL. Everything of one Runfold is in one schema."""

    def __init__(self, url: str, schema: str = SCHEMA, *, pool_size: int = POOL_SIZE) -> None:
        super().__init__("", "", "", "", "", schema=schema, originator_id_type="text")
        self.url = url
        self.pool = ConnectionPool[Connection[DictRow]](
            url,
            connection_class=Line[DictRow],
            kwargs={"row_factory": dict_row, "autocommit": True, "application_name": f"runfold {schema}", **CONNECTION},
            min_size=1,
            max_size=pool_size,
            open=False,
            configure=lambda connection: configure(connection, schema),
            timeout=WAIT_SECONDS,
            reconnect_timeout=WAIT_SECONDS,
        )

    @contextmanager
    def get_connection(self, fresh_seconds: float = 0) -> Generator[Connection[DictRow]]:
        """A connection that answers. After a restart of the server, the pool is full of others.

        One that has answered so shortly before is not asked whether it does, which takes as long as a question.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        with ExitStack() as stack:
            connection = stack.enter_context(super().get_connection())
            # The pool can look by itself, but it waits longer after each that is dead, until it gives up.
            while not _answers(connection, fresh_seconds) and time.monotonic() < deadline:
                stack.close()
                connection = stack.enter_context(super().get_connection())
            yield connection

    def rows(
        self, statement: LiteralString, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[TupleRow]:
        """Ask once, outside of any transaction. Raises psycopg's errors and the library's."""
        with self.get_connection(FRESH_SECONDS) as connection:
            try:
                return _rows(connection, statement, parameters)
            except OperationalError as error:
                if isinstance(error, NoAnswer) or not connection.closed:
                    raise
        # It was hung up since it spoke last.
        with self.get_connection() as connection:
            return _rows(connection, statement, parameters)

    @contextmanager
    def writing(self, answer_seconds: float | None = ANSWER_SECONDS) -> Generator[Cursor[TupleRow]]:
        """A cursor in a transaction that commits at the end. Raises psycopg's errors and the library's.

        Without a time for answers, its statements may take as long as tables are large.
        """
        with self._line(answer_seconds) as line, line.transaction(), plain(line) as cursor:
            yield cursor

    def vacuum(self, table: LiteralString, *, is_whole: bool = False) -> None:
        """Free what was deleted from a table, or write all of it anew. Raises psycopg's errors and the library's."""
        how: LiteralString = "full, analyze" if is_whole else "analyze"
        with self._line(None) as line:
            line.execute(f"vacuum ({how}) {table}")

    @contextmanager
    def snapshot(self) -> Generator[Connection[DictRow]]:
        """A connection in a transaction that sees one state of the database. Raises as `rows` does."""
        with self._line(None) as line, line.transaction():
            line.execute("set transaction isolation level repeatable read, read only")
            yield line

    @contextmanager
    def _line(self, answer_seconds: float | None) -> Generator[Line[DictRow]]:
        with self.get_connection() as connection, _allowing(connection, answer_seconds) as line:
            yield line


ERRORS = (Error, PersistenceError)
"""What a database that does not answer, or refuses, raises."""


def told(error: BaseException) -> str:
    """What everybody may be told of such an error: what the server said, or what is ours.

    What libpq says of a connection names the server, which is for the log: it is the cause of what is raised instead.
    """
    if isinstance(error, Error):
        if isinstance(error, NoAnswer | PoolTimeout):
            return str(error)
        return error.diag.message_primary or "the connection to the database failed"
    return told(error.__cause__) if isinstance(error.__cause__, Error) else str(error)


def configure(connection: Connection[Any], schema: str) -> None:
    """See to it that a connection finds our tables, and that neither side waits for a peer that is gone."""
    connection.autocommit = True
    path = sql.SQL("set search_path to {}").format(sql.Identifier(schema))
    connection.execute(sql.SQL("; ").join([*map(sql.SQL, cast("list[LiteralString]", list(SETTINGS))), path]))


def _rows(
    connection: Connection[DictRow], statement: LiteralString, parameters: Sequence[object] | Mapping[str, object]
) -> list[TupleRow]:
    with plain(connection) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def _answers(connection: Connection[DictRow], fresh_seconds: float) -> bool:
    try:
        with _allowing(connection, PING_SECONDS) as line:
            if line.silent_seconds >= fresh_seconds:
                line.execute("")
    except Error:
        return False
    return True


@contextmanager
def _allowing(connection: Connection[DictRow], answer_seconds: float | None) -> Generator[Line[DictRow]]:
    assert isinstance(connection, Line), "the pool makes no others"
    line: Line[DictRow] = connection
    with line.allowing(answer_seconds):
        yield line


def plain(connection: Connection[Any]) -> Cursor[TupleRow]:
    """A cursor that gives tuples, with bytes as they are instead of in hexadecimal."""
    return connection.cursor(binary=True, row_factory=tuple_row)
