"""Pages of 50 runs among a million, in process and over HTTP."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import httpx
from msgspec import Struct

from adapters.sqlite.read_models import SqliteReadModels
from app.web.listing import cursor_of
from bench import corpus
from bench.corpus import Corpus
from bench.figures import BenchError, Chapter, Figure, quantiles, under
from bench.floors import APPEND_LARGE, FOLD
from bench.processes import HEADERS, Running, engine
from domain.status import Status
from projections.filters import RunFilter

RUNS, QUICK_RUNS = 1_000_000, 20_000
ROUNDS, CALLS = 3, 200
PAGE = 50
AIM = under(10)


class Query(Struct, frozen=True):
    """The same page, asked for in both ways."""

    name: str
    wanted: RunFilter
    parameters: Mapping[str, str]
    after: str | None = None


def measure(folder: Path, *, quick: bool) -> Chapter:
    """Write the ledger and its read models, then ask for pages of them."""
    made = corpus.write(folder, QUICK_RUNS if quick else RUNS)
    calls = CALLS // 10 if quick else CALLS
    figures = [
        Figure(
            "ledger written, commits of 4,000", "events/s", (made.events / made.append_seconds,), floors=(APPEND_LARGE,)
        ),
        Figure(
            "read models followed, batches of 4,000", "events/s", (made.events / made.apply_seconds,), floors=(FOLD,)
        ),
    ]
    queries = list(_queries(made))
    with closing(made.read_models()) as read_models:
        for query in queries:
            figures += quantiles(f"in process: {query.name}", "ms", _in_process(read_models, made, query, calls))
    with engine(folder) as running:
        figures.append(Figure("start of an engine on these files", "s", (running.wait_ready(),)))
        for query in queries:
            floors = (f"in process: {query.name}, p50",)
            aim = AIM if query is queries[0] else None
            rounds = _over_http(running, query, calls)
            figures += quantiles(f"over HTTP: {query.name}", "ms", rounds, p50=aim, p99=aim, floors=floors)
    about = (
        f"{len(made.runs):,} runs of {len(corpus.TASKS)} tasks, {made.events:,} events; 1 % failed, 10 % have one of"
        f" {len(corpus.TAGS)} tags, 5 % are in a queue of their own. {calls} calls a round, one after the other."
    )
    return Chapter("Lists", about, figures)


def _queries(made: Corpus) -> Iterator[Query]:
    failed, task, tag, queue = (Status.FAILED,), corpus.TASKS[3], corpus.TAGS[7], corpus.QUEUE
    middle = made.runs[len(made.runs) // 2]
    yield Query("newest 50 FAILED", RunFilter(statuses=failed), {"filter[status]": "FAILED"})
    yield Query("newest 50", RunFilter(), {})
    yield Query("newest 50 of a task", RunFilter(tasks=(task,)), {"filter[taskIdentifier]": task})
    yield Query(
        "newest 50 FAILED of a task",
        RunFilter(tasks=(task,), statuses=failed),
        {"filter[taskIdentifier]": task, "filter[status]": "FAILED"},
    )
    yield Query("newest 50 with a tag", RunFilter(tags=(tag,)), {"filter[tag]": tag})
    yield Query("newest 50 in a queue", RunFilter(queues=(queue,)), {"filter[queue]": queue})
    yield Query("50 from the middle", RunFilter(), {}, middle)
    yield Query("50 FAILED from the middle", RunFilter(statuses=failed), {"filter[status]": "FAILED"}, middle)


def _in_process(read_models: SqliteReadModels, made: Corpus, query: Query, calls: int) -> list[list[float]]:
    def ask() -> None:
        rows, _ = read_models.list_runs(made.environment, query.wanted, PAGE, after=query.after)
        _check(query, len(rows))

    return _timed(ask, calls)


def _over_http(running: Running, query: Query, calls: int) -> list[list[float]]:
    parameters = {**query.parameters, "page[size]": str(PAGE)}
    if query.after:
        parameters["page[after]"] = cursor_of(query.after)
    with httpx.Client(base_url=running.address, headers=HEADERS) as http:

        def ask() -> None:
            response = http.get("/api/v1/runs", params=parameters)
            _check(query, len(response.raise_for_status().json()["data"]))

        return _timed(ask, calls)


def _timed(ask: Callable[[], None], calls: int) -> list[list[float]]:
    rounds: list[list[float]] = []
    for _ in range(ROUNDS):
        took: list[float] = []
        for _ in range(calls):
            begun = time.perf_counter()
            ask()
            took.append((time.perf_counter() - begun) * 1_000)
        rounds.append(took)
    return rounds


def _check(query: Query, found: int) -> None:
    if found == 0:
        raise BenchError(f"There is nothing on the page {query.name!r}.")
