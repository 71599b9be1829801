"""The engine dies at each boundary of what it writes of a journal: its worker lives on, and does nothing twice.

With RUNFOLD_SCALE it dies on both sides of each; without, on either side of every other one in turn.
"""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from domain import events as e
from tests.crash.databases import Database
from tests.crash.ordering import Orders
from tests.crash.orders import ENOUGH, FREEZE_SECONDS

WRITES = ("steps", "children", "waits", "resumes", "wakes", "freezes", "returns")
MOMENTS = ("before", "committed")
"""Nothing of it is there, or all; nobody has been told of either."""
LEASE_MS = 20_000
"""The worker is not lost, however late it asks again."""


@pytest.fixture
async def orders(tmp_path: Path, database: Callable[[Path], Database]) -> AsyncIterator[Orders]:
    orders = Orders(tmp_path, database(tmp_path), "endure", lease_ms=LEASE_MS)
    try:
        yield orders
    finally:
        await orders.close()


@pytest.mark.timeout(300)
async def test_a_journal_is_whole_and_nothing_done_twice_when_the_engine_dies(orders: Orders, tmp_path: Path) -> None:
    orders.start_engine()
    orders.start_life("--freeze-after", str(FREEZE_SECONDS))
    run = await orders.ask()
    await orders.until_run_has(run, "RunFrozen", 1)
    await orders.kill_engine()

    is_whole = "RUNFOLD_SCALE" in os.environ
    for number, write in enumerate(WRITES if is_whole else WRITES[::2]):
        for moment in MOMENTS if is_whole else (MOMENTS[number % 2],):
            orders.start_engine(f"{write}.{moment}")
            await orders.engine_is_killed()
    orders.start_engine()
    (tmp_path / ENOUGH).touch()
    told = await orders.finish_run(run)

    told.check(run)
    rounds = told.output(run)
    assert told.times(run) == {f"more {number}": 1 for number in range(rounds + 1)}
    assert len(told.children(run)) == rounds
    assert len(told.of(run, e.RunFrozen)) == len(told.of(run, e.AttemptResumed)) >= len(MOMENTS)
    assert told.of(run, e.LateResultRefused) == []
