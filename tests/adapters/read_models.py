"""The read models that the conformance suite runs on, and all that they hold in the plain dictionaries of the fold."""

# pyright: reportPrivateUsage=false

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import psycopg
from msgspec import Struct
from psycopg import sql

from adapters.postgres.read_models import PostgresReadModels
from adapters.read_models_slices import BY_KEY, entry_of
from adapters.read_models_tables import TABLE_NAMES
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import MEMORY, SqliteReadModels
from domain.events import Recorded
from domain.ports import START, Head, Ledger
from projections.attempts import AttemptRow
from projections.executions import ExecutionRow
from projections.fold import StateRow, TagRow
from projections.lasting import LastingRow
from projections.listings import ListingRow
from projections.ports import Entry, ReadModels, Snapshot
from projections.run_row import RunRow
from projections.schedules import ScheduleRow
from projections.waitpoints import WaitpointRow, WaitpointTagRow
from tests.adapters.ledgers import closing_all
from tests.postgres import database_url, schema_of_its_own
from tests.projections.model import Rows

Tables: TypeAlias = SqliteReadModels | PostgresReadModels
Opener: TypeAlias = Callable[[], Tables]
"""Opens read models: `READ_MODELS` the same ones again, as another process would, `EMPTY` such as hold nothing."""

_names = count()


@contextmanager
def in_memory(_folder: Path) -> Generator[Opener]:
    # They belong to one process, and there to whoever holds this one object.
    read_models = SqliteReadModels(MEMORY, name=f"read-models-{next(_names)}")
    yield lambda: read_models
    read_models.close()


@contextmanager
def in_file(folder: Path) -> Generator[Opener]:
    with closing_all(lambda: SqliteReadModels(folder / "read-models.db")) as opener:
        yield opener


@contextmanager
def in_postgres(_folder: Path | None = None) -> Generator[Opener]:
    with schema_of_its_own() as schema:
        with psycopg.connect(database_url()) as connection:
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        with closing_all(lambda: PostgresReadModels(database_url(), schema)) as opener:
            yield opener


READ_MODELS: dict[str, Callable[[Path], AbstractContextManager[Opener]]] = {
    "sqlite-memory": in_memory,
    "sqlite-file": in_file,
    "postgres": in_postgres,
}


@contextmanager
def always_new() -> Generator[Opener]:
    yield lambda: SqliteReadModels(MEMORY, name=f"read-models-{next(_names)}")


@contextmanager
def emptied() -> Generator[Opener]:
    """The same ones each time, because a schema for each example of a property would take too long."""
    with in_postgres() as opener:
        read_models = opener()

        def empty() -> Tables:
            for table in TABLE_NAMES:
                tamper(read_models, f"delete from {table}")
            tamper(read_models, "update tracked set notification_id = ?, digest = ?", *START)
            return read_models

        yield empty


EMPTY: dict[str, Callable[[], AbstractContextManager[Opener]]] = {"sqlite": always_new, "postgres": emptied}


def tamper(read_models: Tables, statement: str, *parameters: object) -> int:
    """Do to the tables what nothing should do; returns to how many rows."""
    if isinstance(read_models, SqliteReadModels):
        with read_models._store.writing() as cursor:
            return cursor.execute(statement, parameters).rowcount
    with read_models._store.writing() as cursor:
        return cursor.execute(statement.replace("?", "%s").encode(), parameters).rowcount


def forget(read_models: Tables) -> None:
    """As after a start: rows of unfinished runs are no longer in memory."""
    read_models._known.forget()


def tables_and_indexes(read_models: Tables) -> list[str]:
    """What there is, without the names that each rebuild gives to its indexes."""
    if isinstance(read_models, SqliteReadModels):
        with read_models._store.reading() as cursor:
            names = cursor.execute("select name from sqlite_schema where sql is not null").fetchall()
        return sorted(re.sub(r"_\d+$", "", name) for (name,) in names if not name.startswith("sqlite_"))
    tables = read_models._store.rows("select tablename from pg_tables where schemaname = current_schema()")
    indexes = read_models._store.rows("select indexdef from pg_indexes where schemaname = current_schema()")
    return sorted(re.sub(r"INDEX \S+", "INDEX", text) for (text,) in [*tables, *indexes])


def head_of(records: list[Recorded]) -> Head:
    """A head as a ledger might have after these events."""
    position = records[-1].position
    return Head(position, position.to_bytes(32))


def apply(read_models: ReadModels, records: list[Recorded]) -> Head:
    return read_models.apply(records, head_of(records))


_PLACES: dict[type[Struct], Callable[[Rows], dict[Any, Any]]] = {
    RunRow: lambda rows: rows.runs,
    AttemptRow: lambda rows: rows.attempts,
    StateRow: lambda rows: rows.states,
    WaitpointRow: lambda rows: rows.waitpoints,
    ExecutionRow: lambda rows: rows.executions,
    ScheduleRow: lambda rows: rows.schedules,
    LastingRow: lambda rows: rows.lasting,
    ListingRow: lambda rows: rows.listings,
}


def dump(read_models: ReadModels) -> Rows:
    """Every row, by its key."""
    rows = Rows()
    with read_models.snapshot() as snapshot:
        for entries in entries_of(snapshot).values():
            for entry in entries:
                match entry.row:
                    case TagRow():
                        rows.tags.add(entry.row)
                    case WaitpointTagRow():
                        rows.waitpoint_tags.add(entry.row)
                    case row:
                        first, *more = entry.key
                        _PLACES[type(row)](rows)[entry.key if more else first] = row
    return rows


def entries_of(snapshot: Snapshot) -> dict[str, list[Entry]]:
    """All rows, by projection."""
    rows = snapshot.between("", None) | {name: list(snapshot.by_stream(name)) for name in BY_KEY}
    return {name: [entry_of(name, columns, {}) for columns in found] for name, found in rows.items()}


def ledger_of(records: Sequence[Recorded]) -> SqliteLedger:
    ledger = SqliteLedger(MEMORY, name=uuid4().hex)
    ledger.append(records, {}, after=START)
    return ledger


def follow(read_models: ReadModels, ledger: Ledger, upto: int | None = None) -> None:
    """Bring read models that hold nothing to this position of the ledger."""
    records = ledger.read_after(0, limit=10_000, upto=upto)
    digest = ledger.digest_at(len(records))
    assert digest is not None
    read_models.apply(records, Head(len(records), digest))
