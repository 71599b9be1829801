"""A backup is put back that lacks the last events: nobody who knows them writes over the gap.

A node that wrote the tail, or saw it as a standby, refuses and says so, until a person has started it again.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest

from adapters.http.trust import world
from adapters.postgres.ledger import PostgresLedger
from tests.crash.scenario import KEY, POLL_SECONDS
from tests.nodes.cluster import Cluster, Node
from tests.nodes.server import Server

SCHEMA = "runfold"
SOON_SECONDS = 20.0
SENTENCE = "The ledger lost its tail: event {} was committed here, and is no longer as it was."


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    try:
        await server.start()
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def restored(folder: Path, server: Server, nodes: int) -> AsyncGenerator[tuple[Cluster, Node, int, int]]:
    """Nodes, the former writer among them, the head that was put back, and the one that was acknowledged."""
    cluster = Cluster(folder, server.url, SCHEMA, seed=1, nodes=nodes)
    try:
        cluster.start()
        await cluster.until_roles("writer", *["standby"] * (nodes - 1))
        writer = await cluster.writer()
        await accepted(writer)
        await server.copy()
        kept = head(server)
        await cluster.until_roles("writer", *["standby"] * (nodes - 1))
        writer = await cluster.writer()
        for _ in range(3):
            await accepted(writer)
        tail = head(server)
        for node in cluster.nodes:
            await sees(cluster, node, tail)
        await server.put_back()
        yield cluster, writer, kept, tail
    finally:
        await cluster.close()


def head(server: Server) -> int:
    with closing(PostgresLedger(server.url, SCHEMA)) as ledger:
        return ledger.head().position


async def accepted(node: Node) -> str:
    """A run that the node, or the one that it sends on to, accepts as soon as it can."""
    async with asyncio.timeout(SOON_SECONDS):
        while (answer := await trigger(node)).status_code != 200:
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(POLL_SECONDS)
    return str(answer.json()["id"])


async def trigger(node: Node) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=SOON_SECONDS, verify=world()) as http:
        headers = {"authorization": f"Bearer {KEY}"}
        return await http.post(f"{node.url}/api/v1/tasks/add/trigger", json={}, headers=headers)


async def sees(cluster: Cluster, node: Node, position: int) -> None:
    """Wait until a node knows the ledger up to there."""
    async with asyncio.timeout(SOON_SECONDS):
        while ((await cluster.ready(node)) or {}).get("head") != position:  # noqa: ASYNC110 (it is in another process)
            await asyncio.sleep(POLL_SECONDS)


async def until_it_says_so(cluster: Cluster, node: Node, tail: int) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while SENTENCE.format(tail) not in ((await cluster.ready(node)) or {}).get("error", ""):
            # An idle writer finds out when it is asked to write; one that lost the lease may send that on meanwhile.
            await trigger(node)


async def test_the_running_writer_refuses_until_it_is_started_again(tmp_path: Path, server: Server) -> None:
    async with restored(tmp_path, server, 1) as (cluster, writer, kept, tail):
        await until_it_says_so(cluster, writer, tail)
        assert head(server) == kept

        await writer.end(signal.SIGTERM)
        writer.start()
        await cluster.until_roles("writer")
        await accepted(writer)

        with closing(PostgresLedger(server.url, SCHEMA)) as ledger:
            assert list(ledger.verify()) == []


async def test_a_standby_that_saw_the_tail_does_not_write_over_it_either(tmp_path: Path, server: Server) -> None:
    async with restored(tmp_path, server, 2) as (cluster, writer, kept, tail):
        (standby,) = [node for node in cluster.nodes if node is not writer]
        for node in (writer, standby):
            await until_it_says_so(cluster, node, tail)
        assert [(await trigger(node)).status_code for node in (writer, standby)] == [503, 503]
        assert head(server) == kept

        # Somebody decides to go on with what there is.
        for node in (standby, writer):
            await node.end(signal.SIGTERM)
            node.start()
        await cluster.until_roles("writer", "standby")
        assert await accepted(writer) != await accepted(standby)

        with closing(PostgresLedger(server.url, SCHEMA)) as ledger:
            assert list(ledger.verify()) == []
