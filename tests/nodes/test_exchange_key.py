"""Another key is put into RUNFOLD_SECRET_KEY of one node after the other, the one that writes last."""

import asyncio
import signal
import time

import httpx
import pytest

from adapters.http.trust import world
from tests.crash.clients import Clients
from tests.crash.scenario import KEY, POLL_SECONDS
from tests.nodes.cluster import DONE_SECONDS, Cluster, Node

OTHER_KEY = "tr_prod_another_one_0123456789"
OPEN, WRONG, EARLY = (200, 404), (401, 401), (503, 503)


@pytest.fixture
async def nodes(cluster: Cluster) -> list[Node]:
    """Three that run: two stand by, and the last one writes."""
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    writer = await cluster.writer()
    return [*(node for node in cluster.nodes if node is not writer), writer]


def client(node: Node, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=node.url, headers=headers, trust_env=False, verify=world(), timeout=10)


async def answers(node: Node, key: str) -> tuple[int, int]:
    """The statuses of a read, which each node answers itself, and of a command, which a standby sends on."""
    async with client(node, key) as http:
        read, command = await http.get("/api/v1/runs"), await http.post("/api/v2/runs/run_none/cancel")
    return read.status_code, command.status_code


async def start_again(cluster: Cluster, node: Node, key: str) -> None:
    assert await node.end(signal.SIGTERM) == 0
    node.environment["RUNFOLD_SECRET_KEY"] = key
    node.start()
    await cluster.until_roles("writer", "standby", "standby")


async def until_shut_out(node: Node, key: str) -> None:
    """A node that stands by may take a second to notice."""
    deadline = time.monotonic() + DONE_SECONDS
    while (said := await answers(node, key)) != WRONG:
        assert time.monotonic() < deadline, f"After {DONE_SECONDS} s {node.name} still says {said}."
        await asyncio.sleep(POLL_SECONDS)


async def test_a_key_that_is_made_first_opens_every_node_all_the_time(cluster: Cluster, nodes: list[Node]) -> None:
    async with client(nodes[0], KEY) as http:
        made = (await http.post("/api/v1/environments/prod/keys")).json()["key"]
    with_both = [[await answers(node, key) for key in (KEY, made)] for node in nodes]
    await cluster.clients.close()
    # Whoever has the new key, a worker too, is refused by no node from now on: clients of this kind raise what refuses.
    cluster.clients = Clients([node.url for node in nodes], made, cluster.seed)
    for node in nodes:
        node.environment["RUNFOLD_SECRET_KEY"] = made
    cluster.start_worker(*nodes)
    cluster.clients.begin()
    for node in nodes:
        await start_again(cluster, node, made)
        await cluster.until_answered(10)
    for node in nodes:
        await until_shut_out(node, KEY)
    await cluster.finish()

    assert with_both == [[OPEN, OPEN]] * 3


async def test_a_key_that_nobody_made_opens_nothing_until_a_node_that_has_it_writes(
    cluster: Cluster, nodes: list[Node]
) -> None:
    *standbys, writer = nodes
    for node in standbys:
        await start_again(cluster, node, OTHER_KEY)
    before = [[await answers(node, key) for key in (KEY, OTHER_KEY)] for node in nodes]
    await start_again(cluster, writer, OTHER_KEY)
    after = [await answers(node, OTHER_KEY) for node in nodes]

    assert before == [[OPEN, EARLY], [OPEN, EARLY], [OPEN, WRONG]]
    assert after == [OPEN] * 3
    for node in nodes:
        await until_shut_out(node, KEY)
