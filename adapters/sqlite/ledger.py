"""The ledger in one SQLite file."""

import sqlite3
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eventsourcing.persistence import PersistenceError
from msgspec import json

from adapters.codec import NewRow, decode, histories_of, new_row
from adapters.filelock import FileLock
from adapters.hashes import NONE_KEPT, StoredRow, head_of, kept_of, mistakes
from adapters.sqlite.recorder import Datastore, Recorder, insert_behind, last_of
from adapters.tombstones import receipts_in
from domain.errors import LedgerUnavailable
from domain.events import Recorded
from domain.ports import POSITION_MAX, START, Head, Sealed

MEMORY = ":memory:"
IS_RUNNING = "Another engine is running on this database"
READ_AFTER = """
select notification_id, originator_id, originator_version, topic, state from events
where notification_id > ? and notification_id <= ? order by notification_id
"""
READ_STREAMS = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id in (select value from json_each(?)) and notification_id <= ?
order by originator_id, originator_version
"""
READ_BEGINNINGS = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id in (select value from json_each(?)) and originator_version = 1 order by originator_id
"""
READ_ENDINGS = """
select notification_id, originator_id, originator_version, topic, state from events
where (originator_id, originator_version) in (
    select value, (select max(originator_version) from events where originator_id = value) from json_each(?)
) order by originator_id
"""
# From one name to the next in the index, past all the events that each has.
STREAMS_OF = """
with recursive streams (stream) as (
    select min(originator_id) from events where originator_id > :first and originator_id < :last
    union all
    select (select min(originator_id) from events where originator_id > streams.stream and originator_id < :last)
    from streams where streams.stream is not null
)
select stream from streams where stream is not null
"""
# Ids are the kind, an underscore and digits; "`" is the character behind the underscore.
READ_KIND = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id > ? || '_' and originator_id < ? || '`' order by originator_id, originator_version
"""
# Texts as they are: someone may have made them what is no UTF-8, and it is to be said where.
READ_WITH_DIGESTS = """
select notification_id, cast(originator_id as blob), originator_version, cast(topic as blob), state, digest from events
where notification_id > ? order by notification_id limit ?
"""
# All as bytes but the numbers; what else somebody may have put in the place of bytes is then told by its hash.
READ_STORED = """
select notification_id, cast(originator_id as blob), originator_version, cast(topic as blob), cast(state as blob),
    cast(digest as blob)
from events where notification_id > ? and notification_id <= ? order by notification_id limit ?
"""
LAST_BUT_ONE_UPTO = """
select notification_id, cast(digest as blob) from events where notification_id <= ?
order by notification_id desc limit 1 offset 1
"""
# By the index of names: a sum is none to search by.
READ_FROM = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id >= ? and notification_id + 0 <= ? order by originator_id, originator_version
"""
READ_BETWEEN = """
select notification_id, originator_id, originator_version, topic, state from events
where originator_id >= ? and originator_id < ? and notification_id + 0 <= ?
order by originator_id, originator_version
"""
READ_AT = """
select notification_id, originator_id, originator_version, topic, state, digest from events
where notification_id in (select value from json_each(?)) order by notification_id
"""
REPLACE = "update events set state = ? where notification_id = ?"
_SCAN = 5_000


