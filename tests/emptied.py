"""Schemas with all tables of an engine that has never started: made once, and emptied after each test."""

import atexit
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from adapters.postgres.database import configure
from adapters.postgres.migrate import migrate
from adapters.postgres.read_models import PostgresReadModels
from adapters.postgres.read_models_store import track
from adapters.read_models_tables import LEDGER
from domain.ports import START
from tests.postgres import database_url, drop_schema, new_schema

CONTENTS = "select relkind::text, relname from pg_class where relnamespace = current_schema()::regnamespace order by 2"
KEPT = "migrations"


@contextmanager
def emptied_schema() -> Generator[str]:
    """One that nobody else uses meanwhile. To make it and to drop it takes longer than most tests do."""
    schema = _spare.pop() if _spare else _Schema.make()
    with ExitStack() as stack:
        stack.callback(drop_schema, schema.name)
        yield schema.name
        if schema.is_emptied():
            _spare.append(schema)
            stack.pop_all()


@dataclass(frozen=True)
class _Schema:
    name: str
    contents: list[tuple[str, str]]
    """The kinds and names of all tables and indexes. Those that a test made anew have other names."""

    @classmethod
    def make(cls) -> "_Schema":
        url, name = database_url(), new_schema()
        # A database that was given keeps nothing of the tests; one of this process is still there then.
        atexit.register(drop_schema, name)
        migrate(url, name)
        PostgresReadModels(url, name).close()
        with psycopg.connect(url) as connection:
            configure(connection, name)
            return cls(name, _contents(connection))

    def is_emptied(self) -> bool:
        """Whether nothing is in its tables any more; what has other tables than at first cannot be used again."""
        with psycopg.connect(database_url()) as connection:
            configure(connection, self.name)
            if _contents(connection) != self.contents:
                return False
            tables = [sql.Identifier(name) for kind, name in self.contents if kind == "r" and name != KEPT]
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(sql.SQL("; ").join(sql.SQL("delete from {}").format(table) for table in tables))
                # As `create` leaves them.
                cursor.execute("insert into rebuilds values (0)")
                assert track(cursor, LEDGER, START)
        return True


_spare: list[_Schema] = []


def _contents(connection: Connection[Any]) -> list[tuple[str, str]]:
    return connection.execute(CONTENTS).fetchall()
