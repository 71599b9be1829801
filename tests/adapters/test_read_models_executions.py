"""Lists of executions on every database: the same pages as plain Python finds, and no list that reads all rows."""

# pyright: reportPrivateUsage=false

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given

from adapters import read_models_executions
from adapters.read_models_executions import ORDERS
from adapters.sqlite.read_models import SqliteReadModels
from projections import executions
from projections.executions import STATUSES, ExecutionFilter, ExecutionRow, Order, Place
from tests.adapters.read_models import Opener, Tables, apply, dump
from tests.projections.histories import ENVIRONMENTS, JOBS, MOMENT, chances, history, unhurried

FILTERS = [
    ExecutionFilter(),
    *(ExecutionFilter(status=status) for status in STATUSES),
    ExecutionFilter(jobs=()),
    ExecutionFilter(jobs=("job_1",)),
    ExecutionFilter(jobs=JOBS[1:]),
    ExecutionFilter(jobs=("job_1",), status="queued"),
    ExecutionFilter(jobs=JOBS, status="failed"),
    ExecutionFilter(scheduled_from=MOMENT + 500),
    ExecutionFilter(scheduled_to=MOMENT + 5_000, status="succeeded"),
    ExecutionFilter(("job_2", "job_nobody_knows"), None, MOMENT, MOMENT + 9_000),
]


def expected(rows: Sequence[ExecutionRow], environment: str, wanted: ExecutionFilter, order: Order) -> list[str]:
    found = [row for row in rows if row.environment == environment and executions.matches(row, wanted)]
    found.sort(key=lambda row: executions.place_of(row, order), reverse=not order.is_ascending)
    return [row.id for row in found]


@unhurried
@given(chance=chances)
def test_pages_are_those_of_the_filter_in_every_order(empty: Opener, chance: Random) -> None:
    read_models = empty()
    records = history(chance, 150)
    apply(read_models, records)
    rows = list(dump(read_models).executions.values())

    for environment in ENVIRONMENTS:
        for wanted in FILTERS:
            order = chance.choice(list(ORDERS))
            everything = expected(rows, environment, wanted, order)
            limit, offset = chance.randrange(1, 5), chance.randrange(3)
            page, more = read_models.list_executions(environment, wanted, order, limit, offset=offset)
            assert [run.id for run in page] == everything[offset : offset + limit]
            assert more is (len(everything) > offset + limit)
            if page and page[-1].job:
                place = Place(page[-1].job.scheduled_for, page[-1].id)
                behind, _ = read_models.list_executions(environment, wanted, order, 100, after=place)
                assert [run.id for run in behind] == everything[offset + len(page) :]


def test_more_jobs_than_are_asked_one_by_one_are_found_as_well(
    read_models: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (read_models_executions, *_modules()):
        monkeypatch.setattr(each, "JOBS_MAX", 1)
    apply(read_models, history(Random(3), 400))
    rows = list(dump(read_models).executions.values())

    for order in ORDERS:
        page, _ = read_models.list_executions(ENVIRONMENTS[0], ExecutionFilter(jobs=JOBS[:2]), order, 100)
        assert page
        assert [run.id for run in page] == expected(rows, ENVIRONMENTS[0], ExecutionFilter(jobs=JOBS[:2]), order)


@pytest.mark.parametrize("wanted", [each for each in FILTERS if each.jobs is None or len(each.jobs) == 1])
@pytest.mark.parametrize("order", ORDERS)
def test_no_list_sorts_and_none_reads_the_whole_table(wanted: ExecutionFilter, order: Order) -> None:
    read_models = SqliteReadModels(":memory:", name="plans")
    plans: list[str] = []
    with read_models._store.reading() as cursor:
        cursor.connection.set_trace_callback(plans.append)
    read_models.list_executions(ENVIRONMENTS[0], wanted, order, 50)
    (asked,) = [each for each in plans if "from execution_rows" in each]
    with read_models._store.reading() as cursor:
        cursor.connection.set_trace_callback(None)
        steps = [detail for *_, detail in cursor.execute(f"explain query plan {asked}").fetchall()]
    read_models.close()

    if order.by_schedule or (wanted.scheduled_from is None and wanted.scheduled_to is None):
        assert [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step] == []
    assert "INDEX" in steps[0]


def _modules() -> list[object]:
    from adapters.postgres import read_models_executions as of_postgres  # noqa: PLC0415 (named as the other one)
    from adapters.sqlite import read_models_executions as of_sqlite  # noqa: PLC0415

    return [of_postgres, of_sqlite]
