"""Lists of runs: the same rows as the naive filter leaves, page by page in both directions."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import read_models_pages
from domain import events as e
from domain.status import Status
from projections.filters import RunFilter, matches
from projections.run_list import RunRow
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
