"""The right to write, as a row in the database: one node holds it, for a while, and renews it."""

from typing import Any, LiteralString

from psycopg import sql

from adapters.postgres.database import CONNECTION, ERRORS, SCHEMA, configure, plain, told
from adapters.postgres.line import Line
from adapters.postgres.writer import name_of
from domain.errors import Unavailable

# Until when is told by the clock of the database, the one that all nodes share.
TAKE = """
insert into lease (name, holder, address, until)
values ('writer', %(holder)s, %(address)s, clock_timestamp() + %(lease_ms)s * interval '1 ms')
on conflict (name) do update set holder = excluded.holder, address = excluded.address, until = excluded.until
where lease.holder = excluded.holder or lease.until < clock_timestamp()
returning 1
"""
# Whoever takes it becomes its holder, so one that is still the holder was so all the time, even if it was late.
RENEW = """
update lease set until = clock_timestamp() + %(lease_ms)s * interval '1 ms'
where name = 'writer' and holder = %(holder)s
returning 1
"""
RELEASE = "update lease set until = '-infinity' where name = 'writer' and holder = %s"
HOLDER = "select address from lease where name = 'writer' and until >= clock_timestamp()"
END_FORMER = """
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = %s and datname = current_database()
"""


class PostgresLease:
    """A `Lease` of one node. Calls block and belong to one thread at a time; all may raise Unavailable.

    `address` is where other nodes reach this one, `holder` tells it from all others, also from those at this address.
    """

    def __init__(self, url: str, schema: str = SCHEMA, *, holder: str, address: str, lease_ms: int) -> None:
        self._url = url
        self._schema = schema
        self._holder = holder
        self.address = address
        self.lease_ms = lease_ms
        self._is_held = False
        self._line: Line[Any] | None = None

    def take(self) -> bool:
        """Take the lease if it is free, renew it if it is ours. Whoever takes it ends what the former writer sends.

        A holder that lost it is told so once, even if it is free again: another one may have written meanwhile.
        """
        parameters = {"holder": self._holder, "address": self.address, "lease_ms": self.lease_ms}
        taken = bool(self._ask(RENEW if self._is_held else TAKE, parameters))
        if taken and not self._is_held:
            self._ask(END_FORMER, (name_of(self._schema),))
        self._is_held = taken
        return taken

    def release(self) -> None:
        """Let another node have it at once."""
        self._is_held = False
        self._ask(RELEASE, (self._holder,))
        self._ask("select pg_notify(%s, '')", (self._channel,))

    def holder(self) -> str | None:
        """Where the node is that holds the lease now, None if nobody does."""
        rows = self._ask(HOLDER)
        return str(rows[0][0]) if rows else None

    def wait(self, seconds: float) -> None:
        """Until the lease is released, at most so long."""
        line = self._connected()
        try:
            for _ in line.notifies(timeout=seconds, stop_after=1):
                return
        except ERRORS as error:
            raise self._gone(error) from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._line:
            self._line.close()
            self._line = None

    @property
    def _channel(self) -> str:
        return f"{self._schema}_lease"

    def _ask(self, statement: LiteralString, parameters: Any = ()) -> list[tuple[Any, ...]]:
        line = self._connected()
        try:
            with plain(line) as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        except ERRORS as error:
            raise self._gone(error) from error

    def _connected(self) -> Line[Any]:
        if self._line is None:
            try:
                self._line = self._connect()
            except ERRORS as error:
                raise self._gone(error) from error
        return self._line

    def _connect(self) -> Line[Any]:
        line = Line.connect(self._url, application_name=f"runfold lease {self._schema}"[:63], **CONNECTION)
        line.answer_seconds = self.lease_ms / 1_000
        try:
            configure(line, self._schema)
            line.execute(sql.SQL("listen {}").format(sql.Identifier(self._channel)))
        except BaseException:
            line.close()
            raise
        return line

    def _gone(self, error: Exception) -> Unavailable:
        self.close()
        return Unavailable(f"The lease cannot be asked for: {told(error)}.")
