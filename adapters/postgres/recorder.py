"""The library's event recorder on PostgreSQL, over a log whose positions the writer assigns."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg import Connection, Cursor
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow

from adapters.codec import NewRow
from adapters.hashes import NONE_KEPT, seal
from adapters.postgres.arrays import bigints, blobs, texts
from adapters.postgres.database import Database, plain
from adapters.postgres.migrate import migrate
from domain.errors import Deposed
from domain.ports import START, Head

LAST = "select notification_id, digest from events order by notification_id desc limit 1"
# One statement is one transaction and one round trip. Two writers that both see this head contend for the position
# behind it: the second waits for the first, and fails with it or on its unique key. Nothing else is locked.
# The arrays are taken apart as rows go: a function in `from` would be put aside as a whole first.
APPEND = """
with behind as (
    select 1 where %(position)b::bigint = 0 and not exists (select from events)
    union all
    select 1 from events where notification_id = %(position)b::bigint and digest = %(digest)b::bytea
), landed as (
    insert into events (notification_id, originator_id, originator_version, topic, state, digest)
    select unnest(%(positions)b::bigint[]), unnest(%(streams)b::text[]), unnest(%(versions)b::bigint[]),
        unnest(%(topics)b::text[]), unnest(%(states)b::bytea[]), unnest(%(digests)b::bytea[])
    from behind
    returning 1
), large as (
    insert into blobs (key, value)
    select new.key, new.value from behind, unnest(%(keys)b::text[], %(values)b::bytea[]) as new (key, value)
)
select count(*), pg_notify(%(channel)b, '') from landed
"""


class Recorder(PostgresApplicationRecorder):
    """The library's contract over our table: the hot path and the library's own test suite run the same insert."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, events_table_name="events")
        self._database = database
        self.channel_name = channel_of(database.schema)

    def create_table(self) -> None:
        """All of our tables."""
        migrate(self._database.url, self._database.schema)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        """Insert behind the head, whatever it is. Raises the library's IntegrityError for a version that exists."""
        batch = [(str(each.originator_id), each.originator_version, each.topic, each.state) for each in stored_events]
        with self.datastore.get_connection() as connection, connection.transaction():
            connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (self.channel_name,))
            with plain(connection) as cursor:
                before = last_of(cursor)
            try:
                insert_behind(connection, batch, {}, before, self.channel_name)
            except Deposed as conflict:
                raise IntegrityError(conflict) from conflict
        return [before.position + number for number in range(1, len(stored_events) + 1)]


def channel_of(schema: str) -> str:
    """Where every append is announced. Only a wake-up: whoever hears nothing looks by itself now and then."""
    return f"{schema}_events"


def last_of(cursor: Cursor[TupleRow]) -> Head:
    """The head of the log."""
    row = cursor.execute(LAST).fetchone()
    return Head(*row) if row else START


def insert_behind(
    connection: Connection[Any],
    batch: Sequence[NewRow],
    values: Mapping[str, bytes],
    after: Head,
    channel: str,
    kept: Mapping[int, bytes] = NONE_KEPT,
) -> Head:
    """Insert the batch right behind `after`. Raises Deposed, and nothing was inserted, if that is not the head."""
    rows, head = seal(batch, after, kept)
    positions, streams, versions, topics, states, digests = zip(*rows, strict=True)
    parameters = {
        "position": after.position,
        "digest": after.digest,
        "positions": bigints(positions),
        "streams": texts(streams),
        "versions": bigints(versions),
        "topics": texts(topics),
        "states": blobs(states),
        "digests": blobs(digests),
        "keys": texts(list(values)),
        "values": blobs(list(values.values())),
        "channel": channel,
    }
    try:
        with plain(connection) as cursor:
            (landed, _), *_ = cursor.execute(APPEND, parameters).fetchall()
    except UniqueViolation as conflict:
        raise Deposed(f"An event of the batch behind {after.position} exists already: {conflict}.") from conflict
    if landed != len(batch):
        raise Deposed(f"The head of the ledger is not event {after.position} as it was left.")
    return head
