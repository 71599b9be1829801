"""All rows of the read models at one position, in the order of their keys, so that two such sets can be compared."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import json

from adapters.read_models_entries import (
    attempt_entry,
    execution_entry,
    lasting_entry,
    listing_entry,
    run_entry,
    schedule_entry,
    state_entry,
    waitpoint_entry,
    waitpoint_tag_entry,
)
from adapters.read_models_slices import ENTRIES, FIRST, tag_entry, token_tag_entry
from adapters.sqlite.read_models_store import tracked
from projections.fold import TagRow
from projections.ports import Entry, Key

RUNS = """
select id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at, detail
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
LASTING = """
select environment, span, born, ended, run from lasting_rows order by environment, span, born
"""
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

# Of each table no more is read than a slice can need.
STREAMS_AFTER = """
select name from (
    select name from (select id as name from run_rows where id > :stream order by id limit :limit)
    union select * from (select distinct run from attempt_rows where run > :stream order by run limit :limit)
    union select * from (select stream from state_rows where stream > :stream order by stream limit :limit)
    union select * from (select id from waitpoint_rows where id > :stream order by id limit :limit)
    union select * from (select id from execution_rows where id > :stream order by id limit :limit)
    union select * from (select id from schedule_rows where id > :stream order by id limit :limit)
    union select * from (select stream from listing_rows where stream > :stream order by stream limit :limit)
) order by name limit :limit
"""
OF_STREAMS = {
    "runs": """
    select id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at,
        detail
    from run_rows where id in (select value from json_each(?)) order by id
    """,
    "attempts": """
    select run, number, detail from attempt_rows where run in (select value from json_each(?)) order by run, number
    """,
    "checkpoint": """
    select stream, position, detail from state_rows where stream in (select value from json_each(?)) order by stream
    """,
    "waitpoints": """
    select id, environment, status, key_digest, created_at, detail
    from waitpoint_rows where id in (select value from json_each(?)) order by id
    """,
    "schedules": """
    select id, environment, created_at, detail
    from schedule_rows where id in (select value from json_each(?)) order by id
    """,
    "listings": """
    select stream, environment, kind, place, name, status, position, changed_at, detail
    from listing_rows where stream in (select value from json_each(?)) order by stream
    """,
    "executions": """
    select id, environment, job, status, scheduled_for
    from execution_rows where id in (select value from json_each(?)) order by id
    """,
}
TAGS_AFTER = """
select environment, tag, run from tag_rows where (environment, tag, run) > (?, ?, ?)
order by environment, tag, run limit ?
"""
TAGS_AT = """
select environment, tag, run from tag_rows where (environment, tag, run) in (
    select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(?)
) order by environment, tag, run
"""
WAITPOINT_TAGS_AFTER = """
select environment, tag, status, waitpoint from waitpoint_tag_rows
where (environment, tag, status, waitpoint) > (?, ?, ?, ?)
order by environment, tag, status, waitpoint limit ?
"""
WAITPOINT_TAGS_AT = """
select environment, tag, status, waitpoint from waitpoint_tag_rows where (environment, tag, status, waitpoint) in (
    select json_extract(value, '$[0]'), json_extract(value, '$[1]'),
    json_extract(value, '$[2]'), json_extract(value, '$[3]') from json_each(?)
) order by environment, tag, status, waitpoint
"""
LASTING_AFTER = """
select environment, span, born, ended, run from lasting_rows where (environment, span, born) > (?, ?, ?)
order by environment, span, born limit ?
"""
LASTING_AT = """
select environment, span, born, ended, run from lasting_rows where (environment, span, born) in (
    select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') from json_each(?)
) order by environment, span, born
"""
BY_KEY: dict[str, tuple[str, str, Callable[..., Entry]]] = {
    "tags": (TAGS_AFTER, TAGS_AT, tag_entry),
    "waitpoint tags": (WAITPOINT_TAGS_AFTER, WAITPOINT_TAGS_AT, token_tag_entry),
    "lasting": (LASTING_AFTER, LASTING_AT, lasting_entry),
}
"""How the rows are read that are found by no stream: behind a key, and by their keys."""


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
            "lasting": lambda: self._entries(LASTING, lasting_entry),
            "listings": lambda: self._entries(LISTINGS, listing_entry),
            "waitpoint tags": lambda: self._entries(WAITPOINT_TAGS, waitpoint_tag_entry),
            "executions": lambda: self._entries(EXECUTIONS, execution_entry),
        }

    def streams_after(self, stream: str, *, limit: int) -> list[str]:
        """The next streams, by name, that have rows in any projection that is not read by keys."""
        return [name for (name,) in self._rows(STREAMS_AFTER, {"stream": stream, "limit": limit})]

    def of_streams(self, streams: Collection[str]) -> dict[str, list[Entry]]:
        """The rows of these streams, by projection; those that are read by keys are left out."""
        names = (_list(streams),)
        return {
            projection: [ENTRIES[projection](*columns) for columns in self._rows(statement, names)]
            for projection, statement in OF_STREAMS.items()
        }

    def rows_after(self, projection: str, key: Key | None, *, limit: int) -> list[Entry]:
        """The next rows of "tags", "waitpoint tags" or "lasting", in the order of their keys; None: the first ones."""
        behind, _, entry_of = BY_KEY[projection]
        return [entry_of(*columns) for columns in self._rows(behind, (*(key or FIRST[projection]), limit))]

    def rows_at(self, projection: str, keys: Collection[Key]) -> list[Entry]:
        """Those of these rows of "tags", "waitpoint tags" or "lasting" that there are."""
        _, at, entry_of = BY_KEY[projection]
        return [entry_of(*columns) for columns in self._rows(at, (_list(keys),))]

    def _rows(self, statement: str, parameters: Mapping[str, object] | Sequence[object]) -> list[Any]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        try:
            return cursor.execute(statement, parameters).fetchall()
        finally:
            cursor.close()

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


def _list(values: object) -> str:
    return json.encode(values).decode()
