"""Who watches runs through nodes that stand by misses nothing when the writer dies and one of them takes over."""

import asyncio
import signal
from typing import Any

import httpx

from adapters.http.trust import world
from tests.crash.scenario import KEY
from tests.nodes.cluster import DONE_SECONDS, Cluster

HEADERS = {"authorization": f"Bearer {KEY}"}
RUNS, CHANGES = 5, 40
KILLED_AFTER = 15
RETRY_SECONDS = 0.02
"""Clients of a node that cannot answer now ask again, as the official one does."""


async def _asked(http: httpx.AsyncClient, method: str, path: str, **request: Any) -> httpx.Response:
    while True:
        try:
            answer = await http.request(method, path, **request)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code < 500:
            assert answer.is_success, answer.text
            return answer
        await asyncio.sleep(RETRY_SECONDS)


async def _told(http: httpx.AsyncClient) -> dict[str, list[Any]]:
    """The rows of each run that a subscriber by tag is told, until all of them are over."""
    rows: dict[str, list[Any]] = {}
    more = {"offset": "-1"}
    while len(rows) < RUNS or any(each[-1]["completedAt"] is None for each in rows.values()):
        answer = await _asked(http, "GET", "/realtime/v1/runs", params={"tags": "watched"} | more)
        for message in answer.json():
            if "value" in message:
                rows.setdefault(message["value"]["id"], []).append(message["value"])
        headers = answer.headers
        more = {"live": "true", "offset": headers["electric-offset"], "handle": headers["electric-handle"]}
    return rows


async def test_a_subscription_outlives_its_writer(cluster: Cluster) -> None:
    cluster.start()
    await cluster.until_roles("writer", "standby", "standby")
    writer = await cluster.writer()
    first, second = (
        httpx.AsyncClient(base_url=node.url, headers=HEADERS, trust_env=False, timeout=30, verify=world())
        for node in cluster.nodes
        if node is not writer
    )
    async with asyncio.timeout(DONE_SECONDS), first, second:
        options = {"delay": "1h", "tags": ["watched"]}
        asked = [await _asked(first, "POST", "/api/v1/tasks/a/trigger", json={"options": options}) for _ in range(RUNS)]
        runs = [each.json()["id"] for each in asked]
        watching = [asyncio.create_task(_told(http)) for http in (first, second)]

        for number in range(CHANGES):
            if number == KILLED_AFTER:
                await writer.end(signal.SIGKILL)
            path = f"/api/v1/runs/{runs[number % RUNS]}"
            await _asked(second, "PUT", f"{path}/metadata", json={"metadata": {"n": number}})
        for run in runs:
            await _asked(second, "POST", f"/api/v2/runs/{run}/cancel")
        told = await asyncio.gather(*watching)

    for rows in told:
        assert set(rows) == set(runs)
        for place, run in enumerate(runs):
            assert rows[run][-1]["status"] == "CANCELED"
            assert rows[run][-1]["metadata"] == f'{{"n":{CHANGES - RUNS + place}}}'
            updates = [row["updatedAt"] for row in rows[run]]
            assert updates == sorted(updates), "what is told later is not older"
