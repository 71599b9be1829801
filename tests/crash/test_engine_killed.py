"""The engine dies by kill -9 at each boundary of what it writes, life after life, on one ledger.

With RUNFOLD_SCALE it dies at each moment of each of these writes; without, at every other one in turn.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.engine_process import MOMENTS
from tests.crash.scenario import Scenario

LIVES = {"append": (1, 6), "blobs": (2,), "handouts": (2,), "results": (2,), "tries": (2,), "views": (1, 4)}
"""At which of its writes of this kind an engine dies, once at each moment of it."""


@pytest.mark.parametrize(("write", "counts"), LIVES.items(), ids=LIVES)
async def test_nothing_is_lost_or_done_twice_when_the_engine_dies_while_it_writes(
    scenario: Scenario, write: str, counts: Sequence[int]
) -> None:
    scenario.clients.begin()
    scenario.start_worker()
    for number, count in enumerate(counts):
        for moment in MOMENTS if "RUNFOLD_SCALE" in os.environ else MOMENTS[1 - number :: 2]:
            scenario.start_engine(f"{write}.{moment}", count)
            await scenario.engine_is_killed()
            if (count, moment) == (counts[0], "inserted"):
                # Once both are dead at the same time.
                await scenario.kill_worker()
                scenario.start_worker()
    scenario.start_engine()

    await scenario.finish()


async def test_nothing_is_lost_or_done_twice_when_the_engine_dies_while_it_claims_the_head(scenario: Scenario) -> None:
    scenario.clients.begin()
    scenario.start_worker()
    for place in ("append.committed", "blobs.inserted"):
        for moment in MOMENTS:
            scenario.start_engine(f"claim.{moment}")
            await scenario.engine_is_killed()
        # Then it gets some way before the next round.
        scenario.start_engine(place, 5)
        await scenario.engine_is_killed()
    scenario.start_engine()

    await scenario.finish()


async def test_read_models_are_whole_when_the_engine_dies_while_it_rebuilds_them(scenario: Scenario) -> None:
    scenario.clients.begin()
    scenario.start_worker()
    scenario.start_engine("append.committed", 30)
    await scenario.engine_is_killed()
    for place in ("rebuild.before", "rebuild.inserted", "rebuild.committed", *(f"swap.{each}" for each in MOMENTS)):
        make_strange(scenario.views)
        scenario.start_engine(place)
        await scenario.engine_is_killed()
    # Behind the swap the tables of before are dropped, each in a transaction of its own.
    make_strange(scenario.views)
    scenario.start_engine("swap.committed", 3)
    await scenario.engine_is_killed()
    scenario.start_engine()

    await scenario.finish()


def make_strange(views: Path) -> None:
    """Let the read models be of another ledger, so that the engine makes them anew when it starts."""
    with closing(sqlite3.connect(views)) as connection, connection:
        changed = connection.execute("update tracked set digest = zeroblob(32)").rowcount
    assert changed == 1
