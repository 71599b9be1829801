"""From the time at which a run is to be triggered to the first line of its task, while nothing else happens."""

import asyncio
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from bench import clients, databases
from bench.figures import BenchError, Chapter, quantiles, under
from bench.pace import PER_SECOND, on_time
from bench.processes import engine, worker
from domain.events import AttemptSucceeded, RunTriggered
from runfold import aio

SECONDS, QUICK_SECONDS = 20, 3
REPEATS = 3
P50, P99 = under(4), under(15)
EMPTY_CALL = "the same call to a server that does nothing"


class Measured(Struct, frozen=True):
    """All values of one repetition, in milliseconds."""

    calls: list[float]
    to_start: list[float]
    to_completed: list[float]
    """By the time that the engine stamped on the event, which has whole milliseconds."""


def measure(folder: Path, *, quick: bool) -> Chapter:
    """The real engine, and the same calls to an empty server."""
    seconds, repeats = (QUICK_SECONDS, 1) if quick else (SECONDS, REPEATS)
    count = PER_SECOND * seconds
    empty = [_calls_alone(folder, count) for _ in range(repeats)]
    found = [once(folder, count) for _ in range(repeats)]
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


def once(where: Path, count: int, database: str | None = None) -> Measured:
    """One engine, one worker, so many calls; on a SQLite file if no database is named."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        url = database or databases.file_in(folder)
        with engine(folder, database=url) as running, worker(folder, running.address):
            calls = asyncio.run(_go(running.address, count))
        to_start = started(folder / "times", count)
        return Measured(calls, to_start, _completed(url))


def started(times: Path, count: int) -> list[float]:
    """Milliseconds from the scheduled time to the first line of a task, of each run that noted both."""
    lines = times.read_text().splitlines()
    if len(lines) != count:
        raise BenchError(f"{len(lines)} of {count} runs have started.")
    return [(int(began) - int(scheduled)) / 1e6 for scheduled, began in map(str.split, lines)]


def _completed(url: str) -> list[float]:
    with databases.opened(url) as database:
        records = database.ledger.read_after(0, limit=database.ledger.head().position)
    scheduled = {
        recorded.stream: int(bytes(recorded.event.payload))
        for recorded in records
        if isinstance(recorded.event, RunTriggered) and recorded.event.task == "note"
    }
    ended = {each.stream: each.recorded_at for each in records if isinstance(each.event, AttemptSucceeded)}
    return [ended[run] - at_ns / 1e6 for run, at_ns in scheduled.items()]


async def _go(address: str, count: int) -> list[float]:
    async with clients.api(address) as http:
        await clients.warm_up(http)
        before, _ = await clients.head(http)
        calls = await on_time(count, lambda scheduled: aio.tasks.trigger("note", scheduled))
        await clients.all_done(http, before + clients.EVENTS_PER_RUN["note"] * count, 30)
    return calls


def _calls_alone(where: Path, count: int) -> list[float]:
    command = (sys.executable, Path(__file__).with_name("empty_server.py"))
    with tempfile.TemporaryDirectory(dir=where) as name, engine(Path(name), command):
        return asyncio.run(on_time(count, lambda scheduled: aio.tasks.trigger("note", scheduled)))
