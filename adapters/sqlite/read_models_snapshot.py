"""All rows of the read models at one position, in the order of their keys, so that two such sets can be compared."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from adapters.sqlite.read_models_rows import to_attempt, to_run, to_state
from adapters.sqlite.read_models_store import tracked
from projections.fold import StateRow, TagRow
from projections.ports import Entry

RUNS = """
select id, environment, task, queue, status, version, batch, is_test, created_at, finished_at, detail
from run_rows order by id
"""
ATTEMPTS = "select run, number, detail from attempt_rows order by run, number"
TAGS = """
select environment, tag, run, coalesce((
    select json_extract(detail, '$.position') from run_rows where id = run and json_valid(detail)
), 0) from tag_rows order by environment, tag, run
"""
STATES = "select stream, position, detail from state_rows order by stream"


class Unreadable(Struct, frozen=True):
    """A row that no projection can have written."""

    error: str


class SqliteSnapshot:
    """What a read transaction sees; it ends with the `with` that it was made in."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._connection = cursor.connection
        self.head, self.is_our_shape = tracked(cursor)
        self.projections: dict[str, Callable[[], Iterator[Entry]]] = {
            "runs": lambda: self._entries(RUNS, _run),
            "attempts": lambda: self._entries(ATTEMPTS, _attempt),
            "tags": lambda: self._entries(TAGS, _tag),
            "checkpoint": lambda: self._entries(STATES, _state),
        }

    def _entries(self, statement: str, entry_of: Callable[..., Entry]) -> Iterator[Entry]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        try:
            for columns in cursor.execute(statement):
                yield entry_of(*columns)
        finally:
            cursor.close()


def _read(row_of: Callable[[], Struct]) -> Struct:
    try:
        return row_of()
    except (ValueError, TypeError, KeyError) as error:
        return Unreadable(str(error))


def _run(*columns: Any) -> Entry:
    row = _read(lambda: to_run(columns))
    return Entry((columns[0],), getattr(row, "position", 0), row)


def _attempt(run: str, number: int, detail: str) -> Entry:
    row = _read(lambda: to_attempt(detail))
    return Entry((run, number), getattr(row, "position", 0), row)


def _tag(environment: str, tag: str, run: str, position: int) -> Entry:
    return Entry((environment, tag, run), position, TagRow(environment, tag, run))


def _state(stream: str, position: int, detail: str) -> Entry:
    return Entry((stream,), position, _read(lambda: StateRow(stream, position, to_state(stream, detail))))
