"""All rows of the read models at one position, in the order of their keys, so that two such sets can be compared."""

import sqlite3
from collections.abc import Callable, Iterator

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
from adapters.sqlite.read_models_store import tracked
from projections.fold import TagRow
from projections.ports import Entry

RUNS = """
select id, environment, task, queue, status, version, batch, schedule, is_test, created_at, finished_at, detail
from run_rows order by id
"""
ATTEMPTS = "select run, number, detail from attempt_rows order by run, number"
TAGS = """
select environment, tag, run, coalesce((
    select json_extract(detail, '$.position') from run_rows where id = run and json_valid(detail)
), 0) from tag_rows order by environment, tag, run
"""
STATES = "select stream, position, detail from state_rows order by stream"
WAITPOINTS = "select id, environment, status, key_digest, created_at, detail from waitpoint_rows order by id"
SCHEDULES = "select id, environment, created_at, detail from schedule_rows order by id"
LISTINGS = """
select stream, environment, kind, place, name, status, position, changed_at, detail from listing_rows order by stream
"""
WAITPOINT_TAGS = """
select environment, tag, status, waitpoint, coalesce((
    select json_extract(detail, '$.position') from waitpoint_rows where id = waitpoint and json_valid(detail)
), 0) from waitpoint_tag_rows order by environment, tag, status, waitpoint
"""
EXECUTIONS = """
select id, environment, job, status, scheduled_for, coalesce((
    select json_extract(detail, '$.position') from run_rows
    where run_rows.id = execution_rows.id and json_valid(detail)
), 0) from execution_rows order by id
"""


class SqliteSnapshot:
    """What a read transaction sees; it ends with the `with` that it was made in."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._connection = cursor.connection
        self.head, self.is_our_shape = tracked(cursor)
        self.projections: dict[str, Callable[[], Iterator[Entry]]] = {
            "runs": lambda: self._entries(RUNS, run_entry),
            "attempts": lambda: self._entries(ATTEMPTS, attempt_entry),
            "tags": lambda: self._entries(TAGS, _tag_entry),
            "checkpoint": lambda: self._entries(STATES, state_entry),
            "waitpoints": lambda: self._entries(WAITPOINTS, waitpoint_entry),
            "schedules": lambda: self._entries(SCHEDULES, schedule_entry),
            "listings": lambda: self._entries(LISTINGS, listing_entry),
            "waitpoint tags": lambda: self._entries(WAITPOINT_TAGS, waitpoint_tag_entry),
            "executions": lambda: self._entries(EXECUTIONS, execution_entry),
        }

    def _entries(self, statement: str, entry_of: Callable[..., Entry]) -> Iterator[Entry]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        try:
            for columns in cursor.execute(statement):
                yield entry_of(*columns)
        finally:
            cursor.close()


def _tag_entry(environment: str, tag: str, run: str, position: int) -> Entry:
    return Entry((environment, tag, run), position, TagRow(environment, tag, run))
