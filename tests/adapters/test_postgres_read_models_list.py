"""From which indexes PostgreSQL reads the lists of runs and of tokens."""

# pyright: reportPrivateUsage=false

import re
from collections.abc import Generator, Mapping
from random import Random
from typing import LiteralString
from unittest.mock import Mock

import pytest

from adapters.postgres.read_models import UNFINISHED, PostgresReadModels
from domain.status import Status
from domain.waitpoint import WaitpointStatus
from projections.filters import RunFilter
from projections.waitpoints import WaitpointFilter
from tests.adapters.read_models import apply, in_postgres, tamper
from tests.projections.histories import history, history_of_tokens

OF_A = "(select number from environments where name = 'env_a')"


@pytest.fixture
def read_models() -> Generator[PostgresReadModels]:
    with in_postgres() as opener:
        opened = opener()
        assert isinstance(opened, PostgresReadModels)
        yield opened


@pytest.mark.parametrize(
    ("wanted", "scans"),
    [
        (RunFilter(is_test=False), ["run_rows_environment_id_idx environment id id"]),
        (RunFilter(is_test=True), ["run_rows_environment_status_id_idx environment status id id"]),
        (RunFilter(machines=("micro",)), ["run_rows_environment_status_id_idx1 environment status id id"]),
        (
            RunFilter(versions=("1",), statuses=(Status.FAILED,)),
            ["run_rows_environment_version_status_id_idx environment version status id id"],
        ),
        (
            # No run has the version, and all have the task.
            RunFilter(tasks=("greet",), versions=("1",)),
            ["run_rows_environment_version_status_id_idx environment version status id id"],
        ),
        (
            RunFilter(statuses=(Status.FAILED,), is_test=True),
            ["run_rows_environment_status_id_idx environment status id id"],
        ),
        (
            RunFilter(queues=("urgent", "task/greet"), statuses=(Status.FAILED,)),
            [
                "run_rows_environment_queue_id_idx environment queue id id",
                "run_rows_environment_task_status_id_idx environment task status id id",
            ],
        ),
        (RunFilter(batch="batch_1", tasks=("greet",)), ["run_rows_batch_idx batch"]),
        (
            RunFilter(runs=frozenset({"run_1", "run_2"}), batch="batch_1"),
            ["run_rows_environment_id_idx environment id id id"],
        ),
        (RunFilter(tags=("red",)), ["tag_rows_pkey environment tag run run", "run_rows_pkey id"]),
        (
            RunFilter(tags=("red",), batch="batch_1"),
            ["run_rows_batch_idx batch", "tag_rows_pkey environment tag run"],
        ),
        (
            RunFilter(tags=("red",), batch="batch_2"),
            ["tag_rows_pkey environment tag run run", "run_rows_pkey id"],
        ),
        (
            RunFilter(tags_all=("red", "blue")),
            ["tag_rows_pkey environment tag run run", "run_rows_pkey id", "tag_rows_pkey environment tag run"],
        ),
        (
            RunFilter(tags_all=("red", "blue"), batch="batch_1"),
            ["run_rows_batch_idx batch", "tag_rows_pkey environment tag run"],
        ),
    ],
)
@pytest.mark.parametrize("before", [None, "run_"])
def test_each_part_of_a_filter_is_read_from_its_index_and_never_sorted(
    read_models: PostgresReadModels,
    monkeypatch: pytest.MonkeyPatch,
    wanted: RunFilter,
    scans: list[str],
    before: str | None,
) -> None:
    """Also where most runs are alike, which would let a planner that counts them look for the others one by one."""
    apply(read_models, history(Random(1), 200))
    tamper(read_models, f"update run_rows set environment = {OF_A}, task = 'greet', status = 'COMPLETED'")
    tamper(read_models, "update run_rows set queue = 'task/greet', batch = 'batch_2'")
    tamper(read_models, "analyze run_rows")
    listed = Mock(side_effect=read_models._store.listed)
    monkeypatch.setattr(read_models._store, "listed", listed)
    read_models.list_runs("env_a", wanted, 5, before=before)
    question: tuple[LiteralString, Mapping[str, object]] = listed.call_args.args
    statement, parameters = question
    plan = "\n".join(line for (line,) in read_models._store.listed(f"explain {statement}", parameters))

    read = re.findall(r"Index (?:Only )?Scan (?:Backward )?using (\S+) on .*\n +Index Cond: (.*)", plan)
    of_runs = [(index, condition) for index, condition in read if not index.startswith("environments_")]
    assert [" ".join([index, *re.findall(r"\((\w+) [=<>]", condition)]) for index, condition in of_runs] == [
        *scans,
        "run_rows_pkey id",
    ]
    assert len(re.findall("Scan (?!on (pair|unnest))", plan)) == len(read)
    # Only what was found by several parts is put in order.
    assert plan.count("Sort  (") == (
        "pair" in plan or "unnest wanted" in plan or (wanted.batch is not None and wanted.runs is None)
    )


