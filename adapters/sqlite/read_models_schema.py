"""The tables of the read models, twice where a rebuild needs them: as they are read, and as they are written anew."""

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from domain.states import KINDS
from projections import checkpoint
from projections.attempts import AttemptRow
from projections.fold import FOLD
from projections.run_list import RunRow

At: TypeAlias = Callable[[str], str]
"""Which of the two sets of tables a statement means."""


def current(statement: str) -> str:
    """The tables that are read."""
    return statement


def following(statement: str) -> str:
    """The tables that a rebuild writes, until they are swapped with those that are read."""
    return statement.replace("_rows", "_rows_next")


# Columns are what is filtered or sorted on; the rest of a row is JSON in `detail`.
TABLES = (
    """
    create table if not exists run_rows (
        id text primary key,
        environment text not null,
        task text not null,
        queue text not null,
        status text not null,
        version text,
        batch text,
        is_test integer not null,
        created_at integer not null,
        finished_at integer,
        detail text not null
    )
    """,
    """
    create table if not exists attempt_rows (
        run text not null,
        number integer not null,
        detail text not null,
        primary key (run, number)
    ) without rowid
    """,
    """
    create table if not exists tag_rows (
        environment text not null,
        tag text not null,
        run text not null,
        primary key (environment, tag, run)
    ) without rowid
    """,
    """
    create table if not exists state_rows (
        stream text primary key,
        position integer not null,
        detail text not null
    ) without rowid
    """,
)
COUNTS = {
    "run_rows": "select count(*) from run_rows",
    "attempt_rows": "select count(*) from attempt_rows",
    "tag_rows": "select count(*) from tag_rows",
    "state_rows": "select count(*) from state_rows",
}
TABLE_NAMES = tuple(COUNTS)

# Each index costs every run, so there are as few as lists can do with: one per task and status also finds the runs of
# a status, task by task; most runs are in the queue of their task, have no batch, and are finished soon.
# An index keeps its name when its table is renamed, so names end with the number of the rebuild that made them.
INDEXES = (
    "create index if not exists runs_newest_{rebuild} on run_rows (environment, id)",
    "create index if not exists runs_of_task_{rebuild} on run_rows (environment, task, status, id)",
    """
    create index if not exists runs_of_queue_{rebuild} on run_rows (environment, queue, id)
    where queue <> 'task/' || task
    """,
    "create index if not exists runs_of_batch_{rebuild} on run_rows (batch, id) where batch is not null",
    """
    create index if not exists unfinished_runs_{rebuild} on run_rows (environment, queue, status, finished_at)
    where finished_at is null
    """,
)

# The library's tracking table, with the rolling hash of the ledger at that event and the shape of the rows.
TRACKED = """
create table if not exists tracked (
    application_name text primary key,
    notification_id integer not null,
    digest blob not null,
    shape text not null
) without rowid
"""


def indexes(rebuild: int) -> list[str]:
    """The statements that make the indexes in the tables that the `rebuild`-th rebuild wrote."""
    return [statement.format(rebuild=rebuild) for statement in INDEXES]


def _shape() -> str:
    rows = checkpoint.shape_of([RunRow, AttemptRow, *(KINDS[kind] for kind in sorted(KINDS))])
    return hashlib.sha256("\n".join([str(FOLD), rows, *TABLES, *INDEXES]).encode()).hexdigest()


SHAPE = _shape()
"""What the rows must have been written as: the tables, the structs in them, and the number of the fold."""
