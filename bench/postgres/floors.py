"""What PostgreSQL takes at best of the ledger's own events: our append with nothing around it, and a plain COPY."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql

from adapters.postgres.ledger import PostgresLedger
from bench import databases, floors
from bench.figures import Chapter, Figure
from domain.events import Recorded
from domain.ports import START

REPEATS = 3
SIZES = {1: 1_000, 100: 20_000, 2_000: 40_000}
"""How many events go into one commit, and how many are written in all."""
QUICK_PART = 10
COLUMNS = ("notification_id", "originator_id", "originator_version", "topic", "state", "digest")
TYPES = ("int8", "text", "int8", "text", "bytea", "bytea")
COPY = sql.SQL("copy events ({}) from stdin (format binary)").format(sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))
APPEND = "runs that 4 appended events each would allow on PostgreSQL"


def measure(folder: Path, *, quick: bool) -> Chapter:  # noqa: ARG001 (the server has its own folder)
    """Both, in commits of several sizes."""
    part, repeats = (QUICK_PART, 1) if quick else (1, REPEATS)
    events = list(floors.story_events(SIZES[2_000] // part))
    rows = list(floors.rows_of(events))
    figures: list[Figure] = []
    appended: tuple[float, ...] = ()
    with databases.fresh() as url, databases.opened(url) as database:
        assert isinstance(database.ledger, PostgresLedger), "its tables are made now"
        for size, total in SIZES.items():
            count = total // part
            copied = tuple(count / _copy(url, rows[:count], size) for _ in range(repeats))
            appended = tuple(count / _append(url, events[:count], size) for _ in range(repeats))
            plain = f"PostgreSQL: COPY of the same bytes, commits of {size:,}"
            figures += [
                Figure(plain, "events/s", copied),
                Figure(f"PostgreSQL: ledger append, commits of {size:,}", "events/s", appended, floors=(plain,)),
            ]
    figures.append(Figure(APPEND, "runs/s", tuple(each / 4 for each in appended)))
    about = (
        "In process, one connection. Both write the same rows into the same table with its indexes; the append also"
        f" encodes them, links them by hashes, checks its place, and wakes those who listen. {databases.described()}"
    )
    return Chapter("PostgreSQL: floors", about, figures)


def _append(url: str, events: Sequence[Recorded], size: int) -> float:
    _empty(url)
    with closing(PostgresLedger(url, databases.SCHEMA)) as ledger:
        head = ledger.head()
        assert head == START, "it is empty"
        begun = time.perf_counter()
        for start in range(0, len(events), size):
            head = ledger.append(events[start : start + size], {}, after=head)
        return time.perf_counter() - begun


def _copy(url: str, rows: Sequence[tuple[object, ...]], size: int) -> float:
    _empty(url)
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("set search_path to {}").format(sql.Identifier(databases.SCHEMA)))
        begun = time.perf_counter()
        for start in range(0, len(rows), size):
            with cursor.copy(COPY) as copy:
                copy.set_types(TYPES)
                for row in rows[start : start + size]:
                    copy.write_row(row)
        return time.perf_counter() - begun


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("truncate {}").format(sql.Identifier(databases.SCHEMA, "events")))
        # What was written before is not to be written out while the next is measured.
        connection.execute("checkpoint")
