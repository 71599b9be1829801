"""What each filter leaves; databases are held to this."""

import pytest

from domain.status import Status
from projections.filters import RunFilter, matches
from projections.run_row import RunRow

ROW = RunRow(
    id="run_1",
    environment="env_a",
    task="greet",
    queue="urgent",
    status=Status.FAILED,
    events=5,
    position=9,
    created_at=1_000,
    updated_at=1_050,
    queued_at=1_000,
    tags=("blue", "red"),
    version="20260101.1",
    batch="batch_1",
    schedule="sched_1",
    machine="micro",
)


@pytest.mark.parametrize(
    "wanted",
    [
        RunFilter(),
        RunFilter(statuses=(Status.QUEUED, Status.FAILED)),
        RunFilter(tasks=("greet", "mail")),
        RunFilter(versions=("20260101.1",)),
        RunFilter(tags=("red", "green")),
        RunFilter(queues=("urgent",)),
        RunFilter(machines=("large-1x", "micro")),
        RunFilter(batch="batch_1"),
        RunFilter(schedule="sched_1"),
        RunFilter(is_test=False),
        RunFilter(behind=8),
        RunFilter(created_from=1_000, created_to=1_000),
        RunFilter(statuses=(Status.FAILED,), tasks=("greet",), tags=("blue",), batch="batch_1", is_test=False),
    ],
)
def test_a_run_that_matches(wanted: RunFilter) -> None:
    assert matches(ROW, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        RunFilter(statuses=(Status.QUEUED,)),
        RunFilter(tasks=("mail",)),
        RunFilter(versions=("20260102.1",)),
        RunFilter(tags=("green",)),
        RunFilter(queues=("task/greet",)),
        RunFilter(machines=("large-1x",)),
        RunFilter(batch="batch_2"),
        RunFilter(schedule="sched_2"),
        RunFilter(is_test=True),
        RunFilter(behind=9),
        RunFilter(created_from=1_001),
        RunFilter(created_to=999),
        RunFilter(statuses=(Status.FAILED,), tasks=("mail",)),
    ],
)
def test_a_run_that_does_not_match(wanted: RunFilter) -> None:
    assert not matches(ROW, wanted)
