"""All rows of the read models at one position, in the order of their keys, so that two such sets can be compared."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from itertools import count
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import DictRow, TupleRow, tuple_row

from adapters.postgres.database import plain
from adapters.postgres.read_models_schema import spelled
from adapters.postgres.read_models_store import READ_TRACKED, head_and_shape, storable
from adapters.read_models_entries import lasting_entry
from adapters.read_models_slices import ENTRIES, FIRST, tag_entry, token_tag_entry
from adapters.read_models_tables import LEDGER
from projections.ports import Columns, Entry, Key

BETWEEN: dict[str, LiteralString] = {
    "runs": spelled("select {run} from run_rows where id >= %(first)s and id < %(last)s order by id"),
    "attempts": """
    select run, number, detail from attempt_rows where run >= %(first)s and run < %(last)s order by run, number
    """,
    "checkpoint": """
    select stream, position, detail from state_rows where stream >= %(first)s and stream < %(last)s order by stream
    """,
    "waitpoints": """
    select id, environment, status, key_digest, created_at, detail
    from waitpoint_rows where id >= %(first)s and id < %(last)s order by id
    """,
    "schedules": """
    select id, environment, created_at, detail from schedule_rows
    where id >= %(first)s and id < %(last)s order by id
    """,
    "listings": """
    select stream, environment, kind, place, name, status, position, changed_at, detail
    from listing_rows where stream >= %(first)s and stream < %(last)s order by stream
    """,
    "executions": """
    select id, name, job, status, scheduled_for from execution_rows join environments on number = environment
    where id >= %(first)s and id < %(last)s order by id
    """,
}
ENDS: tuple[LiteralString, ...] = (" and id < %(last)s", " and run < %(last)s", " and stream < %(last)s")
BY_STREAM: dict[str, LiteralString] = {
    "tags": "select environment, tag, run from tag_rows order by run, environment, tag",
    "waitpoint tags": """
    select environment, tag, status, waitpoint from waitpoint_tag_rows order by waitpoint, environment, tag, status
    """,
    "lasting": """
    select name, span, born, ended, run from lasting_rows join environments on number = environment
    order by run, name, span, born
    """,
}
ROWS_AT_A_TIME = 2_000
# Of each table no more is read than a slice can need.
STREAMS_AFTER: LiteralString = """
select name from (
    (select id as name from run_rows where id > %(stream)s order by id limit %(limit)s)
    union (select distinct run from attempt_rows where run > %(stream)s order by run limit %(limit)s)
    union (select stream from state_rows where stream > %(stream)s order by stream limit %(limit)s)
    union (select id from waitpoint_rows where id > %(stream)s order by id limit %(limit)s)
    union (select id from execution_rows where id > %(stream)s order by id limit %(limit)s)
    union (select id from schedule_rows where id > %(stream)s order by id limit %(limit)s)
    union (select stream from listing_rows where stream > %(stream)s order by stream limit %(limit)s)
) as named order by name limit %(limit)s
"""
OF_STREAMS: dict[str, LiteralString] = {
    "runs": spelled("select {run} from run_rows where id = any(%s) order by id"),
    "attempts": "select run, number, detail from attempt_rows where run = any(%s) order by run, number",
    "checkpoint": "select stream, position, detail from state_rows where stream = any(%s) order by stream",
    "waitpoints": """
    select id, environment, status, key_digest, created_at, detail
    from waitpoint_rows where id = any(%s) order by id
    """,
    "schedules": "select id, environment, created_at, detail from schedule_rows where id = any(%s) order by id",
    "listings": """
    select stream, environment, kind, place, name, status, position, changed_at, detail
    from listing_rows where stream = any(%s) order by stream
    """,
    "executions": """
    select id, name, job, status, scheduled_for from execution_rows join environments on number = environment
    where id = any(%s) order by id
    """,
}
TAGS_AFTER: LiteralString = """
select environment, tag, run from tag_rows where (environment, tag, run) > (%s, %s, %s)
order by environment, tag, run limit %s
"""
TAGS_AT: LiteralString = """
select environment, tag, run from tag_rows
join unnest(%s::text[], %s::bytea[], %s::text[]) as wanted (environment, tag, run) using (environment, tag, run)
order by environment, tag, run
"""
WAITPOINT_TAGS_AFTER: LiteralString = """
select environment, tag, status, waitpoint from waitpoint_tag_rows
where (environment, tag, status, waitpoint) > (%s, %s, %s, %s)
order by environment, tag, status, waitpoint limit %s
"""
WAITPOINT_TAGS_AT: LiteralString = """
select environment, tag, status, waitpoint from waitpoint_tag_rows
join unnest(%s::text[], %s::bytea[], %s::text[], %s::text[]) as wanted (environment, tag, status, waitpoint)
using (environment, tag, status, waitpoint)
order by environment, tag, status, waitpoint
"""
# Of each environment no more is read than the slice can need, and from where it begins.
LASTING_AFTER: LiteralString = """
with asked (behind, behind_span, behind_born, room) as (values (%s::text, %s::bigint, %s::bigint, %s::bigint))
select name, span, born, ended, run from asked cross join environments cross join lateral (
    select span, born, ended, run from lasting_rows
    where environment = number and (span, born) > (
        case when name = behind then behind_span else -1 end, case when name = behind then behind_born else -1 end
    )
    order by span, born limit room
) as part
where name >= behind order by name, span, born limit (select room from asked)
"""
LASTING_AT: LiteralString = """
select name, span, born, ended, run from lasting_rows join environments on number = environment
join unnest(%s::text[], %s::bigint[], %s::bigint[]) as wanted (name, span, born) using (name, span, born)
order by name, span, born
"""
BY_KEY: dict[str, tuple[LiteralString, LiteralString, Callable[..., Entry]]] = {
    "tags": (TAGS_AFTER, TAGS_AT, tag_entry),
    "waitpoint tags": (WAITPOINT_TAGS_AFTER, WAITPOINT_TAGS_AT, token_tag_entry),
    "lasting": (LASTING_AFTER, LASTING_AT, lasting_entry),
}
"""How the rows are read that are found by no stream: behind a key, and by their keys."""


class PostgresSnapshot:
    """What a transaction sees; it ends with the `with` that it was made in."""

    def __init__(self, connection: Connection[DictRow]) -> None:
        self._connection = connection
        with plain(connection) as cursor:
            self.head, self.is_our_shape = head_and_shape(cursor.execute(READ_TRACKED, (LEDGER,)).fetchall())
        self._names = count()

    def between(self, first: str, last: str | None) -> dict[str, list[Columns]]:
        """The rows of streams from one to another one, by projection, but for those that are read by keys."""
        if last is None:
            return {name: self._rows(_to_the_end(statement), {"first": first}) for name, statement in BETWEEN.items()}
        names = {"first": first, "last": last}
        return {name: self._rows(statement, names) for name, statement in BETWEEN.items()}

    def by_stream(self, projection: str) -> Generator[Columns]:
        """All rows of "tags", "waitpoint tags" or "lasting", in the order of their streams and then of their keys."""
        # A cursor with a name stays in the server, so that not all rows are in memory here.
        with self._connection.cursor(f"rows_{next(self._names)}", row_factory=tuple_row) as cursor:
            cursor.itersize = ROWS_AT_A_TIME
            for environment, second, *rest in cursor.execute(BY_STREAM[projection], binary=True):
                yield environment, _told(second), *rest

    def streams_after(self, stream: str, *, limit: int) -> list[str]:
        """The next streams, by name, that have rows in any projection that is not read by keys."""
        return [name for (name,) in self._rows(STREAMS_AFTER, {"stream": stream, "limit": limit})]

    def of_streams(self, streams: Collection[str]) -> dict[str, list[Entry]]:
        """The rows of these streams, by projection; those that are read by keys are left out."""
        names = ([storable(stream) for stream in streams],)
        return {
            projection: [ENTRIES[projection](*columns) for columns in self._rows(statement, names)]
            for projection, statement in OF_STREAMS.items()
        }

    def rows_after(self, projection: str, key: Key | None, *, limit: int) -> list[Entry]:
        """The next rows of "tags", "waitpoint tags" or "lasting", in the order of their keys; None: the first ones."""
        behind, _, entry_of = BY_KEY[projection]
        return [
            entry_of(environment, _told(second), *rest)
            for environment, second, *rest in self._rows(behind, (*_stored(key or FIRST[projection]), limit))
        ]

    def rows_at(self, projection: str, keys: Collection[Key]) -> list[Entry]:
        """Those of these rows of "tags", "waitpoint tags" or "lasting" that there are."""
        _, at, entry_of = BY_KEY[projection]
        columns = [list(column) for column in zip(*map(_stored, keys), strict=True)]
        rows = self._rows(at, columns) if columns else []
        return [entry_of(environment, _told(second), *rest) for environment, second, *rest in rows]

    def _rows(self, statement: LiteralString, parameters: Mapping[str, object] | Sequence[object]) -> list[TupleRow]:
        with plain(self._connection) as cursor:
            return cursor.execute(statement, parameters).fetchall()


def _to_the_end(statement: LiteralString) -> LiteralString:
    for end in ENDS:
        statement = statement.replace(end, "")
    return statement


def _stored(key: Key) -> tuple[object, ...]:
    """With a tag, the second part of its key, as bytes."""
    environment, second, *rest = key
    return (environment, second if isinstance(second, int) else second.encode(), *rest)


def _told(second: bytes | int) -> str | int:
    return second if isinstance(second, int) else _name_of(second)


def _name_of(tag: bytes) -> str:
    return tag.decode(errors="backslashreplace")  # someone may have put other bytes there
