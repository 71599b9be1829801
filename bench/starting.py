"""Memory and start-up with many queued runs."""

import asyncio
import time
from pathlib import Path

from bench import clients
from bench.figures import Chapter, Figure, under
from bench.processes import Running, engine
from bench.turns import turns

RUNS, QUICK_RUNS = 100_000, 5_000
REPEATS = 3
BATCH = 1_000
MEMORY_AIM, START_AIM = under(300), under(5)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """Trigger them, kill the engine, and start it again and again."""
    runs, repeats = (QUICK_RUNS, 1) if quick else (RUNS, REPEATS)
    with engine(folder) as running:
        running.wait_ready()
        empty = running.usage().memory
        accepted = asyncio.run(_fill(running.address, runs))
        filled = running.usage().memory
        running.kill()
    ready: list[float] = []
    handed: list[float] = []
    memory: list[float] = []
    for _ in range(repeats):
        with engine(folder) as running:
            ready.append(running.wait_ready())
            memory.append(running.usage().memory)
            handed.append(_first_hand_out(running))
            running.kill()
    figures = [
        Figure("memory of an engine with nothing to do", "MB", (empty,)),
        Figure("accepted, batches of 1,000, no worker", "runs/s", (accepted,)),
        Figure("memory after triggering them", "MB", (filled,), MEMORY_AIM),
        Figure("memory after a start", "MB", tuple(memory), MEMORY_AIM),
        Figure("process start to /readyz 200", "s", tuple(ready), START_AIM),
        Figure("process start to the first hand-out", "s", tuple(handed), START_AIM),
    ]
    about = f"{runs:,} queued runs; each start follows a kill -9 of the engine before. Memory is the resident set."
    return Chapter("Start-up and memory", about, figures)


async def _fill(address: str, runs: int) -> float:
    """How many runs were accepted per second; returns when lists show them."""
    async with clients.api(address) as http:
        begun = time.perf_counter()
        await clients.trigger("nothing", runs, BATCH)
        took = time.perf_counter() - begun
        await clients.all_shown(http, 60)
    return runs / took


def _first_hand_out(running: Running) -> float:
    """Seconds from the start of the process until a worker has a run."""
    with turns(running.address, ["nothing"]) as session:
        session.take_one()
    return time.perf_counter() - running.started
