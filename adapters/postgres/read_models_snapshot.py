"""All rows of the read models at one position, in the order of their keys, so that two such sets can be compared."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, LiteralString

from msgspec import Struct, json
from psycopg import Connection
from psycopg.rows import DictRow, tuple_row

from adapters.postgres.database import plain
from adapters.postgres.read_models_store import READ_TRACKED, head_and_shape
from adapters.read_models_entries import (
    attempt_entry,
    execution_entry,
    listing_entry,
    run_entry,
    schedule_entry,
    state_entry,
    waitpoint_entry,
    waitpoint_tag_entry,
)
from adapters.read_models_tables import LEDGER
from projections.fold import TagRow
from projections.ports import Entry

RUNS: LiteralString = """
select id, environment, task, queue, status, version, batch, schedule, is_test, created_at, finished_at, detail
from run_rows order by id
"""
ATTEMPTS: LiteralString = "select run, number, detail from attempt_rows order by run, number"
TAGS: LiteralString = """
select tag_rows.environment, tag, run, detail from tag_rows left join run_rows on id = run
order by tag_rows.environment, tag, run
"""
STATES: LiteralString = "select stream, position, detail from state_rows order by stream"
WAITPOINTS: LiteralString = """
select id, environment, status, key_digest, created_at, detail from waitpoint_rows order by id
"""
SCHEDULES: LiteralString = "select id, environment, created_at, detail from schedule_rows order by id"
LISTINGS: LiteralString = """
select stream, environment, kind, place, name, status, position, changed_at, detail from listing_rows order by stream
"""
WAITPOINT_TAGS: LiteralString = """
select tagged.environment, tag, tagged.status, waitpoint, detail
from waitpoint_tag_rows as tagged left join waitpoint_rows on id = waitpoint
order by tagged.environment, tag, tagged.status, waitpoint
"""
EXECUTIONS: LiteralString = """
select execution.id, execution.environment, job, execution.status, scheduled_for, detail
from execution_rows as execution left join run_rows on run_rows.id = execution.id order by execution.id
"""
ROWS_AT_A_TIME = 2_000


class _Detail(Struct):
    """What is needed of the row of a run or a token to say when its tags last changed."""

    position: int


class PostgresSnapshot:
    """What a transaction sees; it ends with the `with` that it was made in."""

    def __init__(self, connection: Connection[DictRow]) -> None:
        self._connection = connection
        with plain(connection) as cursor:
            self.head, self.is_our_shape = head_and_shape(cursor.execute(READ_TRACKED, (LEDGER,)).fetchall())
        self.projections: dict[str, Callable[[], Iterator[Entry]]] = {
            "runs": lambda: self._entries(RUNS, run_entry),
            "attempts": lambda: self._entries(ATTEMPTS, attempt_entry),
            "tags": lambda: self._entries(TAGS, _tag_entry),
            "checkpoint": lambda: self._entries(STATES, state_entry),
            "waitpoints": lambda: self._entries(WAITPOINTS, waitpoint_entry),
            "schedules": lambda: self._entries(SCHEDULES, schedule_entry),
            "listings": lambda: self._entries(LISTINGS, listing_entry),
            "waitpoint tags": lambda: self._entries(WAITPOINT_TAGS, _waitpoint_tag_entry),
            "executions": lambda: self._entries(EXECUTIONS, _execution_entry),
        }
        self._names = count()

    def _entries(self, statement: LiteralString, entry_of: Callable[..., Entry]) -> Iterator[Entry]:
        # A cursor with a name stays in the server, so that not all rows are in memory here.
        with self._connection.cursor(f"entries_{next(self._names)}", row_factory=tuple_row) as cursor:
            cursor.itersize = ROWS_AT_A_TIME
            for columns in cursor.execute(statement, binary=True):
                yield entry_of(*columns)


def _tag_entry(environment: str, tag: bytes, run: str, detail: str | None) -> Entry:
    name = _name_of(tag)
    return Entry((environment, name, run), _position(detail), TagRow(environment, name, run))


def _waitpoint_tag_entry(environment: str, tag: bytes, status: str, waitpoint: str, detail: str | None) -> Entry:
    return waitpoint_tag_entry(environment, _name_of(tag), status, waitpoint, _position(detail))


def _execution_entry(*columns: Any) -> Entry:
    *row, detail = columns
    return execution_entry(*row, _position(detail))


def _name_of(tag: bytes) -> str:
    return tag.decode(errors="backslashreplace")  # someone may have put other bytes there


def _position(detail: Any) -> int:
    try:
        return json.decode(detail, type=_Detail).position
    except (ValueError, TypeError):
        return 0
