"""Lists against a naive model: the rows that `matches` leaves, newest first, cut into pages."""

import asyncio
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.status import Status
from domain.vocabulary import VOCABULARIES, Vocabulary
from projections import run_list
from projections.filters import RunFilter, matches
from projections.run_row import RunRow
from tests.app.harness import START_MS, Engine, running_engine
from tests.app.statuses import run_in

TASKS = ("echo", "fail", "to-completed", "to-expired")
TAGS = ("a", "b", "c")
QUEUES = ("vip", "task/echo", "task/fail", "task/to-completed")
SPAN_MS = 60_000

STATUSES = st.lists(st.sampled_from(sorted(Status)), max_size=3)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "filter[status]": STATUSES,
        "filter[taskIdentifier]": st.lists(st.sampled_from(TASKS), max_size=3),
        "filter[tag]": st.lists(st.sampled_from((*TAGS, "none")), max_size=2),
        "filter[queue]": st.lists(st.sampled_from(QUEUES), max_size=3),
        "filter[machine]": st.lists(st.sampled_from(("micro", "large-1x", "small-1x")), max_size=2),
        "filter[version]": st.lists(st.sampled_from(("20270115.1", "20270115.3", "x")), max_size=2),
        "filter[isTest]": st.sampled_from(("true", "false")),
        "filter[createdAt][from]": st.integers(START_MS - 1, START_MS + SPAN_MS),
        "filter[createdAt][to]": st.integers(START_MS - 1, START_MS + SPAN_MS),
    },
)


async def _fill(engine: Engine) -> list[RunRow]:
    """Runs of all kinds; returns their rows, newest first, folded from their own events."""
    chance = random.Random(7)
    for status in Status:
        await run_in(engine, status, tags=chance.sample(TAGS, 1))
    for _ in range(60):
        queue = chance.choice((None, None, {"name": "vip"}, {"name": "task/echo"}))
        tags, is_test = chance.sample(TAGS, chance.randint(0, 2)), chance.random() < 0.3
        machine = chance.choice((None, "micro", "large-1x"))
        await engine.trigger(chance.choice(TASKS), tags=tags, test=is_test, queue=queue, machine=machine)
        await engine.advance(chance.randint(0, 1_000))
    everything = await engine.service.read(lambda: engine.service.ledger.read_after(0, limit=10_000))
    rows: dict[str, RunRow] = {}
    for recorded in everything:
        row = run_list.project(rows.get(recorded.stream), recorded)
        if row is not None:
            rows[row.id] = row
    return [rows[run] for run in sorted(rows, reverse=True)]


async def _walk(engine: Engine, query: dict[str, Any]) -> tuple[list[str], list[str]]:
    """All pages to the end, and then back to the first."""
    there: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await engine.client.get("/api/v1/runs", params=query | cursor)).json()
        there += [run["id"] for run in page["data"]]
        if "next" not in page["pagination"]:
            break
        cursor = {"page[after]": page["pagination"]["next"]}
    back = [run["id"] for run in page["data"]]
    while "previous" in page["pagination"]:
        cursor |= {"page[before]": page["pagination"]["previous"]}
        page = (await engine.client.get("/api/v1/runs", params=query | cursor)).json()
        back = [run["id"] for run in page["data"]] + back
    return there, back


def _joined(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType]


def _filter_of(given: dict[str, Any], vocabulary: Vocabulary) -> RunFilter:
    is_test = given.get("filter[isTest]")
    names = [vocabulary.words[status] for status in given.get("filter[status]", [])]
    return RunFilter(
        statuses=tuple(status for name in names for status in vocabulary.named(name)),
        tasks=tuple(given.get("filter[taskIdentifier]", ())),
        versions=tuple(given.get("filter[version]", ())),
        tags=tuple(given.get("filter[tag]", ())),
        queues=tuple(given.get("filter[queue]", ())),
        machines=tuple(given.get("filter[machine]", ())),
        is_test=None if is_test is None else is_test == "true",
        created_from=given.get("filter[createdAt][from]"),
        created_to=given.get("filter[createdAt][to]"),
    )


def test_pages_of_any_filter_are_those_of_the_naive_model() -> None:
    with asyncio.Runner() as runner:
        context = running_engine()
        engine = runner.run(context.__aenter__())
        rows = runner.run(_fill(engine))

        @settings(max_examples=40, deadline=None)
        @given(FILTERS, st.integers(5, 100), st.sampled_from(list(VOCABULARIES.values())))
        def check(filters: dict[str, Any], size: int, vocabulary: Vocabulary) -> None:
            names = [vocabulary.words[each] for each in filters.get("filter[status]", [])]
            shown = filters | {"filter[status]": names, "vocabulary": vocabulary.name}
            query = {name: _joined(value) for name, value in shown.items()}

            there, back = runner.run(_walk(engine, query | {"page[size]": size}))

            expected = [row.id for row in rows if matches(row, _filter_of(filters, vocabulary))]
            assert there == expected
            assert back == expected

        try:
            check()
        finally:
            runner.run(context.__aexit__(None, None, None))
