"""The schema's migrations: plain SQL in numbered files, applied once each and in order; there is no way back."""

from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from adapters.postgres.database import CONNECTION, SCHEMA
from domain.errors import LedgerUnavailable

MIGRATED = "create table if not exists migrations (number int primary key, name text not null, sha256 text not null)"
ENCODING = "UTF8"
LOCK = "select pg_advisory_xact_lock(hashtext('runfold migrations'), hashtext(%s))"


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    statements: str

    @property
    def sha256(self) -> str:
        """How an applied file is known again: one that was changed afterwards is refused."""
        return sha256(self.statements.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All that this version knows, in order."""
    found = [each for each in files("adapters.postgres").joinpath("migrations").iterdir() if each.name.endswith(".sql")]
    return sorted(Migration(int(each.name[:4]), each.name, each.read_text()) for each in found)


def migrate(url: str, schema: str = SCHEMA, *, dry_run: bool = False) -> list[Migration]:
    """Apply what is missing, all of it or nothing, and return it; a dry run only returns it.

    Raises LedgerUnavailable when the database does not answer or does not let us, when it was migrated by a newer
    version or by files that were changed since, or when it does not keep texts in UTF8.
    """
    try:
        with psycopg.connect(url, **CONNECTION) as connection:
            return _migrate(connection, schema, dry_run=dry_run)
    except psycopg.Error as error:
        raise LedgerUnavailable(f"The database cannot be migrated: {_first_line(error)}.") from error


def _migrate(connection: Connection[TupleRow], schema: str, *, dry_run: bool) -> list[Migration]:
    _check_encoding(connection)
    # Nodes that start at the same time wait for one another here.
    connection.execute(LOCK, (schema,))
    if _is_missing(connection, schema):
        if dry_run:
            return migrations()
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("set local search_path to {}").format(sql.Identifier(schema)))
    applied: dict[int, str] = {}
    if connection.execute("select to_regclass('migrations')").fetchall() != [(None,)]:
        applied = dict(connection.execute("select number, sha256 from migrations").fetchall())
    elif not dry_run:
        connection.execute(MIGRATED)
    known = {each.number: each for each in migrations()}
    if unknown := applied.keys() - known.keys():
        raise LedgerUnavailable(f"The database has migration {max(unknown)}, which a newer version of Runfold made.")
    for number, digest in applied.items():
        if known[number].sha256 != digest:
            raise LedgerUnavailable(f"Migration {known[number].name} is not the one that was applied to this database.")
    missing = [each for number, each in sorted(known.items()) if number not in applied]
    for each in [] if dry_run else missing:
        connection.execute(each.statements.encode())
        connection.execute("insert into migrations values (%s, %s, %s)", (each.number, each.name, each.sha256))
    return missing


def _check_encoding(connection: Connection[TupleRow]) -> None:
    """Refuse an encoding that lacks some of the texts that users send. The server says which it has to who connects."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise LedgerUnavailable(
            f"The database {connection.info.dbname} has the encoding {encoding}, and Runfold keeps texts in {ENCODING}:"
            f" make another one with `create database … encoding '{ENCODING}' template template0`,"
            " and restore what is in this one there."
        )


def _is_missing(connection: Connection[TupleRow], schema: str) -> bool:
    return not connection.execute("select from pg_namespace where nspname = %s", (schema,)).fetchall()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
