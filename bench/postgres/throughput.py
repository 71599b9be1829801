"""No-op runs and runs that fail twice on PostgreSQL: runs a second, bytes a run, and memory."""

from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from bench import databases
from bench.clients import WARM_UP_RUNS
from bench.figures import Chapter, Figure, under
from bench.postgres.floors import APPEND
from bench.processes import engine
from bench.throughput import Load, Measured, accepted, once

RUNS, RETRIED = 20_000, 2_000
REPEATS = 3
QUICK_PART = 20
BATCHES = (100, 500)
CONCURRENCY = 500
STORED_AIM = under(1_200)


class Kept(Struct, frozen=True):
    """One repetition, and what is left of it in the database."""

    measured: Measured
    bytes_per_run: float


def measure(folder: Path, *, quick: bool) -> Chapter:
    """Both sizes of batches with one worker and with two, enqueued alone, and with failures."""
    part, repeats = (QUICK_PART, 1) if quick else (1, REPEATS)
    runs, retried = RUNS // part, RETRIED // part
    figures: list[Figure] = []
    for batch in BATCHES:
        for workers, spoken in ((1, "one worker"), (2, "two workers")):
            name = f"batches of {batch}, {spoken}"
            load = Load(runs, batch, CONCURRENCY, workers)
            figures += _figures(name, [_once(folder, load) for _ in range(repeats)])
        alone = tuple(_alone(folder, runs, batch) for _ in range(repeats))
        figures.append(
            Figure(f"PostgreSQL: accepted, batches of {batch}, no worker", "runs/s", alone, floors=(APPEND,))
        )
    failing = [_once(folder, Load(retried, 500, CONCURRENCY, task="twice")) for _ in range(repeats)]
    figures += [
        Figure(
            "PostgreSQL: failed twice, then completed", "runs/s", tuple(each.measured.per_second for each in failing)
        ),
        Figure("PostgreSQL: stored after two failures", "bytes/run", tuple(each.bytes_per_run for each in failing)),
    ]
    about = (
        f"{runs:,} no-op async tasks, {retried:,} that fail twice and are tried again at once; {CONCURRENCY} at once in"
        " each worker. First request to the moment when all runs are COMPLETED in the engine's list. A new database"
        " and new processes each time. Stored is everything: history, lists, and all indexes."
    )
    return Chapter("PostgreSQL: trigger to completed", about, figures)


def _once(where: Path, load: Load) -> Kept:
    with databases.fresh() as url:
        measured = once(where, load, url)
        return Kept(measured, databases.size(url) / (load.runs + WARM_UP_RUNS))


def _alone(where: Path, runs: int, batch: int) -> float:
    with databases.fresh() as url, TemporaryDirectory(dir=where) as name, engine(Path(name), database=url) as running:
        running.wait_ready()
        return accepted(runs, batch)


def _figures(name: str, found: list[Kept]) -> list[Figure]:
    def values(field: str) -> tuple[float, ...]:
        return tuple(getattr(each.measured, field) for each in found)

    return [
        Figure(f"PostgreSQL: completed, {name}", "runs/s", values("per_second"), floors=(APPEND,)),
        Figure(f"PostgreSQL: engine CPU, {name}", "µs/run", values("engine_cpu")),
        Figure(f"PostgreSQL: worker CPU, {name}", "µs/run", values("worker_cpu")),
        Figure(f"PostgreSQL: engine memory, {name}", "MB", values("engine_memory")),
        Figure(f"PostgreSQL: memory of all workers, {name}", "MB", values("worker_memory")),
        Figure(f"PostgreSQL: stored, {name}", "bytes/run", tuple(each.bytes_per_run for each in found), STORED_AIM),
    ]
