"""Three nodes, two workers, load, and whatever comes to hand killed or paused every few seconds."""

import asyncio
import os
import random
import signal
import time

import pytest

from tests.nodes.cluster import WRITER_LEASE_MS, Cluster

SECONDS = float(os.environ.get("RUNFOLD_NODES_SECONDS", "120"))
"""How long faults are made. The test waits most of the time: it takes less than a third of a core."""
QUIET_SECONDS = 3.0
"""The longest time between two faults."""
LEASES = (0.5, 1, 2, 10)
FAULTS = ("kill the writer", "kill a node", "stop the writer", "kill a worker", "pause the writer", "pause a node")


@pytest.mark.timeout(SECONDS + 180)
async def test_every_accepted_run_ends_once_whoever_is_killed(cluster: Cluster) -> None:
    chance = random.Random(f"{cluster.seed} kills")
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    for node in cluster.nodes[:2]:
        cluster.start_worker(node)
    cluster.clients.begin()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        await asyncio.sleep(chance.uniform(0.2, QUIET_SECONDS))
        cluster.clients.check()
        fault = chance.choice(FAULTS)
        print(f"{fault}.")  # noqa: T201 (pytest shows it when the test fails)
        await make(fault, cluster, chance)

    await cluster.until_roles("writer", "standby", "standby")
    await cluster.until_answered(5)
    await cluster.finish()


async def make(fault: str, cluster: Cluster, chance: random.Random) -> None:
    """Let it happen, and put right what does not come right by itself."""
    if fault == "kill a worker":
        number = chance.randrange(len(cluster.workers))
        worker = cluster.workers.pop(number)
        worker.signal(signal.SIGKILL)
        await worker.ended()
        cluster.start_worker(*chance.sample(cluster.nodes, chance.randint(1, len(cluster.nodes))))
        return
    node = await cluster.writer() if fault.endswith("the writer") else chance.choice(cluster.nodes)
    if fault.startswith("pause"):
        node.send(signal.SIGSTOP)
        await asyncio.sleep(chance.choice(LEASES) * WRITER_LEASE_MS / 1_000)
        node.send(signal.SIGCONT)
        return
    await node.end(signal.SIGTERM if fault.startswith("stop") else signal.SIGKILL)
    await asyncio.sleep(chance.choice([0.0, chance.uniform(0, 2)]))
    node.start()
