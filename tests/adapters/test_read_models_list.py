"""Lists of runs: the same rows as the naive filter leaves, page by page in both directions."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters import read_models_pages
from domain import events as e
from domain.status import Status
from projections.filters import RunFilter, matches
from projections.run_row import RunRow
from tests.adapters.read_models import Opener, Tables, apply
from tests.projections.histories import (
    BATCHES,
    MOMENT,
    SCHEDULES,
    TAGS,
    TASKS,
    VERSIONS,
    chances,
    history,
    of_run,
    unhurried,
)
from tests.projections.model import naively


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({}, RunFilter(tags=("a",))),
        ({"tags": 9, "queues": 9, "versions": 3}, RunFilter(versions=("v",), statuses=(Status.FAILED,))),
        ({"tags": 9, "queues": 2, "versions": 3}, RunFilter(queues=("q",), statuses=(Status.FAILED,))),
        ({"tags": 0}, RunFilter(tags=("a",))),
    ],
)
def test_what_is_rare_finds_the_runs_and_if_nothing_is_what_comes_first(
    counts: dict[str, int], found: RunFilter
) -> None:
    wanted = RunFilter(tags=("a",), queues=("q",), versions=("v",), statuses=(Status.FAILED,))

    def count(part: RunFilter) -> int:
        (name,) = [each for each in ("tags", "queues", "versions") if getattr(part, each)]
        return counts.get(name, read_models_pages.FEW_MAX)

    assert read_models_pages.narrowest(wanted, count) == found


def test_what_one_index_finds_is_not_counted() -> None:
    def count(_: RunFilter) -> int:
        raise AssertionError("nothing is to choose")

    of_task = RunFilter(tasks=("greet",), statuses=(Status.FAILED,))

    assert read_models_pages.narrowest(of_task, count) == of_task
    assert read_models_pages.narrowest(RunFilter(), count) == RunFilter()
    assert read_models_pages.narrowest(RunFilter(created_to=5, is_test=False), count) == RunFilter()


few_statuses = st.lists(st.sampled_from(Status), max_size=3).map(tuple)
moments = st.none() | st.integers(MOMENT - 10, MOMENT + 20_000)
filters = st.builds(
    RunFilter,
    statuses=few_statuses,
    tasks=st.lists(st.sampled_from((*TASKS, "none")), max_size=2).map(tuple),
    versions=st.lists(st.sampled_from(VERSIONS), max_size=1).map(tuple),
    tags=st.lists(st.sampled_from((*TAGS, "none")), max_size=3).map(tuple),
    tags_all=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
    queues=st.lists(st.sampled_from(("task/greet", "task/mail", "urgent", "none")), max_size=3).map(tuple),
    batch=st.none() | st.sampled_from(BATCHES),
    schedule=st.none() | st.sampled_from(SCHEDULES),
    is_test=st.none() | st.booleans(),
    created_from=moments,
    created_to=moments,
)
# Most filters at once leave nothing; those that leave something are mostly of one part.
single_filters = st.one_of(
    st.just(RunFilter()),
    st.builds(RunFilter, statuses=few_statuses),
    st.builds(RunFilter, queues=st.sampled_from((("task/greet",), ("urgent", "task/mail")))),
    st.builds(RunFilter, tags=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple)),
    st.builds(RunFilter, tags_all=st.lists(st.sampled_from(TAGS), min_size=1, max_size=3).map(tuple)),
    st.builds(RunFilter, tags_all=st.just(TAGS[:2])),
    st.builds(RunFilter, tasks=st.sampled_from((("greet",), TASKS)), is_test=st.none() | st.booleans()),
    st.builds(RunFilter, batch=st.sampled_from(BATCHES)),
    st.builds(RunFilter, schedule=st.sampled_from(SCHEDULES)),
    st.builds(RunFilter, created_from=moments, created_to=moments),
)


def listed(read_models: Tables, wanted: RunFilter, limit: int) -> list[RunRow]:
    """All pages, from the newest run to the oldest."""
    rows, has_more = read_models.list_runs("env_a", wanted, limit)
    while has_more:
        assert rows
        page, has_more = read_models.list_runs("env_a", wanted, limit, after=rows[-1].id)
        assert 0 < len(page) <= limit
        rows += page
    return rows


def listed_backwards(read_models: Tables, wanted: RunFilter, limit: int) -> list[RunRow]:
    """All pages, from the oldest run to the newest, put together."""
    rows, has_more = read_models.list_runs("env_a", wanted, limit, before="run_")
    while has_more:
        assert rows
        page, has_more = read_models.list_runs("env_a", wanted, limit, before=rows[0].id)
        assert 0 < len(page) <= limit
        rows = page + rows
    return rows


@unhurried
@given(chances, filters | single_filters, st.integers(1, 7))
def test_pages_in_both_directions_are_what_the_naive_filter_leaves(
    empty: Opener, chance: Random, wanted: RunFilter, limit: int
) -> None:
    records = history(chance, 80)
    read_models = empty()
    apply(read_models, records)
    rows = [row for row in naively(records).runs.values() if row.environment == "env_a" and matches(row, wanted)]
    newest_first = sorted(rows, key=lambda row: row.id, reverse=True)

    assert listed(read_models, wanted, limit) == newest_first
    assert listed_backwards(read_models, wanted, limit) == newest_first


@unhurried
@given(chances, filters | single_filters, st.integers(1, 7), st.integers(0, 80))
def test_a_filter_that_names_runs_leaves_none_but_these(
    empty: Opener, chance: Random, others: RunFilter, limit: int, count: int
) -> None:
    records = history(chance, 80)
    read_models = empty()
    apply(read_models, records)
    everywhere = sorted(naively(records).runs.values(), key=lambda row: row.id, reverse=True)
    named = frozenset(row.id for row in chance.sample(everywhere, min(count, len(everywhere)))) | {"run_none"}
    wanted = replace(others, runs=named)
    left = [row for row in everywhere if row.environment == "env_a" and row.id in named and matches(row, others)]

    assert [row for row in everywhere if row.environment == "env_a" and matches(row, wanted)] == left
    assert listed(read_models, wanted, limit) == left
    assert listed_backwards(read_models, wanted, limit) == left


def test_a_page_between_two_runs_goes_on_from_the_newer_one(read_models: Tables) -> None:
    for position, number in enumerate("12345", start=1):
        (first,) = of_run(e.RunTriggered("greet", "task/greet"), stream=f"run_{number}")
        apply(read_models, [type(first)(position, f"run_{number}", 1, "env_a", 1, 1, "test", "test", first.event)])

    rows, has_more = read_models.list_runs("env_a", RunFilter(), 2, after="run_5", before="run_1")
    assert ([row.id for row in rows], has_more) == (["run_4", "run_3"], True)
    rows, has_more = read_models.list_runs("env_a", RunFilter(), 3, after="run_5", before="run_1")
    assert ([row.id for row in rows], has_more) == (["run_4", "run_3", "run_2"], False)


def test_very_many_tasks_do_not_make_a_list_other_rows(read_models: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    records = history(Random(1), 200)
    apply(read_models, records)
    wanted = RunFilter(statuses=(Status.CANCELED, Status.QUEUED))
    by_pairs = read_models.list_runs("env_a", wanted, 50)
    monkeypatch.setattr(read_models_pages, "PAIRS_MAX", 0)

    assert by_pairs[0]
    assert read_models.list_runs("env_a", wanted, 50) == by_pairs


@pytest.mark.parametrize("few", [1, 3, 10])
def test_by_which_filter_runs_are_found_makes_no_difference(
    read_models: Tables, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    records = history(Random(3), 300)
    apply(read_models, records)
    chance = Random(4)
    some = [
        RunFilter(
            statuses=tuple(chance.sample(list(Status), chance.randint(0, 9))),
            tags=tuple(chance.sample(TAGS, chance.randint(0, 2))),
            queues=chance.choice(((), ("task/greet",), ("urgent", "task/mail"))),
            tasks=chance.choice(((), TASKS[:1], TASKS)),
            versions=chance.choice(((), VERSIONS[:1])),
            is_test=chance.choice((None, True, False)),
        )
        for _ in range(60)
    ]
    rows = sorted(naively(records).runs.values(), key=lambda row: row.id, reverse=True)
    wanted_rows = [[row for row in rows if row.environment == "env_a" and matches(row, wanted)] for wanted in some]
    before = [(there[:5], len(there) > 5) for there in wanted_rows]
    assert [read_models.list_runs("env_a", wanted, 5) for wanted in some] == before
    monkeypatch.setattr(read_models_pages, "FEW_MAX", few)

    assert [read_models.list_runs("env_a", wanted, 5) for wanted in some] == before
    assert sum(bool(there) for there in wanted_rows) > 5
