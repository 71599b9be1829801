"""The line to the database breaks in the middle of an append, or goes dead without a word, under load."""

import os
import random
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.crash.jobs import Job, Request
from tests.nodes.cluster import Cluster
from tests.nodes.proxy import Proxy
from tests.nodes.proxy_session import Moment
from tests.postgres import database_url, schema_of_its_own

ROUNDS = int(os.environ.get("RUNFOLD_CRASH_ROUNDS", "1"))


@asynccontextmanager
async def proxied(folder: Path, nodes: int) -> AsyncGenerator[tuple[Cluster, dict[str, Proxy]]]:
    """Nodes under load, each of which has a proxy between itself and the database."""
    seed = int(os.environ.get("RUNFOLD_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"RUNFOLD_CRASH_SEED={seed}")  # noqa: T201 (pytest shows it when the test fails)
    with schema_of_its_own() as schema, ExitStack() as stack:
        cluster = Cluster(folder, database_url(), schema, seed=seed, nodes=nodes)
        proxies: dict[str, Proxy] = {}
        for node in cluster.nodes:
            proxies[node.name] = proxy = Proxy(database_url())
            stack.callback(proxy.close)
            node.environment["RUNFOLD_DATABASE_URL"] = proxy.url
        try:
            cluster.start()
            await cluster.until_roles("writer", *["standby"] * (nodes - 1))
            cluster.start_worker(cluster.nodes[0])
            yield cluster, proxies
        finally:
            await cluster.close()


async def strike(cluster: Cluster, proxy: Proxy, moment: Moment, *, is_hole: bool = False) -> None:
    """Let it happen to an append of those that come, and the clients get on."""
    before = proxy.happened
    proxy.next_append = (moment, is_hole)
    await cluster.until(lambda: proxy.happened > before, lambda: f"nothing was appended that is {moment}")
    await cluster.until_answered(3)


async def test_a_command_that_landed_is_answered_and_one_that_did_not_is_refused(tmp_path: Path) -> None:
    async with proxied(tmp_path, 1) as (cluster, proxies):
        (proxy,) = proxies.values()
        refused: dict[Moment, int] = {}
        for moment in Moment:
            before = cluster.clients.turned_away
            # There is no worker yet, so nothing else is appended.
            proxy.next_append = (moment, False)
            await cluster.clients.ask(
                Request(
                    moment.name, [Job("add", {"n": moment.name, "a": 1, "b": 2}, output={"n": moment.name, "sum": 3})]
                )
            )
            refused[moment] = cluster.clients.turned_away - before

        assert proxy.happened == len(Moment)
        assert refused == {
            Moment.UNSENT: 1,
            Moment.EXECUTED: 1,
            Moment.COMMITTING: refused[Moment.COMMITTING],
            Moment.COMMITTED: 0,
        }
        cluster.start_worker(cluster.nodes[0])
        await cluster.finish()


@pytest.mark.parametrize("nodes", [1, 2])
async def test_under_load_nothing_is_lost_or_doubled_whenever_the_line_is_cut(tmp_path: Path, nodes: int) -> None:
    async with proxied(tmp_path, nodes) as (cluster, proxies):
        cluster.start_worker(cluster.nodes[0])
        cluster.clients.begin()
        for moment in [*Moment] * 2 * ROUNDS:
            await strike(cluster, proxies[(await cluster.writer()).name], moment)
        for _ in range(2 * ROUNDS):
            for proxy in proxies.values():
                proxy.cut()
            await cluster.until_answered(3)

        await cluster.finish()


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_a_dead_line_of_the_writer_is_given_up(tmp_path: Path) -> None:
    async with proxied(tmp_path, 1) as (cluster, proxies):
        (proxy,) = proxies.values()
        cluster.start_worker(cluster.nodes[0])
        cluster.clients.begin()
        for moment in [Moment.EXECUTED, *[Moment.COMMITTED, Moment.EXECUTED] * (ROUNDS - 1)]:
            await strike(cluster, proxy, moment, is_hole=True)

        await cluster.finish()


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_a_writer_that_reaches_nobody_is_replaced_and_stands_by_when_it_does(tmp_path: Path) -> None:
    async with proxied(tmp_path, 2) as (cluster, proxies):
        for node in cluster.nodes:
            cluster.start_worker(node)
        cluster.clients.begin()
        for _ in range(ROUNDS):
            await cluster.until_answered(3)
            writer = await cluster.writer()
            proxies[writer.name].swallow()
            await cluster.until_roles("writer")
            await cluster.until_answered(3)
            ready = await cluster.ready(writer)
            assert ready, "it answers"
            assert "The lease could not be renewed in time." in ready["error"]
            proxies[writer.name].pass_on()
            await cluster.until_roles("writer", "standby")

        await cluster.finish()
