"""Many subscriptions on one engine: what they take while nothing happens, and how soon they are told of what does."""

import asyncio
import gc
import resource
import tempfile
from pathlib import Path

import httpx
from msgspec import Struct

from bench import clients
from bench.figures import BenchError, Chapter, Figure, quantiles, under
from bench.processes import Running, engine
from bench.subscribers import Changes, Latencies, Subscribers

MANY, QUICK_MANY = 5_000, 200
WATCHED, QUICK_WATCHED = 1_000, 100
SECONDS, QUICK_SECONDS = 20, 2
IDLE_SECONDS, QUICK_IDLE_SECONDS = 10, 1
CHANGES_PER_SECOND = 200
SLOW = 5
"""Streams of all these runs that nobody reads."""
TAG = "watched"
BATCH = 500
LATE_SECONDS = 10
WARM_UP_SECONDS = 1
CONNECTIONS = 16
FILES_BESIDE = 500
P50, P99 = under(15), under(60)


class Measured(Struct, frozen=True):
    """What was found: megabytes, files, CPU seconds a second, CPU microseconds of a change, and milliseconds."""

    megabytes: float
    files: float
    idle_cpu: float
    microseconds: float
    alone: list[float]
    beside_slow: list[float]


def measure(folder: Path, *, quick: bool) -> Chapter:
    """One engine on SQLite and one lean client."""
    many = QUICK_MANY if quick else MANY
    _allow_files(many)
    with tempfile.TemporaryDirectory(dir=folder) as name, engine(Path(name)) as running:
        found = asyncio.run(_measured(running, quick=quick))
    each = f"{QUICK_WATCHED if quick else WATCHED:,} subscriptions, {CHANGES_PER_SECOND} changes/s"
    figures = [
        Figure(f"memory for {many:,} subscriptions", "MB", (found.megabytes,)),
        Figure(f"open files with {many:,} subscriptions", "files", (found.files,)),
        Figure(f"CPU of {many:,} subscriptions without news", "s/s", (found.idle_cpu,)),
        Figure("CPU of the engine for a change and its answers", "µs", (found.microseconds,)),
        *quantiles(f"{each}: a change sent to its subscriber told", "ms", [found.alone], p50=P50, p99=P99),
        *quantiles(f"the same beside {SLOW} streams that nobody reads", "ms", [found.beside_slow], p50=P50, p99=P99),
    ]
    about = (
        "Long polls, one connection each, as Trigger.dev's SDK sends them. A change is a request that sets metadata of"
        " a run; it counts from when it is sent, so its commit is part of it. Changes come at fixed times, open loop."
    )
    return Chapter("Realtime subscriptions", about, figures)


async def _measured(running: Running, *, quick: bool) -> Measured:
    many, watched = (QUICK_MANY, QUICK_WATCHED) if quick else (MANY, WATCHED)
    idle, seconds = (QUICK_IDLE_SECONDS, QUICK_SECONDS) if quick else (IDLE_SECONDS, SECONDS)
    async with clients.api(running.address) as http:
        runs = await _triggered(http, many)
        before = running.usage()
        latencies = Latencies()
        crowd = Subscribers(running.address, latencies.told)
        await crowd.watch(runs, (await clients.head(http))[0])
        await asyncio.sleep(idle)
        then = running.usage()
        files = len(list((Path("/proc") / str(running.process.pid) / "fd").iterdir()))
        await asyncio.sleep(idle)
        now = running.usage()
        await crowd.close()
        readers = Subscribers(running.address, latencies.told)
        await readers.watch(runs[:watched], (await clients.head(http))[0])
        changes = Changes(running.address)
        await changes.open(CONNECTIONS)
        await _change(changes, runs[:watched], latencies, WARM_UP_SECONDS, "w")
        quiet = running.usage().cpu
        alone = await _change(changes, runs[:watched], latencies, seconds, "a")
        each_cpu = (running.usage().cpu - quiet) / len(alone) * 1e6
        await readers.watch_and_not_read(f"/api/v1/runs/stream?tags={TAG}", SLOW)
        beside = await _change(changes, runs[:watched], latencies, seconds, "b")
        await readers.close()
        changes.close()
    return Measured(then.memory - before.memory, files, (now.cpu - then.cpu) / idle, each_cpu, alone, beside)


async def _triggered(http: httpx.AsyncClient, count: int) -> list[str]:
    """So many runs that wait, the last ones first."""
    runs: list[str] = []
    while len(runs) < count:
        size = min(BATCH, count - len(runs))
        items = [{"payload": 1, "options": {"delay": "1h", "tags": [TAG]}}] * size
        response = await http.post("/api/v1/tasks/nothing/batch", json={"items": items})
        runs += [each["id"] for each in response.raise_for_status().json()["runs"]]
    await clients.all_shown(http, 60)
    return runs


async def _change(changes: Changes, runs: list[str], latencies: Latencies, seconds: int, name: str) -> list[float]:
    """Change one run after the other at fixed times; how long it took until each change was told."""
    latencies.took_ms.clear()
    # What this process does besides would count as the engine's.
    gc.collect()
    gc.freeze()
    loop, count = asyncio.get_running_loop(), seconds * CHANGES_PER_SECOND
    begun = loop.time()
    under_way: list[asyncio.Task[None]] = []
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / CHANGES_PER_SECOND - loop.time()))
        mark = f"mark-{name}{number}"
        run = runs[number % len(runs)]
        latencies.sent(run, mark)
        under_way.append(asyncio.create_task(changes.change(run, mark)))
    await asyncio.gather(*under_way)
    await latencies.all_told(LATE_SECONDS)
    return list(latencies.took_ms)


def _allow_files(subscriptions: int) -> None:
    """An open file for each connection, here and in the engine, which is started with the limits of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = subscriptions + FILES_BESIDE
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(f"{needed} files have to be open at a time, and the limit is {hard}: ulimit -n {needed}.")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
