"""Read models to test with, and all that they hold in the plain dictionaries of the pure fold."""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from adapters.sqlite.read_models import MEMORY, SqliteReadModels
from domain.events import Recorded
from domain.ports import START, Head, Ledger
from projections.attempts import AttemptRow
from projections.fold import StateRow, TagRow
from projections.run_list import RunRow
from tests.adapters.ledgers import LEDGERS
from tests.projections.model import Rows

_names = count()


def in_memory(_folder: Path | None = None) -> SqliteReadModels:
    """New ones, which nobody shares."""
    return SqliteReadModels(MEMORY, name=f"read-models-{next(_names)}")


def in_file(folder: Path) -> SqliteReadModels:
    return SqliteReadModels(folder / "read-models.db")


READ_MODELS: dict[str, Callable[[Path], SqliteReadModels]] = {"sqlite-memory": in_memory, "sqlite-file": in_file}


@contextmanager
def inside(read_models: SqliteReadModels) -> Generator[sqlite3.Cursor]:
    """A cursor with which a test looks into the tables, or does to them what nothing should do."""
    with read_models._store.writing() as cursor:  # pyright: ignore[reportPrivateUsage] - tests may look inside
        yield cursor


def head_of(records: list[Recorded]) -> Head:
    """A head as a ledger might have after these events."""
    position = records[-1].position
    return Head(position, position.to_bytes(32))


def apply(read_models: SqliteReadModels, records: list[Recorded]) -> Head:
    return read_models.apply(records, head_of(records))


def dump(read_models: SqliteReadModels) -> Rows:
    """Every row, by its key."""
    rows = Rows()
    with read_models.snapshot() as snapshot:
        for entries in snapshot.projections.values():
            for entry in entries():
                match entry.row:
                    case RunRow(id=run):
                        rows.runs[run] = entry.row
                    case AttemptRow(run=run, number=number):
                        rows.attempts[run, number] = entry.row
                    case TagRow():
                        rows.tags.add(entry.row)
                    case StateRow(stream=stream):
                        rows.states[stream] = entry.row
                    case _:
                        raise AssertionError(f"No projection writes {entry.row}.")
    return rows


def ledger_of(records: Sequence[Recorded]) -> Ledger:
    ledger = LEDGERS["sqlite-memory"](Path())()
    ledger.append(records, {}, after=START)
    return ledger


def followed(ledger: Ledger, upto: int | None = None) -> SqliteReadModels:
    """Read models that have followed the ledger up to a position."""
    read_models = in_memory()
    records = ledger.read_after(0, limit=10_000, upto=upto)
    digest = ledger.digest_at(len(records))
    assert digest is not None
    read_models.apply(records, Head(len(records), digest))
    return read_models
