"""From the first request to the last run that the engine lists as COMPLETED, with a real worker and full history."""

import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from bench import clients, databases
from bench.figures import BenchError, Chapter, Figure, at_least
from bench.floors import APPEND, CORE
from bench.processes import Running, engine, worker
from domain.environment import Environment
from domain.status import Status

RUNS, QUICK_RUNS = 20_000, 2_000
REPEATS = 3
BATCHES = (100, 500)
CONCURRENCIES = (100, 500)
DONE_SECONDS = 120
AIM = at_least(4_000)


class Load(Struct, frozen=True):
    """What is asked of a new engine and its workers."""

    runs: int
    batch: int = 100
    concurrency: int = 100
    workers: int = 1
    task: str = "nothing"
    follower: str = "thread"
    """Where the follower of the engine runs."""


class Measured(Struct, frozen=True):
    """One repetition; CPU in microseconds for each run, memory in megabytes at its end."""

    per_second: float
    accepted_per_second: float
    engine_cpu: float
    engine_main_cpu: float
    worker_cpu: float
    client_cpu: float
    engine_memory: float
    worker_memory: float

    @property
    def cpu(self) -> float:
        """All that a run takes of the machine."""
        return self.engine_cpu + self.worker_cpu + self.client_cpu


def measure(folder: Path, *, quick: bool) -> Chapter:
    """Every size of batches with every concurrency."""
    runs, repeats = (QUICK_RUNS, 1) if quick else (RUNS, REPEATS)
    figures: list[Figure] = []
    for concurrency in CONCURRENCIES:
        for batch in BATCHES:
            found = [once(folder, Load(runs, batch, concurrency)) for _ in range(repeats)]
            figures += _figures(f"batches of {batch}, {concurrency} at once", found)
    for batch in BATCHES:
        load = Load(runs, batch, max(CONCURRENCIES), follower="process")
        found = [once(folder, load) for _ in range(repeats)]
        figures += _figures(f"batches of {batch}, {load.concurrency} at once, RUNFOLD_FOLLOWER=process", found)
    about = (
        f"{runs:,} no-op async tasks through the SDK, {clients.IN_FLIGHT} requests at a time, one worker: first request"
        " to the moment when all runs are COMPLETED in the engine's list. A new engine and new files each time. With"
        " RUNFOLD_FOLLOWER=process the CPU time of the engine is without its follower's."
    )
    return Chapter("Trigger to completed", about, figures)


def once(where: Path, load: Load, database: str | None = None) -> Measured:
    """One engine, its workers, all runs; on a SQLite file if no database is named."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        url = database or databases.file_in(folder)
        with ExitStack() as stack:
            running = stack.enter_context(engine(folder, database=url, RUNFOLD_FOLLOWER=load.follower))
            options = ("--concurrency", str(load.concurrency))
            working = [stack.enter_context(worker(folder, running.address, *options)) for _ in range(load.workers)]
            measured = asyncio.run(_go(load, running, working))
        _check(url)
    return measured


def accepted(runs: int, batch: int) -> float:
    """How many runs a second the engine that the SDK talks to accepts."""
    begun = time.perf_counter()
    asyncio.run(clients.trigger("nothing", runs, batch))
    return runs / (time.perf_counter() - begun)


async def _go(load: Load, running: Running, working: list[Running]) -> Measured:
    """Warm up, trigger all runs, and wait for the last."""
    async with clients.api(running.address) as http:
        await clients.warm_up(http)
        before, _ = await clients.head(http)
        workers_before = sum(each.usage().cpu for each in working)
        engine_before, client_before = running.usage(), time.process_time()
        begun = time.perf_counter()
        requests = await clients.trigger(load.task, load.runs, load.batch)
        accepted = time.perf_counter()
        events = clients.EVENTS_PER_RUN[load.task] * load.runs + clients.EVENTS_PER_BATCH * requests
        await clients.all_done(http, before + events, DONE_SECONDS)
        done = time.perf_counter()
        engine_after, client_after = running.usage(), time.process_time()
        workers_after = [each.usage() for each in working]
    each = 1e6 / load.runs
    return Measured(
        load.runs / (done - begun),
        load.runs / (accepted - begun),
        (engine_after.cpu - engine_before.cpu) * each,
        (engine_after.main_cpu - engine_before.main_cpu) * each,
        (sum(usage.cpu for usage in workers_after) - workers_before) * each,
        (client_after - client_before) * each,
        engine_after.memory,
        sum(usage.memory for usage in workers_after),
    )


def _check(url: str) -> None:
    """Raises BenchError unless every run of the database is COMPLETED."""
    with databases.opened(url) as database:
        states, _, _ = database.read_models.checkpoint()
        environment = next(state for state in states if isinstance(state, Environment))
        counts = database.read_models.count_by_status(environment.id)
    if counts.keys() != {Status.COMPLETED}:
        raise BenchError(f"Not all runs are completed: {counts}.")


def _figures(name: str, found: list[Measured]) -> list[Figure]:
    def values(field: str) -> tuple[float, ...]:
        return tuple(getattr(each, field) for each in found)

    return [
        Figure(f"completed, {name}", "runs/s", values("per_second"), AIM, (CORE, APPEND)),
        Figure(f"accepted, {name}", "runs/s", values("accepted_per_second"), floors=(APPEND,)),
        Figure(f"engine CPU, {name}", "µs/run", values("engine_cpu")),
        Figure(f"of it on the event loop, {name}", "µs/run", values("engine_main_cpu")),
        Figure(f"worker CPU, {name}", "µs/run", values("worker_cpu")),
        Figure(f"client CPU, {name}", "µs/run", values("client_cpu")),
        Figure(f"CPU of all three, {name}", "µs/run", tuple(each.cpu for each in found)),
    ]
