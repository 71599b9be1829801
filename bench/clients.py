"""What the scenarios do as clients of an engine: trigger, and wait until all is done."""

import asyncio
import time
from collections.abc import Iterator

import httpx

from bench.figures import BenchError
from bench.peers.names import NOTE, NOTHING, STEPS, STEPS_PER_RUN, TWICE
from bench.processes import HEADERS
from runfold import aio

IN_FLIGHT = 4
"""Requests of the client at a time: enough that the engine never waits for it."""
EVENTS_PER_RUN = {NOTHING: 4, NOTE: 4, TWICE: 14, STEPS: 4 + STEPS_PER_RUN}
"""Triggered, dequeued, started, succeeded, and the steps; five for each attempt that fails. With fewer than there are,
`all_done` would ask for lists while the runs go on, which is not what is measured."""
EVENTS_PER_BATCH = 2
"""The batch, and the key of its request."""
WARM_UP_RUNS = 200
LOOK_AGAIN_SECONDS = 0.05
"""One percent of what a repetition takes; to ask more often would slow down what is measured."""
UNFINISHED = "PENDING,PENDING_VERSION,DELAYED,QUEUED,DEQUEUED,EXECUTING,REATTEMPTING"


def api(address: str) -> httpx.AsyncClient:
    """Calls of the management API that the SDK has no words for."""
    return httpx.AsyncClient(base_url=address, headers=HEADERS, timeout=60)


async def trigger(task: str, runs: int, batch: int) -> int:
    """Make so many runs through the SDK; returns how many requests that took."""
    starts = iter(range(0, runs, batch))
    total = len(range(0, runs, batch))

    async def go_on(following: Iterator[int]) -> None:
        for start in following:
            await aio.tasks.batch_trigger(task, range(start, min(start + batch, runs)))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(IN_FLIGHT, total)):
            group.create_task(go_on(starts))
    return total


async def head(http: httpx.AsyncClient) -> tuple[int, int]:
    """The last committed event, and the one up to which lists show it."""
    body = (await http.get("/readyz")).json()
    return body["head"], body["readModels"]


async def all_shown(http: httpx.AsyncClient, seconds: float) -> None:
    """Wait until lists show all that is committed."""
    deadline = time.perf_counter() + seconds
    while (committed := await head(http))[0] > committed[1]:
        if time.perf_counter() > deadline:
            raise BenchError(f"After {seconds:.0f} s lists show {committed[1]} of {committed[0]} events.")
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def all_done(http: httpx.AsyncClient, events: int, seconds: float) -> None:
    """Wait until the ledger has so many events, lists show all of them, and no run is unfinished.

    As soon as it has them a list is asked for, as people do: that cuts the linger of the follower short, which nobody
    who waits for a list ever sees.
    """
    deadline = time.perf_counter() + seconds
    while True:
        committed, shown = await head(http)
        if committed >= events and not await unfinished(http):
            # It may be a list that has not come so far.
            _, shown = await head(http)
            if shown >= events:
                return
        if time.perf_counter() > deadline:
            raise BenchError(f"After {seconds:.0f} s there are {committed} of {events} events; lists show {shown}.")
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def unfinished(http: httpx.AsyncClient) -> bool:
    """Whether any run has not ended."""
    response = await http.get("/api/v1/runs", params={"filter[status]": UNFINISHED, "page[size]": "1"})
    return bool(response.raise_for_status().json()["data"])


async def warm_up(http: httpx.AsyncClient) -> None:
    """Until the worker is there and everything has run once."""
    before, _ = await head(http)
    await trigger(NOTHING, WARM_UP_RUNS, 100)
    await all_done(http, before + EVENTS_PER_RUN[NOTHING] * WARM_UP_RUNS, 60)
