"""Lists of runs: the same rows as the naive filter leaves, page by page in both directions."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sqlite import read_models_list
from adapters.sqlite.read_models import UNFINISHED, SqliteReadModels
from domain import events as e
from domain.status import Status
from projections.filters import RunFilter, matches
from projections.run_list import RunRow
from tests.adapters.read_models import apply, in_memory, inside
from tests.projections.histories import BATCHES, MOMENT, TAGS, TASKS, VERSIONS, chances, history, of_run, unhurried
from tests.projections.model import naively

few_statuses = st.lists(st.sampled_from(Status), max_size=3).map(tuple)
moments = st.none() | st.integers(MOMENT - 10, MOMENT + 20_000)
filters = st.builds(
    RunFilter,
    statuses=few_statuses,
    tasks=st.lists(st.sampled_from((*TASKS, "none")), max_size=2).map(tuple),
    versions=st.lists(st.sampled_from(VERSIONS), max_size=1).map(tuple),
    tags=st.lists(st.sampled_from((*TAGS, "none")), max_size=3).map(tuple),
    queues=st.lists(st.sampled_from(("task/greet", "task/mail", "urgent", "none")), max_size=3).map(tuple),
    batch=st.none() | st.sampled_from(BATCHES),
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
    st.builds(RunFilter, tasks=st.sampled_from((("greet",), TASKS)), is_test=st.none() | st.booleans()),
    st.builds(RunFilter, batch=st.sampled_from(BATCHES)),
    st.builds(RunFilter, created_from=moments, created_to=moments),
)


def listed(read_models: SqliteReadModels, wanted: RunFilter, limit: int) -> list[RunRow]:
    """All pages, from the newest run to the oldest."""
    rows, has_more = read_models.list_runs("env_a", wanted, limit)
    while has_more:
        assert rows
        page, has_more = read_models.list_runs("env_a", wanted, limit, after=rows[-1].id)
        assert 0 < len(page) <= limit
        rows += page
    return rows


def listed_backwards(read_models: SqliteReadModels, wanted: RunFilter, limit: int) -> list[RunRow]:
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
    chance: Random, wanted: RunFilter, limit: int
) -> None:
    records = history(chance, 80)
    read_models = in_memory()
    apply(read_models, records)
    rows = [row for row in naively(records).runs.values() if row.environment == "env_a" and matches(row, wanted)]
    newest_first = sorted(rows, key=lambda row: row.id, reverse=True)

    assert listed(read_models, wanted, limit) == newest_first
    assert listed_backwards(read_models, wanted, limit) == newest_first


def test_a_page_between_two_runs_goes_on_from_the_newer_one() -> None:
    read_models = in_memory()
    for position, number in enumerate("12345", start=1):
        (first,) = of_run(e.RunTriggered("greet", "task/greet"), stream=f"run_{number}")
        apply(read_models, [type(first)(position, f"run_{number}", 1, "env_a", 1, 1, "test", "test", first.event)])

    rows, has_more = read_models.list_runs("env_a", RunFilter(), 2, after="run_5", before="run_1")
    assert ([row.id for row in rows], has_more) == (["run_4", "run_3"], True)
    rows, has_more = read_models.list_runs("env_a", RunFilter(), 3, after="run_5", before="run_1")
    assert ([row.id for row in rows], has_more) == (["run_4", "run_3", "run_2"], False)


def test_very_many_tasks_do_not_make_a_list_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    records = history(Random(1), 200)
    read_models = in_memory()
    apply(read_models, records)
    wanted = RunFilter(statuses=(Status.CANCELED, Status.QUEUED))
    by_pairs = read_models.list_runs("env_a", wanted, 50)
    monkeypatch.setattr(read_models_list, "PAIRS_MAX", 0)

    assert by_pairs[0]
    assert read_models.list_runs("env_a", wanted, 50) == by_pairs


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (RunFilter(is_test=True), "runs_newest_0 (environment=? AND id>? AND id<?)"),
        (
            RunFilter(tasks=("greet",), versions=("1",)),
            "runs_of_task_0 (environment=? AND task=? AND status=? AND id>? AND id<?)",
        ),
        (
            RunFilter(statuses=(Status.FAILED,), is_test=True),
            "runs_of_task_0 (environment=? AND task=? AND status=? AND id>? AND id<?)",
        ),
        (
            RunFilter(queues=("urgent",), statuses=(Status.FAILED,)),
            "runs_of_queue_0 (environment=? AND queue=? AND id>? AND id<?)",
        ),
        (RunFilter(batch="batch_1", tasks=("greet",)), "runs_of_batch_0 (batch=? AND id>? AND id<?)"),
        (RunFilter(tags=("red",), batch="batch_1"), "PRIMARY KEY (environment=? AND tag=? AND run>? AND run<?)"),
    ],
)
def test_each_part_of_a_filter_is_read_from_its_index_and_never_sorted(wanted: RunFilter, index: str) -> None:
    read_models = in_memory()
    apply(read_models, history(Random(1), 200))
    statements: list[str] = []
    with inside(read_models) as cursor:
        for bound in ("run_", None):
            cursor.connection.set_trace_callback(statements.append)
            read_models_list.page(cursor, "env_a", wanted, 5, None, bound)
            cursor.connection.set_trace_callback(None)
        lists = [statement for statement in statements if "order by" in statement]
        plans = ["; ".join(step for *_, step in cursor.execute(f"explain query plan {each}")) for each in lists]

    assert len(plans) >= 2
    for plan in plans:
        assert plan.startswith(f"SEARCH {'tag_rows' if wanted.tags else 'run_rows'} USING ")
        assert index in plan
        assert "TEMP B-TREE" not in plan


def test_counts_of_queues_are_read_from_unfinished_runs_alone() -> None:
    with inside(in_memory()) as cursor:
        (plan, *_) = [step for *_, step in cursor.execute(f"explain query plan {UNFINISHED}", ("env_a",))]

    assert plan == "SEARCH run_rows USING COVERING INDEX unfinished_runs_0 (environment=?)"
