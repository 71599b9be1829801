"""The ledger in a PostgreSQL database."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import LiteralString

from psycopg.rows import TupleRow

from adapters.codec import NewRow, decode, histories_of, new_row
from adapters.hashes import NONE_KEPT, StoredRow, head_of, kept_of, mistakes
from adapters.postgres.database import ERRORS, SCHEMA, Database, told
from adapters.postgres.recorder import LAST
from adapters.postgres.writer import Writer
from adapters.tombstones import receipts_in
from domain.errors import LedgerUnavailable
from domain.events import Recorded
from domain.ports import POSITION_MAX, START, Head, Sealed

READ_AFTER = """
select notification_id, originator_id, originator_version, topic, state from events
where notification_id > %s and notification_id <= %s order by notification_id
"""
# Found by the streams alone: before the server has counted a new table, it would read the index of all positions, too.
READ_STREAMS = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id = any(%s) and notification_id + 0 <= %s order by originator_id, originator_version
"""
READ_BEGINNINGS = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id = any(%s) and originator_version = 1 order by originator_id
"""
READ_ENDINGS = """
select last.* from unnest(%s::text[]) as wanted (stream) cross join lateral (
    select notification_id, originator_id, originator_version, topic, state from events
    where originator_id = wanted.stream order by originator_version desc limit 1
) as last order by last.originator_id
"""
# From one name to the next in the index, past all the events that each has.
STREAMS_OF = """
with recursive streams (stream) as (
    (select originator_id from events where originator_id > %s and originator_id < %s order by 1 limit 1)
    union all
    select (
        select originator_id from events where originator_id > streams.stream and originator_id < %s order by 1 limit 1
    ) from streams where streams.stream is not null
)
select stream from streams where stream is not null
"""
# Ids are the kind, an underscore and digits; "`" is the character behind the underscore.
READ_KIND = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id > %s and originator_id < %s order by originator_id, originator_version
"""
READ_WITH_DIGESTS = """
select notification_id, originator_id, originator_version, topic, state, digest from events
where notification_id > %s order by notification_id limit %s
"""
# All as bytes but the numbers, as SQLite has it.
READ_STORED = """
select notification_id, convert_to(originator_id, 'UTF8'), originator_version, convert_to(topic, 'UTF8'), state, digest
from events where notification_id > %s and notification_id <= %s order by notification_id limit %s
"""
LAST_BUT_ONE_UPTO = """
select notification_id, digest from events where notification_id <= %s order by notification_id desc limit 1 offset 1
"""
# By the index of names: a sum is none to search by.
READ_FROM = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id >= %s and notification_id + 0 <= %s order by originator_id, originator_version
"""
READ_BETWEEN = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id >= %s and originator_id < %s and notification_id + 0 <= %s
order by originator_id, originator_version
"""
READ_AT = """
select notification_id, originator_id, originator_version, topic, state, digest from events
where notification_id = any(%s) order by notification_id
"""
REPLACE = """
update events set state = new.state from unnest(%s::bigint[], %s::bytea[]) as new (position, state)
where notification_id = new.position
"""
TABLES: tuple[LiteralString, ...] = ("events", "blobs")
_SCAN = 5_000