BY_STATUS = "waitpoint_rows_environment_status_id_idx environment status id id"


@pytest.mark.parametrize(
    ("wanted", "scans"),
    [
        (WaitpointFilter(created_from=1), [BY_STATUS]),
        (WaitpointFilter(statuses=(WaitpointStatus.TIMED_OUT,)), [BY_STATUS]),
        (
            WaitpointFilter(idempotency_key="once", statuses=(WaitpointStatus.WAITING,)),
            ["waitpoint_rows_environment_key_digest_id_idx environment key_digest id id"],
        ),
        (
            WaitpointFilter(tags=("red", "blue"), statuses=(WaitpointStatus.WAITING,)),
            ["waitpoint_tag_rows_pkey environment tag status waitpoint waitpoint", "waitpoint_rows_pkey id"],
        ),
    ],
)
@pytest.mark.parametrize("before", [None, "waitpoint_"])
def test_lists_of_tokens_are_read_from_an_index_and_never_sorted(
    read_models: PostgresReadModels,
    monkeypatch: pytest.MonkeyPatch,
    wanted: WaitpointFilter,
    scans: list[str],
    before: str | None,
) -> None:
    apply(read_models, history_of_tokens(Random(1), 200))
    tamper(read_models, "update waitpoint_rows set environment = 'env_a', status = 'COMPLETED'")
    tamper(read_models, "analyze waitpoint_rows")
    listed = Mock(side_effect=read_models._store.listed)
    monkeypatch.setattr(read_models._store, "listed", listed)
    read_models.list_waitpoints("env_a", wanted, 5, before=before)
    question: tuple[LiteralString, Mapping[str, object]] = listed.call_args.args
    statement, parameters = question
    plan = "\n".join(line for (line,) in read_models._store.listed(f"explain {statement}", parameters))

    read = re.findall(r"Index (?:Only )?Scan (?:Backward )?using (\S+) on .*\n +Index Cond: (.*)", plan)
    assert [" ".join([index, *re.findall(r"\((\w+) [=<>]", condition)]) for index, condition in read] == [
        *scans,
        "waitpoint_rows_pkey id",
    ]
    assert len(re.findall("Scan (?!on (wanted|of|unnest))", plan)) == len(read)
    # Only what was found by several parts is put in order.
    assert plan.count("Sort  (") == ("wanted" in plan or "unnest" in plan)


def test_counts_of_queues_are_read_from_unfinished_runs_alone(read_models: PostgresReadModels) -> None:
    with read_models._store.writing() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("set local enable_bitmapscan = off")
        plan = "\n".join(
            line for (line,) in cursor.execute(f"explain {UNFINISHED}", {"environment": "env_a"}).fetchall()
        )

    assert "using run_rows_environment_queue_status_idx" in plan
    assert "Index Cond: (environment = (InitPlan 1).col1)" in plan
