"""SIGTERM: the node that leaves gives its lease up, so that the next one does not wait for its end."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.ledger import PostgresLedger
from domain.events import WriterStarted
from tests.nodes.cluster import Cluster
from tests.postgres import database_url, schema_of_its_own

LEASE_MS = 20_000
"""Many times what a hand-over takes, however busy the machine is."""


@pytest.fixture
def schema() -> Iterator[str]:
    with schema_of_its_own() as schema:
        yield schema


async def test_the_next_one_claims_the_ledger_before_the_lease_would_have_ended(tmp_path: Path, schema: str) -> None:
    cluster = Cluster(tmp_path, database_url(), schema, seed=1, nodes=2, writer_lease_ms=LEASE_MS)
    try:
        cluster.start()
        await cluster.until_roles("writer", "standby")
        cluster.start_worker(*cluster.nodes)
        cluster.clients.begin()
        await cluster.until_answered(10)
        writer, lease_ends = await cluster.writer(), end_of_lease(schema)

        assert await writer.end(signal.SIGTERM) == 0
        await cluster.until_roles("writer")
        await cluster.until_answered(10)
        await cluster.finish()
    finally:
        await cluster.close()

    _, claimed = claims(schema)
    assert claimed < lease_ends


def end_of_lease(schema: str) -> int:
    """Unix milliseconds; later if it is renewed again."""
    with psycopg.connect(database_url()) as connection:
        statement = "select (extract(epoch from until) * 1000)::bigint from {}"
        ((until,),) = connection.execute(sql.SQL(statement).format(sql.Identifier(schema, "lease"))).fetchall()
    return int(until)


def claims(schema: str) -> list[int]:
    """When each writer began, in Unix milliseconds."""
    with closing(PostgresLedger(database_url(), schema)) as ledger:
        records = ledger.read_after(0, limit=ledger.head().position)
    return [each.recorded_at for each in records if isinstance(each.event, WriterStarted)]
