"""From the time at which a run is to be triggered to the first line of its task, while nothing else happens."""

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench import clients
from bench.figures import BenchError, Chapter, quantiles, under
from bench.processes import engine, worker
from runfold import aio

PER_SECOND = 50
SECONDS, QUICK_SECONDS = 20, 3
REPEATS = 3
P50, P99 = under(4), under(15)
EMPTY_CALL = "the same call to a server that does nothing"


class Measured(Struct, frozen=True):
    """All values of one repetition, in milliseconds."""

    to_start: list[float]
    calls: list[float]


def measure(folder: Path, *, quick: bool) -> Chapter:
    """The real engine, and the same calls to an empty server."""
    seconds, repeats = (QUICK_SECONDS, 1) if quick else (SECONDS, REPEATS)
    count = PER_SECOND * seconds
    empty = [_calls_alone(folder, count) for _ in range(repeats)]
    found = [_once(folder, count) for _ in range(repeats)]
    figures = [
        *quantiles(
            "scheduled time to the task's first line", "ms", [each.to_start for each in found], p50=P50, p99=P99
        ),
        *quantiles("the trigger call itself", "ms", [each.calls for each in found], floors=(f"{EMPTY_CALL}, p50",)),
        *quantiles(EMPTY_CALL, "ms", empty),
    ]
    about = (
        f"Single triggers through the SDK at {PER_SECOND}/s for {seconds} s, open loop: a call that is late does not"
        " hold the next one up, and its lateness counts. The worker has nothing else to do."
    )
    return Chapter("Trigger to start", about, figures)


def _once(where: Path, count: int) -> Measured:
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        with engine(folder) as running, worker(folder, running.address):
            calls = asyncio.run(_go(running.address, count))
        lines = (folder / "times").read_text().splitlines()
    if len(lines) != count:
        raise BenchError(f"{len(lines)} of {count} runs have started.")
    times = [tuple(map(int, line.split())) for line in lines]
    return Measured([(began - scheduled) / 1e6 for scheduled, began in times], calls)


async def _go(address: str, count: int) -> list[float]:
    async with clients.api(address) as http:
        await clients.warm_up(http)
        before, _ = await clients.head(http)
        calls = await on_time(count, lambda scheduled: aio.tasks.trigger("note", scheduled))
        await clients.all_done(http, before + clients.EVENTS_PER_RUN * count, 30)
    return calls


def _calls_alone(where: Path, count: int) -> list[float]:
    command = (sys.executable, Path(__file__).with_name("empty_server.py"))
    with tempfile.TemporaryDirectory(dir=where) as name, engine(Path(name), command):
        return asyncio.run(on_time(count, lambda scheduled: aio.tasks.trigger("note", scheduled)))


async def on_time(count: int, call: Callable[[int], Coroutine[Any, Any, object]]) -> list[float]:
    """Make so many calls, each when its time has come; how long each one took, in milliseconds."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    all_answered = asyncio.Event()

    async def one(scheduled: int) -> None:
        begun = time.perf_counter()
        await call(scheduled)
        took.append((time.perf_counter() - begun) * 1_000)
        if len(took) == count:
            all_answered.set()

    def begin(scheduled: int) -> None:
        under_way.append(loop.create_task(one(scheduled)))

    def beat() -> None:
        # A thread sleeps to the microsecond, an event loop to the millisecond.
        first = time.time_ns() + 100_000_000
        for number in range(count):
            scheduled = first + number * 1_000_000_000 // PER_SECOND
            time.sleep(max(0, scheduled - time.time_ns()) / 1e9)
            loop.call_soon_threadsafe(begin, scheduled)

    under_way: list[asyncio.Task[None]] = []
    threading.Thread(target=beat, name="beat", daemon=True).start()
    async with asyncio.timeout(count / PER_SECOND + 30):
        await all_answered.wait()
    return took