class SqliteLedger:
    """A `Ledger` in a file, or in memory under a `name` when the path is ":memory:".

    `writes` says whether this process means to append: a second one is refused with LedgerUnavailable.
    """

    def __init__(self, path: Path | str, *, writes: bool = True, name: str = "ledger") -> None:
        self._in_memory = in_memory = str(path) == MEMORY
        self._lock = FileLock(Path(f"{path}.lock"), IS_RUNNING) if writes and not in_memory else None
        uri = f"file:{name}?mode=memory&cache=shared" if in_memory else Path(path).absolute().as_uri()
        self._store = Datastore(uri)
        self._recorder = Recorder(self._store)
        self._recorder.create_table()

    def head(self) -> Head:
        """The last event that is committed."""
        with self._reading() as cursor:
            return last_of(cursor)

    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        """Commit the whole batch right behind `after`, or nothing at all.

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
        rows = self._rows("select digest from events where notification_id = ?", (position,))
        return rows[0][0] if rows else None

    def read_after(self, position: int, *, limit: int, upto: int | None = None) -> list[Recorded]:
        """The committed events behind a position, in order, without gaps."""
        last = position + limit if upto is None else min(upto, position + limit)
        return [decode(row) for row in self._rows(READ_AFTER, (position, last))]

    def sealed_after(self, position: int, *, limit: int) -> list[Sealed]:
        """The committed events behind a position, in order, as they are stored: whoever wants them whole verifies."""
        rows = self._rows(READ_WITH_DIGESTS, (position, limit))
        # Someone may have put a text there.
        return [
            Sealed(
                at,
                _text(stream),
                version,
                _text(topic),
                state if isinstance(state, bytes) else str(state).encode(),
                digest,
            )
            for at, stream, version, topic, state, digest in rows
        ]

    def sealed_at(self, positions: Collection[int]) -> list[Sealed]:
        """The events at these positions, in order, as they are stored; those that are not there are left out."""
        return [Sealed(*row) for row in self._rows(READ_AT, (json.encode(sorted(positions)),))]

    def erase(self, states: Mapping[int, bytes], blobs: Collection[str]) -> None:
        """Put other states in the place of those at these positions, and remove these large values."""
        try:
            with self._store.writing() as cursor:
                cursor.executemany(REPLACE, [(state, position) for position, state in states.items()])
                cursor.executemany("delete from blobs where key = ?", [(key,) for key in blobs])
        except (sqlite3.Error, PersistenceError) as error:
            raise LedgerUnavailable(f"Nothing was erased in the ledger: {error}.") from error

    def scrub(self, *, is_whole: bool = False) -> None:
        """Let nothing of what was erased stay behind in the files; in memory there is nothing to do."""
        if self._in_memory:
            return
        try:
            self._store.scrub(is_whole=is_whole)
        except (sqlite3.Error, PersistenceError) as error:
            raise LedgerUnavailable(f"What was erased may still be in the files of the ledger: {error}.") from error

    def read_streams(self, streams: Collection[str], *, upto: int | None = None) -> dict[str, list[Recorded]]:
        """The history of each of these aggregates, up to a position if one is named; those without one are left out."""
        last = POSITION_MAX if upto is None else upto
        return histories_of(self._rows(READ_STREAMS, (json.encode(sorted(streams)), last)))

    def read_between(self, first: str, last: str | None, *, upto: int) -> dict[str, list[Recorded]]:
        """The histories of all aggregates from a name on, in order; `last` is the first one that is left out."""
        if last is None:
            return histories_of(self._rows(READ_FROM, (first, upto)))
        return histories_of(self._rows(READ_BETWEEN, (first, last, upto)))

    def read_beginnings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The first event of each of these aggregates; those that have none are left out."""
        return {row[1]: decode(row) for row in self._rows(READ_BEGINNINGS, (json.encode(sorted(streams)),))}

    def read_endings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The last event of each of these aggregates; those that have none are left out."""
        return {row[1]: decode(row) for row in self._rows(READ_ENDINGS, (json.encode(sorted(streams)),))}

    def streams_of(self, kind: str) -> list[str]:
        """The names of all aggregates of a kind, in order; it takes as long as there are many."""
        return [stream for (stream,) in self._rows(STREAMS_OF, {"first": f"{kind}_", "last": f"{kind}`"})]

    def read_kind(self, kind: str) -> dict[str, list[Recorded]]:
        """The whole history of every aggregate of a kind of which there are few."""
        return histories_of(self._rows(READ_KIND, (kind, kind)))

    def blob(self, key: str) -> bytes | None:
        """A large value, None if there is none (any more)."""
        # As bytes, also where somebody has put a text.
        rows = self._rows("select cast(value as blob) from blobs where key = ?", (key,))
        return rows[0][0] if rows else None

    def verify(self, after: int = 0, upto: int = POSITION_MAX) -> Iterator[str]:
        """A sentence for each place where the log is not what was appended: a gap, an edit, a wrong hash, the clock."""
        before = head_of(self._rows(LAST_BUT_ONE_UPTO, (after,)))
        return mistakes(self._stored(before.position, upto), before, after, receipts_in(self))

    def close(self) -> None:
        """Let go of the file, and of the right to write."""
        self._store.close()
        if self._lock:
            self._lock.release()

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Cursor]:
        """A cursor in a transaction that sees one state of the file."""
        try:
            with self._store.transaction(commit=False) as cursor:
                yield cursor.sqlite_cursor
        except (sqlite3.Error, PersistenceError) as error:
            raise LedgerUnavailable(f"The ledger cannot be read: {error}.") from error

    def _rows(self, statement: str, parameters: Sequence[object] | Mapping[str, object]) -> list[Any]:
        with self._reading() as cursor:
            cursor.row_factory = None  # plain tuples, not the library's rows
            return cursor.execute(statement, parameters).fetchall()

    def _commit(
        self,
        batch: Sequence[NewRow],
        blobs: Mapping[str, bytes],
        after: Head,
        kept: Mapping[int, bytes] = NONE_KEPT,
    ) -> Head:
        try:
            with self._store.writing() as cursor:
                return insert_behind(cursor, batch, blobs, after, kept)
        except (sqlite3.Error, PersistenceError) as error:
            raise LedgerUnavailable(f"The ledger did not take a batch of {len(batch)} events: {error}.") from error

    def _stored(self, position: int, upto: int) -> Iterator[StoredRow]:
        while rows := self._rows(READ_STORED, (position, upto, _SCAN)):
            yield from rows
            if len(rows) < _SCAN:
                return
            position = rows[-1][0]


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