class PostgresLedger:
    """A `Ledger` in one schema of a database that was migrated.

    Any number of processes may read it. Each may append; all but the one behind whose event they append are deposed.
    """

    def __init__(self, url: str, schema: str = SCHEMA) -> None:
        self._database = Database(url, schema)
        self._writer = Writer(url, schema)

    def head(self) -> Head:
        """The last event that is committed."""
        rows = self._rows(LAST)
        return Head(*rows[0]) if rows else START

    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        """Commit the whole batch right behind `after`, or nothing at all. Called from one thread at a time.

        Raises Deposed when another writer, or a lost tail, stands where `after` should be,
        LedgerUnavailable when it is not known whether the batch landed.
        """
        return self._commit([new_row(recorded) for recorded in batch], blobs, after)

    def restore(self, batch: Sequence[Sealed], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        """Commit the whole batch, as it was stored elsewhere, right behind `after`, or nothing at all.

        The digest of each event is computed anew, but where it was erased. Raises as `append` does.
        """
        return self._commit([event[1:5] for event in batch], blobs, after, kept_of(batch))

    def digest_at(self, position: int) -> bytes | None:
        """The rolling hash up to a position, None past the head."""
        if position == 0:
            return START.digest
        rows = self._rows("select digest from events where notification_id = %s", position)
        return rows[0][0] if rows else None

    def read_after(self, position: int, *, limit: int, upto: int | None = None) -> list[Recorded]:
        """The committed events behind a position, in order, without gaps."""
        last = position + limit if upto is None else min(upto, position + limit)
        return [decode(row) for row in self._rows(READ_AFTER, position, last)]

    def sealed_after(self, position: int, *, limit: int) -> list[Sealed]:
        """The committed events behind a position, in order, as they are stored: whoever wants them whole verifies."""
        return [Sealed(*row) for row in self._rows(READ_WITH_DIGESTS, position, limit)]

    def sealed_at(self, positions: Collection[int]) -> list[Sealed]:
        """The events at these positions, in order, as they are stored; those that are not there are left out."""
        return [Sealed(*row) for row in self._rows(READ_AT, list(positions))]

    def erase(self, states: Mapping[int, bytes], blobs: Collection[str]) -> None:
        """Put other states in the place of those at these positions, and remove these large values."""
        try:
            with self._database.writing() as cursor:
                cursor.execute(REPLACE, (list(states), list(states.values())))
                cursor.execute("delete from blobs where key = any(%s)", (list(blobs),))
        except ERRORS as error:
            raise LedgerUnavailable(f"Nothing was erased in the ledger: {told(error)}.") from error

    def scrub(self, *, is_whole: bool = False) -> None:
        """Free the place of what was erased: no statement finds it any more. The server writes over it by and by.

        If `is_whole`, the tables are written anew, for which all others wait.
        """
        try:
            for table in TABLES:
                self._database.vacuum(table, is_whole=is_whole)
        except ERRORS as error:
            raise LedgerUnavailable(f"What was erased still takes its place: {told(error)}.") from error

    def read_streams(self, streams: Collection[str], *, upto: int | None = None) -> dict[str, list[Recorded]]:
        """The history of each of these aggregates, up to a position if one is named; those without one are left out."""
        last = POSITION_MAX if upto is None else upto
        return histories_of(self._rows(READ_STREAMS, sorted(filter(_is_storable, streams)), last))

    def read_between(self, first: str, last: str | None, *, upto: int) -> dict[str, list[Recorded]]:
        """The histories of all aggregates from a name on, in order; `last` is the first one that is left out."""
        if last is None:
            return histories_of(self._rows(READ_FROM, first, upto))
        return histories_of(self._rows(READ_BETWEEN, first, last, upto))

    def read_beginnings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The first event of each of these aggregates; those that have none are left out."""
        rows = self._rows(READ_BEGINNINGS, sorted(filter(_is_storable, streams)))
        return {row[1]: decode((row[0], row[1], row[2], row[3], row[4])) for row in rows}

    def read_endings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The last event of each of these aggregates; those that have none are left out."""
        rows = self._rows(READ_ENDINGS, sorted(filter(_is_storable, streams)))
        return {row[1]: decode((row[0], row[1], row[2], row[3], row[4])) for row in rows}

    def streams_of(self, kind: str) -> list[str]:
        """The names of all aggregates of a kind, in order; it takes as long as there are many."""
        last = f"{kind}`"
        return [row[0] for row in self._rows(STREAMS_OF, f"{kind}_", last, last)]

    def read_kind(self, kind: str) -> dict[str, list[Recorded]]:
        """The whole history of every aggregate of a kind of which there are few."""
        return histories_of(self._rows(READ_KIND, f"{kind}_", f"{kind}`"))

    def blob(self, key: str) -> bytes | None:
        """A large value, None if there is none (any more)."""
        rows = self._rows("select value from blobs where key = %s", key) if _is_storable(key) else []
        return rows[0][0] if rows else None

    def verify(self, after: int = 0, upto: int = POSITION_MAX) -> Iterator[str]:
        """A sentence for each place where the log is not what was appended: a gap, an edit, a wrong hash, the clock."""
        before = head_of(self._rows(LAST_BUT_ONE_UPTO, after))
        return mistakes(self._stored(before.position, upto), before, after, receipts_in(self))

    def close(self) -> None:
        """Let go of the database."""
        self._writer.close()
        self._database.close()

    def _commit(
        self,
        batch: Sequence[NewRow],
        blobs: Mapping[str, bytes],
        after: Head,
        kept: Mapping[int, bytes] = NONE_KEPT,
    ) -> Head:
        try:
            return self._writer.append(batch, blobs, after, kept)
        except ERRORS as error:
            raise LedgerUnavailable(
                f"The ledger did not take a batch of {len(batch)} events: {told(error)}."
            ) from error

    def _stored(self, position: int, upto: int) -> Iterator[StoredRow]:
        while rows := self._rows(READ_STORED, position, upto, _SCAN):
            yield from rows
            if len(rows) < _SCAN:
                return
            position = rows[-1][0]

    def _rows(self, statement: LiteralString, *parameters: object) -> list[TupleRow]:
        try:
            return self._database.rows(statement, parameters)
        except ERRORS as error:
            raise LedgerUnavailable(f"The ledger cannot be read: {told(error)}.") from error


def _is_storable(text: str) -> bool:
    # Whoever asks may name a run as they like.
    return "\0" not in text
