"""Schedules with a real engine and a real worker, while a test puts the clock forward."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

import runfold
from runfold import Schedule, Task, schedules, task
from runfold.testing import Clock, Serve, Worker
from tests.testing import letters
from tests.testing.letters import greet, report

pytest_plugins = ["runfold.testing.plugin"]


@pytest.fixture(autouse=True)
def sent() -> Iterator[list[str]]:
    """What was sent in this test: its tasks run in this process."""
    letters.sent.clear()
    yield letters.sent
    letters.sent.clear()


def test_a_task_runs_at_each_time_of_its_schedule(
    runfold_worker: Worker, runfold_clock: Clock, sent: list[str]
) -> None:
    made = schedules.create(report, cron="0 7,19 * * *", timezone="Europe/Berlin", external_id="ada")
    runfold_clock.advance("2d")

    found = list(runfold.runs.list())
    assert sorted(sent[:2]) == sorted(sent[2:])
    assert len(sent) == 4
    assert [run.status for run in found] == ["COMPLETED"] * 4
    assert {runfold.runs.retrieve(run.id).output for run in found} == {"Europe/Berlin"}
    now = runfold_clock.now()
    told = schedules.ticks(made, now - timedelta(days=3), now)
    assert told.problems == ()
    assert [each.fate for each in told.ticks] == ["FIRED"] * 4
    assert {each.local[11:16] for each in told.ticks} == {"07:00", "19:00"}
    assert {each.run for each in told.ticks} == {run.id for run in found}


def test_what_paused_is_backfilled(runfold_worker: Worker, runfold_clock: Clock, sent: list[str]) -> None:
    began = runfold_clock.now()
    made = schedules.create("greet", every="6h", payload="Ada")
    schedules.deactivate(made)
    runfold_clock.advance("1d")
    assert sent == []

    schedules.activate(made)
    filled = schedules.backfill(made, began, runfold_clock.now())
    runfold_clock.settle()
    assert (sent, len(filled)) == (["Ada"] * 4, 4)
    assert schedules.backfill(made, began, runfold_clock.now()) == ()


def test_a_schedule_is_run_now(runfold_worker: Worker, runfold_clock: Clock, sent: list[str]) -> None:
    made = schedules.create(report, cron="0 7,19 * * *", timezone="Europe/Berlin", external_id="ada")
    schedules.deactivate(made)
    run = runfold.runs.retrieve(schedules.run(made).id)
    runfold_clock.settle()

    now = runfold_clock.now()
    assert (run.source, len(sent)) == ("manual", 1)
    assert runfold.runs.retrieve(run.id).output == "Europe/Berlin"
    assert [(each.fate, each.run) for each in schedules.ticks(made, now - timedelta(hours=1), now).ticks] == [
        ("MANUAL", run.id)
    ]


def test_the_code_of_a_task_says_when_it_runs(runfold_serve: Serve, runfold_clock: Clock, sent: list[str]) -> None:
    @task(id="hourly", schedule=Schedule(every="1h", overlap="skip"))
    async def hourly() -> None:
        sent.append("hourly")

    every: Task[None, None] = hourly
    runfold_serve(every, greet)
    runfold_clock.advance("3h")

    (declared,) = schedules.list()
    assert sent == ["hourly"] * 3
    assert (declared.type, declared.task, declared.every) == ("DECLARATIVE", "hourly", 60)
