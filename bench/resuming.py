"""From the time at which a token is to be completed to the code that waits for it going on in a process anew."""

import asyncio
import tempfile
from pathlib import Path

from bench import clients, databases
from bench.clients import LOOK_AGAIN_SECONDS
from bench.figures import Chapter, quantiles, under
from bench.latency import started
from bench.pace import PER_SECOND, on_time
from bench.processes import engine, worker
from runfold import aio

RUNS, QUICK_RUNS = 500, 50
REPEATS = 3
FROZEN_SECONDS = 30
P50 = under(15)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """On the file that Runfold begins with, and on PostgreSQL."""
    runs, repeats = (QUICK_RUNS, 1) if quick else (RUNS, REPEATS)
    on_file = [_once(folder, runs) for _ in range(repeats)]
    on_server = [_on_server(folder, runs) for _ in range(repeats)]
    figures = [
        *quantiles("SQLite: scheduled completion of the token to the code going on", "ms", on_file, p50=P50),
        *quantiles("PostgreSQL: scheduled completion of the token to the code going on", "ms", on_server, p50=P50),
    ]
    about = (
        f"{runs:,} frozen runs, of which no process knows; each waits for a token of its own. The tokens are completed"
        f" through the SDK at {PER_SECOND}/s, open loop. One worker, which has nothing else to do."
    )
    return Chapter("Frozen runs going on", about, figures)


def _on_server(where: Path, runs: int) -> list[float]:
    with databases.fresh() as url:
        return _once(where, runs, url)


def _once(where: Path, runs: int, database: str | None = None) -> list[float]:
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        url = database or databases.file_in(folder)
        with engine(folder, database=url) as running, worker(folder, running.address, "--freeze-after", "0"):
            asyncio.run(_go(running.address, runs))
        return started(folder / "times", runs)


async def _go(address: str, runs: int) -> None:
    async with clients.api(address) as http:
        await clients.warm_up(http)
        tokens = [(await aio.wait.create_token()).id for _ in range(runs)]
        await aio.tasks.batch_trigger("resume", tokens)
        await _until(runs, "FROZEN")
        waiting = iter(tokens)
        await on_time(runs, lambda scheduled: aio.wait.complete_token(next(waiting), scheduled))
        await _until(0, "FROZEN", "QUEUED", "DEQUEUED", "EXECUTING")


async def _until(runs: int, *statuses: str) -> None:
    """Wait until so many runs of the task have one of these statuses."""
    async with asyncio.timeout(FROZEN_SECONDS):
        while True:
            found = 0
            async for _ in aio.runs.list(task="resume", status=statuses, limit=100):
                found += 1
            if found == runs:
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
