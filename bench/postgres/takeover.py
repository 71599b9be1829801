"""Two nodes on one PostgreSQL with many unfinished runs: hand-outs, and how long nobody writes after a kill -9."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench import corpus, databases
from bench.corpus import Writing
from bench.figures import Aim, BenchError, Chapter, Figure, quantiles, under
from bench.processes import HEADERS, Running, engine
from bench.turns import turns

MANY, QUICK_MANY = 100_000, 2_000
MOST = 1_000_000
REPEATS = 3
TURNS, QUICK_TURNS = 500, 50
READY_SECONDS, TAKEOVER_SECONDS = 180, 120
AGAIN_SECONDS = 0.01
MANY_AIM, MOST_AIM, HAND_OUT_AIM = under(5), under(30), under(50)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """The smaller number, and the larger one as well unless it has to be quick."""
    calls = QUICK_TURNS if quick else TURNS
    figures = _figures(folder, QUICK_MANY if quick else MANY, calls, MANY_AIM)
    if not quick:
        figures += _figures(folder, MOST, calls, MOST_AIM, repeats=1)
    about = (
        "Queued runs, which the next writer has to know before it accepts anything. The clock runs from the kill -9 of"
        " the writer to the first 200 of a trigger through the other node, which is asked every 10 ms. A hand-out is a"
        " worker's call that asks for one run."
    )
    return Chapter("PostgreSQL: takeover and hand-outs", about, figures)


def _figures(folder: Path, queued: int, calls: int, aim: Aim, *, repeats: int = REPEATS) -> list[Figure]:
    with databases.fresh() as url:
        with databases.opened(url) as database:
            Writing(database, follows=False).queue(queued)
        with ExitStack() as nodes:
            writer = nodes.enter_context(engine(folder, database=url))
            ready, memory = writer.wait_ready(READY_SECONDS), writer.usage().memory
            with turns(writer.address, corpus.TASKS) as session:
                rounds = [[_took(session.take_one) * 1_000 for _ in range(calls)] for _ in range(REPEATS)]
            took: list[float] = []
            for _ in range(repeats):
                standby = nodes.enter_context(engine(folder, database=url))
                standby.wait_ready(READY_SECONDS)
                took.append(_take_over(writer, standby))
                writer = standby
            # Whether a node hands over in order is no question here.
            writer.kill()
    return [
        *quantiles(f"PostgreSQL: hand-out with {queued:,} queued", "ms", rounds, p99=HAND_OUT_AIM),
        Figure(f"PostgreSQL: kill -9 to the next accepted trigger with {queued:,} queued", "s", tuple(took), aim),
        Figure(f"PostgreSQL: process start to /readyz 200 with {queued:,} queued", "s", (ready,)),
        Figure(f"PostgreSQL: memory of the engine with {queued:,} queued", "MB", (memory,)),
    ]


def _take_over(writer: Running, standby: Running) -> float:
    """Seconds in which nobody accepts anything."""
    with httpx.Client(base_url=standby.address, headers=HEADERS, timeout=TAKEOVER_SECONDS) as http:
        begun = time.perf_counter()
        writer.kill()
        while not http.post("/api/v1/tasks/nothing/trigger", json={"payload": 1}).is_success:
            if time.perf_counter() > begun + TAKEOVER_SECONDS:
                raise BenchError(f"Nobody has taken over after {TAKEOVER_SECONDS} s.")
            time.sleep(AGAIN_SECONDS)
        return time.perf_counter() - begun


def _took(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
