"""All rows of the read models at one position, in the order of their keys, so that two such sets can be compared."""

import re
import sqlite3
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Any

from msgspec import json

from adapters.read_models_entries import lasting_entry
from adapters.read_models_slices import ENTRIES, FIRST, tag_entry, token_tag_entry
from adapters.sqlite.read_models_store import tracked
from projections.ports import Columns, Entry, Key

BETWEEN = {
    "runs": """
    select id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at,
        detail
    from run_rows where id >= :first and id < :last order by id
    """,
    "attempts": """
    select run, number, detail from attempt_rows where run >= :first and run < :last order by run, number
    """,
    "checkpoint": """
    select stream, position, detail from state_rows where stream >= :first and stream < :last order by stream
    """,
    "waitpoints": """
    select id, environment, status, key_digest, created_at, detail
    from waitpoint_rows where id >= :first and id < :last order by id
    """,
    "schedules": """
    select id, environment, created_at, detail from schedule_rows where id >= :first and id < :last order by id
    """,
    "listings": """
    select stream, environment, kind, place, name, status, position, changed_at, detail
    from listing_rows where stream >= :first and stream < :last order by stream
    """,
    "executions": """
    select id, environment, job, status, scheduled_for
    from execution_rows where id >= :first and id < :last order by id
    """,
}
FROM = {projection: re.sub(r" and \w+ < :last", "", statement) for projection, statement in BETWEEN.items()}
BY_STREAM = {
    "tags": "select environment, tag, run from tag_rows order by run, environment, tag",
    "waitpoint tags": """
    select environment, tag, status, waitpoint from waitpoint_tag_rows order by waitpoint, environment, tag, status
    """,
    "lasting": "select environment, span, born, ended, run from lasting_rows order by run, environment, span, born",
}

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

    def between(self, first: str, last: str | None) -> dict[str, list[Columns]]:
        """The rows of streams from one to another one, by projection, but for those that are read by keys."""
        if last is None:
            return {projection: self._rows(statement, {"first": first}) for projection, statement in FROM.items()}
        names = {"first": first, "last": last}
        return {projection: self._rows(statement, names) for projection, statement in BETWEEN.items()}

    def by_stream(self, projection: str) -> Generator[Columns]:
        """All rows of "tags", "waitpoint tags" or "lasting", in the order of their streams and then of their keys."""
        cursor = self._connection.cursor()
        cursor.row_factory = None
        try:
            yield from cursor.execute(BY_STREAM[projection])
        finally:
            cursor.close()

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


def _list(values: object) -> str:
    return json.encode(values).decode()
