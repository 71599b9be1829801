"""The newest failed runs among many on PostgreSQL, in process and over HTTP."""

from pathlib import Path

from bench import databases
from bench.corpus import Writing
from bench.figures import Chapter, Figure, quantiles, under
from bench.listing import CALLS, ROUNDS, in_process, newest_failed, over_http
from bench.processes import engine

SIZES, QUICK_SIZES = (200_000, 1_000_000), (2_000, 10_000)
READY_SECONDS = 120
AIM = under(5)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """One ledger, which has grown before the second time; an engine would write something of its own between."""
    smaller, larger = QUICK_SIZES if quick else SIZES
    calls = CALLS // 10 if quick else CALLS
    query, figures = newest_failed(), list[Figure]()
    with databases.fresh() as url:
        with databases.opened(url) as database:
            writing = Writing(database, follows=False)
            for more in (smaller, larger - smaller):
                made = writing.finish(more)
                rounds = [in_process(database.read_models, made, query, calls) for _ in range(ROUNDS)]
                name = f"PostgreSQL, in process: {query.name} among {len(made.runs):,}"
                figures += quantiles(name, "ms", rounds, p50=AIM)
        with engine(folder, database=url) as running:
            running.wait_ready(READY_SECONDS)
            rounds = [over_http(running, query, calls) for _ in range(ROUNDS)]
    alone, over = (f"PostgreSQL, {how}: {query.name} among {larger:,}" for how in ("in process", "over HTTP"))
    figures += quantiles(over, "ms", rounds, p50=AIM, floors=(f"{alone}, p50",))
    about = f"Finished runs, 1 % of them failed. {calls} calls a round, one after the other."
    return Chapter("PostgreSQL: lists", about, figures)
