"""Everything as it was up to a million events ago, over HTTP, beside the same question about now."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
from msgspec import Struct

from bench import corpus, databases
from bench.corpus import Corpus
from bench.figures import BenchError, Chapter, Figure, quantiles, under
from bench.processes import HEADERS, Running, engine

RUNS, QUICK_RUNS = 250_000, 5_000
ROUNDS, CALLS = 3, 20
PAGE = "50"
AIM = under(1_000)
READY_SECONDS = 120


class Question(Struct, frozen=True):
    """A path with its parameters; `of` is the same question about now."""

    name: str
    path: str
    parameters: Mapping[str, str]
    of: str | None = None


def measure(folder: Path, *, quick: bool) -> Chapter:
    """On SQLite."""
    return on(databases.file_in(folder), folder, "The past", "", quick=quick)


def on(url: str, folder: Path, title: str, before: str, *, quick: bool) -> Chapter:
    """Write a ledger, and ask an engine on it; `before` begins the names of the figures."""
    made = corpus.write(url, QUICK_RUNS if quick else RUNS)
    figures: list[Figure] = []
    with engine(folder, database=url) if before else engine(folder) as running:
        running.wait_ready(READY_SECONDS)
        for question in _questions(made):
            name = before + question.name
            floors = () if question.of is None else (f"{before}{question.of}, p50",)
            aim = None if question.of is None else AIM
            rounds = [_ask(running, question, CALLS // 4 if quick else CALLS) for _ in range(ROUNDS)]
            figures += quantiles(name, "ms", rounds, p50=aim, p99=aim, floors=floors)
    about = (
        f"{len(made.runs):,} finished runs, {made.events:,} events, 1 % failed. At each moment some 1,500 runs were not"
        f" over; a page has {PAGE} runs. {CALLS} calls a round, one after the other, over one connection."
    )
    return Chapter(title, about, figures)


def _questions(made: Corpus) -> Iterator[Question]:
    runs, queues = "/api/v1/runs", "/api/v1/queues"
    moments = {
        f"{back:,} events ago": str(made.events - back) for back in (1_000, made.events // 2, made.events - 4_000)
    }
    failed = {"filter[status]": "FAILED"}
    yield Question("newest 50, now", runs, {})
    yield Question("newest 50 FAILED, now", runs, failed)
    yield Question("queues, now", queues, {})
    for name, position in moments.items():
        then = {"asOf": position}
        yield Question(f"newest 50, {name}", runs, then, "newest 50, now")
        yield Question(f"newest 50 FAILED, {name}", runs, failed | then, "newest 50 FAILED, now")
        yield Question(f"50 that were QUEUED, {name}", runs, {"filter[status]": "QUEUED"} | then, "newest 50, now")
        yield Question(f"queues, {name}", queues, then, "queues, now")
    middle = made.runs[len(made.runs) // 2]
    yield Question("why a run is where it is, now", f"{runs}/{middle}/explain", {})
    yield Question(
        "why a run was where it was, half of all events ago",
        f"{runs}/{middle}/explain",
        {"asOf": str(made.events // 2 + 100)},
        "why a run is where it is, now",
    )


def _ask(running: Running, question: Question, calls: int) -> list[float]:
    """Milliseconds of each call."""
    listed = {"page[size]": PAGE} if question.path.endswith("/runs") else {}
    took: list[float] = []
    with httpx.Client(base_url=running.address, headers=HEADERS, timeout=60) as http:
        for _ in range(calls):
            begun = time.perf_counter()
            answer = http.get(question.path, params={**question.parameters, **listed}).raise_for_status().json()
            took.append((time.perf_counter() - begun) * 1_000)
            if not answer.get("data"):
                raise BenchError(f"There is nothing in the answer to {question.name!r}.")
    return took
