"""A worker that is killed while things race: the next one hears in the same order what its code heard."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from domain import events as e
from tests.crash.databases import Database
from tests.crash.ordering import Orders
from tests.crash.orders import ENOUGH, effects_in
from tests.crash.racing import LONGEST_SECONDS, RACERS

LIVES = 4


@pytest.fixture
async def orders(tmp_path: Path, database: Callable[[Path], Database]) -> AsyncIterator[Orders]:
    orders = Orders(tmp_path, database(tmp_path), "race", lease_ms=500)
    try:
        yield orders
    finally:
        await orders.close()


async def test_what_was_heard_first_is_heard_first_in_each_life(orders: Orders) -> None:
    seed = int(os.environ.get("RUNFOLD_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"RUNFOLD_CRASH_SEED={seed}")  # noqa: T201 (pytest shows it when the test fails)
    chance = random.Random(seed)
    orders.start_engine()
    run = await orders.ask()

    for life in range(LIVES):
        await killed_when_it_has_heard(orders, run, 1 + life, chance.uniform(0, LONGEST_SECONDS))
    (orders.folder / ENOUGH).touch()
    orders.start_life("--freeze-after", "0.05")
    told = await orders.finish_run(run)

    lives: dict[str, list[str]] = {}
    for effect in told.effects:
        if effect.run == run:
            lives.setdefault(effect.key, []).append(effect.step)
    *killed, last = lives.values()
    assert len(killed) == LIVES
    assert told.output(run) == last
    assert sorted(last) == sorted(RACERS)
    for heard in killed:
        # Of the last thing that a life heard there may be no trace.
        assert heard[:-1] == last[: len(heard) - 1]
    steps: list[e.StepSucceeded] = told.of(run, e.StepSucceeded)
    assert [msgspec.json.decode(step.result) for step in steps if step.entry.name == "hear"] == last
    journal = [*steps, *told.of(run, e.ChildrenTriggered), *told.of(run, e.WaitStarted)]
    said = [wait for each in journal for wait in each.entry.heard or ()]
    assert sorted(said) == sorted(each.entry.index for each in told.of(run, e.WaitStarted))


async def killed_when_it_has_heard(orders: Orders, run: str, things: int, after: float) -> None:
    """A life that ends a moment after its code has heard so many things."""
    before = number_of_heard(orders, run)
    worker = orders.start_life("--freeze-after", "0.05")
    await orders.until(lambda: number_of_heard(orders, run) >= before + things, lambda: "it has heard too little")
    await asyncio.sleep(after)
    worker.signal(signal.SIGKILL)
    assert await worker.ended() == -signal.SIGKILL


def number_of_heard(orders: Orders, run: str) -> int:
    """How much this run has heard in all its lives. What its child did is in the same file."""
    return sum(effect.run == run for effect in effects_in(orders.folder))
