"""Workers and their processes die at every moment around the entries of a journal: nothing of it is done twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from domain import events as e
from tests.crash.databases import Database
from tests.crash.moments import OF_STEPS, OF_THE_REPORT
from tests.crash.ordering import Orders
from tests.crash.told import Told

DEATHS = {"order": len(OF_STEPS) + 2 * len(OF_THE_REPORT), "plain_order": len(OF_STEPS) + 2}
ONCE = dict.fromkeys(("first", *OF_STEPS, "last"), 1)
Open = Callable[[str, str], Orders]


@pytest.fixture
async def scenarios(tmp_path: Path, database: Callable[[Path], Database]) -> AsyncIterator[Open]:
    """Opens some side by side: their workers are lost at the same time, which saves waiting for that."""
    async with AsyncExitStack() as stack:

        def open_one(task: str, victim: str) -> Orders:
            folder = tmp_path / f"{task} {victim}"
            folder.mkdir()
            orders = Orders(folder, database(folder), task, victim=victim)
            stack.push_async_callback(orders.close)
            return orders

        yield open_one


@pytest.mark.timeout(300)
async def test_a_run_goes_on_in_its_attempt_and_repeats_only_what_was_not_reported(scenarios: Open) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(worker_dies(scenarios("order", "worker")))
        group.create_task(worker_dies(scenarios("plain_order", "worker")))
        group.create_task(child_processes_die(scenarios("plain_order", "children")))


async def worker_dies(orders: Orders) -> None:
    """With all that is in it, once at each moment."""
    orders.start_engine()
    run = await orders.ask()
    for _ in range(DEATHS[orders.task]):
        assert await orders.start_life().ended() == -signal.SIGKILL

    orders.start_life()
    told = await orders.finish_run(run)

    check(told, run, DEATHS[orders.task])
    times = told.times(run)
    assert times == ONCE | {"done": 2, "unsent": 2, "sent": times["sent"]}
    assert times["sent"] in {1, 2}


async def child_processes_die(orders: Orders) -> None:
    """The worker stays, and reports what they have told it."""
    orders.start_engine()
    run = await orders.ask()

    orders.start_life()
    told = await orders.finish_run(run)

    check(told, run, DEATHS[orders.task])
    assert told.times(run) == ONCE | {"done": 2}


def check(told: Told, run: str, deaths: int) -> None:
    """All that is in the journal is there once, and the run went on as often as somebody died."""
    told.check(run)
    assert len(told.of(run, e.AttemptResumed)) == deaths
    assert sorted(told.triggered()) == sorted([run, *told.children(run)])
    results = told.results(run)
    children = [told.output(child) for child in told.children(run)]
    assert told.output(run) == [*(results[step] for step in ("first", *OF_STEPS)), *children, results["last"]]
