"""Pages of 50 runs among a million, in process and over HTTP."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
from msgspec import Struct

from app.web.listing import cursor_of
from bench import corpus, databases
from bench.corpus import Corpus
from bench.figures import BenchError, Chapter, Figure, quantiles, under
from bench.floors import APPEND_LARGE, FOLD
from bench.processes import HEADERS, Running, engine
from domain.status import Status
from projections.filters import RunFilter
from projections.ports import ReadModels

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
    is_empty: bool = False
    """Whether it finds nothing: whoever has no index for that reads all runs."""


def measure(folder: Path, *, quick: bool) -> Chapter:
    """Write the ledger and its read models, then ask for pages of them."""
    url = databases.file_in(folder)
    made = corpus.write(url, QUICK_RUNS if quick else RUNS)
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
    with databases.opened(url) as database:
        for query in queries:
            rounds = [in_process(database.read_models, made, query, calls) for _ in range(ROUNDS)]
            figures += quantiles(f"in process: {query.name}", "ms", rounds)
    with engine(folder) as running:
        figures.append(Figure("start of an engine on these files", "s", (running.wait_ready(),)))
        for query in queries:
            floors = (f"in process: {query.name}, p50",)
            aim = AIM if query is queries[0] else None
            rounds = [over_http(running, query, calls) for _ in range(ROUNDS)]
            figures += quantiles(f"over HTTP: {query.name}", "ms", rounds, p50=aim, p99=aim, floors=floors)
    about = (
        f"{len(made.runs):,} runs of {len(corpus.TASKS)} tasks, {made.events:,} events; 1 % failed, 10 % have one of"
        f" {len(corpus.TAGS)} tags, 5 % are in a queue of their own. {calls} calls a round, one after the other."
    )
    return Chapter("Lists", about, figures)


def newest_failed() -> Query:
    """The page that people look at first."""
    return Query("newest 50 FAILED", RunFilter(statuses=(Status.FAILED,)), {"filter[status]": "FAILED"})


def _queries(made: Corpus) -> Iterator[Query]:
    failed, task, tag, queue = (Status.FAILED,), corpus.TASKS[3], corpus.TAGS[7], corpus.QUEUE
    middle = made.runs[len(made.runs) // 2]
    yield newest_failed()
    yield Query("newest 50", RunFilter(), {})
    yield Query("newest 50 of a task", RunFilter(tasks=(task,)), {"filter[taskIdentifier]": task})
    yield Query(
        "newest 50 FAILED of a task",
        RunFilter(tasks=(task,), statuses=failed),
        {"filter[taskIdentifier]": task, "filter[status]": "FAILED"},
    )
    yield Query("newest 50 with a tag", RunFilter(tags=(tag,)), {"filter[tag]": tag})
    yield Query("newest 50 in a queue", RunFilter(queues=(queue,)), {"filter[queue]": queue})
    yield Query(
        "newest 50 of a version that no run has",
        RunFilter(versions=("20200101.1",)),
        {"filter[version]": "20200101.1"},
        is_empty=True,
    )
    yield Query("newest 50 tests where none is", RunFilter(is_test=True), {"filter[isTest]": "true"}, is_empty=True)
    yield Query(
        "newest 50 on a machine that no run has",
        RunFilter(machines=("micro",)),
        {"filter[machine]": "micro"},
        is_empty=True,
    )
    yield Query("50 from the middle", RunFilter(), {}, middle)
    yield Query("50 FAILED from the middle", RunFilter(statuses=failed), {"filter[status]": "FAILED"}, middle)


def in_process(read_models: ReadModels, made: Corpus, query: Query, calls: int) -> list[float]:
    """Milliseconds of each call, without an engine."""

    def ask() -> None:
        rows, _ = read_models.list_runs(made.environment, query.wanted, PAGE, after=query.after)
        _check(query, len(rows))

    return [_took(ask) for _ in range(calls)]


def over_http(running: Running, query: Query, calls: int) -> list[float]:
    """Milliseconds of each call, over one connection."""
    parameters = {**query.parameters, "page[size]": str(PAGE)}
    if query.after:
        parameters["page[after]"] = cursor_of(query.after)
    with httpx.Client(base_url=running.address, headers=HEADERS) as http:

        def ask() -> None:
            response = http.get("/api/v1/runs", params=parameters)
            _check(query, len(response.raise_for_status().json()["data"]))

        return [_took(ask) for _ in range(calls)]


def _took(ask: Callable[[], None]) -> float:
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1_000


def _check(query: Query, found: int) -> None:
    if (found == 0) is not query.is_empty:
        raise BenchError(f"There are {found} runs on the page {query.name!r}.")
