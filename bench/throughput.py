"""From the first request to the last run that the engine lists as COMPLETED, with a real worker and full history."""

import asyncio
import tempfile
import time
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from adapters.sqlite.read_models import SqliteReadModels
from bench import clients
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


class Measured(Struct, frozen=True):
    """One repetition; CPU in microseconds for each run."""

    per_second: float
    accepted_per_second: float
    engine_cpu: float
    engine_main_cpu: float
    worker_cpu: float
    client_cpu: float

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
            found = [once(folder, runs, batch, concurrency) for _ in range(repeats)]
            figures += _figures(f"batches of {batch}, {concurrency} at once", found)
    about = (
        f"{runs:,} no-op async tasks through the SDK, {clients.IN_FLIGHT} requests at a time, one worker: first request"
        " to the moment when all runs are COMPLETED in the engine's list. A new engine and new files each time."
    )
    return Chapter("Trigger to completed", about, figures)


def once(where: Path, runs: int, batch: int, concurrency: int) -> Measured:
    """One engine, one worker, all runs."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        with engine(folder) as running, worker(folder, running.address, "--concurrency", str(concurrency)) as working:
            measured = asyncio.run(go(runs, batch, running, working))
        check(folder)
    return measured


async def go(runs: int, batch: int, running: Running, working: Running) -> Measured:
    """Warm up, trigger all runs, and wait for the last."""
    async with clients.api(running.address) as http:
        await clients.warm_up(http)
        before, _ = await clients.head(http)
        usage = running.usage(), working.usage(), time.process_time()
        begun = time.perf_counter()
        requests = await clients.trigger("nothing", runs, batch)
        accepted = time.perf_counter()
        events = clients.EVENTS_PER_RUN * runs + clients.EVENTS_PER_BATCH * requests
        await clients.all_done(http, before + events, DONE_SECONDS)
        done = time.perf_counter()
        engine_after, worker_after, client_after = running.usage(), working.usage(), time.process_time()
    each = 1e6 / runs
    return Measured(
        runs / (done - begun),
        runs / (accepted - begun),
        (engine_after.cpu - usage[0].cpu) * each,
        (engine_after.main_cpu - usage[0].main_cpu) * each,
        (worker_after.cpu - usage[1].cpu) * each,
        (client_after - usage[2]) * each,
    )


def check(folder: Path) -> None:
    """Raises BenchError unless every run of the database is COMPLETED."""
    with closing(SqliteReadModels(folder / "ledger.views.db")) as read_models:
        environment = next(state for state in read_models.checkpoint()[0] if isinstance(state, Environment))
        counts = read_models.count_by_status(environment.id)
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
