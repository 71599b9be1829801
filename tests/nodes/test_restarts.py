"""The database is stopped, or killed, under load: nothing acknowledged is lost, and the nodes find it again."""

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest

from adapters.http.trust import world
from tests.crash.jobs import Job, Request
from tests.crash.scenario import POLL_SECONDS
from tests.nodes.cluster import Cluster, Node
from tests.nodes.server import FAST, IMMEDIATE, Server

ROUNDS = int(os.environ.get("RUNFOLD_CRASH_ROUNDS", "1"))
BACK_SECONDS = 10.0
"""Within so long after the database is back, nodes write again."""
PAUSE_SECONDS = 2.0


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    try:
        await server.start()
        yield server
    finally:
        await server.close()


def new_cluster(folder: Path, server: Server, nodes: int) -> Cluster:
    seed = int(os.environ.get("RUNFOLD_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"RUNFOLD_CRASH_SEED={seed}")  # noqa: T201 (pytest shows it when the test fails)
    return Cluster(folder, server.url, "runfold", seed=seed, nodes=nodes)


@pytest.fixture
async def cluster(tmp_path: Path, server: Server) -> AsyncIterator[Cluster]:
    """Two nodes, two workers and load."""
    cluster = new_cluster(tmp_path, server, 2)
    try:
        cluster.start()
        await cluster.until_roles("writer", "standby")
        for node in cluster.nodes:
            cluster.start_worker(node)
        cluster.clients.begin()
        await cluster.until_answered(10)
        yield cluster
    finally:
        await cluster.close()


async def until_back(cluster: Cluster) -> None:
    began = time.monotonic()
    await cluster.until_roles("writer", "standby")
    await cluster.until_answered(3)
    took = time.monotonic() - began
    assert took < BACK_SECONDS, f"it took {took:.1f} s until the clients were answered"


async def why_not_ready(node: Node) -> str:
    """The sentence with which a node says that it is not ready, once it does."""
    async with httpx.AsyncClient(trust_env=False, timeout=BACK_SECONDS, verify=world()) as http:
        deadline = time.monotonic() + BACK_SECONDS
        while (answer := await http.get(f"{node.url}/readyz")).status_code != 503:
            assert time.monotonic() < deadline, f"{node.name} says that it is ready"
            await asyncio.sleep(POLL_SECONDS)
        return str(answer.json()["error"])


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_a_database_that_is_stopped_for_a_while(cluster: Cluster, server: Server) -> None:
    for how in [FAST, IMMEDIATE] * ROUNDS:
        writer = await cluster.writer()
        await server.stop(how)
        said = {node.name: await why_not_ready(node) for node in cluster.nodes}
        await asyncio.sleep(PAUSE_SECONDS)
        await server.start()

        await until_back(cluster)

        of_writer, of_standby = said.pop(writer.name), said.popitem()[1]
        # Whoever notices first says so first.
        noticed = (
            "ledger cannot be written: |lease could not be renewed in time|read models do not follow: Unavailable: "
        )
        assert re.match(f"The ({noticed})", of_writer), of_writer
        assert re.match("The database cannot be (reached|read): ", of_standby), of_standby
    await cluster.finish()


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_a_database_that_is_killed_again_and_again(cluster: Cluster, server: Server) -> None:
    chance = random.Random(f"{cluster.seed} pauses")
    for _ in range(ROUNDS):
        for recoveries in (0, 1, 0, 2):
            await server.stop(signal.SIGKILL)
            for _ in range(recoveries):
                await server.kill_in_recovery()
            await server.start()
            # Sometimes the nodes are just about to go on.
            await asyncio.sleep(chance.uniform(0, PAUSE_SECONDS))
        await until_back(cluster)

    await cluster.finish()


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_a_process_of_the_database_that_is_killed_takes_all_connections_with_it(
    cluster: Cluster, server: Server
) -> None:
    for _ in range(2 * ROUNDS):
        await server.kill_writer()

        await until_back(cluster)

    await cluster.finish()


async def test_rows_that_the_database_forgot_are_followed_again(tmp_path: Path, server: Server) -> None:
    """They do not wait for the disk. Here nothing else does for so long that a kill is sure to lose them."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("alter system set wal_writer_delay = '10s'")
        connection.execute("select pg_reload_conf()")
    cluster = new_cluster(tmp_path, server, 1)
    (node,) = cluster.nodes
    node.environment["RUNFOLD_WRITER_LEASE_MS"] = "60000"
    try:
        node.start()
        await cluster.until_roles("writer")
        await cluster.clients.ask(request("before"))
        await until_listed(cluster, "before")
        await server.stop(signal.SIGKILL)
        await server.start()
        await until_listed(cluster, "before")
        await server.stop(signal.SIGKILL)
        await server.start()
        await cluster.clients.ask(request("after"))
        await until_listed(cluster, "before", "after")

        await until_followed(cluster, node)
        cluster.start_worker(node)
        await cluster.finish()
    finally:
        await cluster.close()


def request(name: str) -> Request:
    return Request(name, [Job("add", {"n": name, "a": 1, "b": 2}, output={"n": name, "sum": 3})])


async def until_listed(cluster: Cluster, *names: str) -> None:
    """Until the rows have these runs, and no others."""
    runs = {each.runs[0] for each in cluster.clients.requests if each.key in names}
    deadline = time.monotonic() + BACK_SECONDS
    while (found := {each["id"] for each in await listed(cluster)}) != runs:
        assert time.monotonic() < deadline, f"{found} are listed, not {runs}"
        await asyncio.sleep(POLL_SECONDS)


async def listed(cluster: Cluster) -> list[dict[str, str]]:
    said = await cluster.clients.get("/api/v1/runs")
    found: list[dict[str, str]] = said.json()["data"] if said and said.status_code == 200 else []
    return found


async def until_followed(cluster: Cluster, node: Node) -> None:
    """Until the node is ready, and its rows are those of the last event."""
    deadline = time.monotonic() + BACK_SECONDS
    while not (said := await cluster.ready(node)) or said["status"] != "ok" or said["readModels"] != said["head"]:
        assert time.monotonic() < deadline, f"{node.name} says {said}"
        await asyncio.sleep(POLL_SECONDS)
