"""What the tutorial of the order promises: kill it at any point, and see it finish."""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.crash.databases import Database
from tests.crash.tutorial import Tutorial
from tests.crash.tutorial_worker import ANSWERED, BEGUN, NEVER, UNSENT

STEPS = Counter({"charge": 1, "ask": 1, "remind": 1, "thank": 1, "hand over": 3})
REPORTS = Counter(
    {
        "started": 4,
        "step_succeeded charge 1": 1,
        "step_succeeded ask 1": 1,
        "waiting wait.token 1": 1,
        "blocked": 1,
        "step_succeeded remind 1": 1,
        "waiting wait.token 2": 1,
        "triggered batch trigger ship 1": 1,
        "waiting wait.batch 1": 1,
        "step_succeeded thank 1": 1,
        "step_succeeded hand over 1": 3,
        "succeeded": 4,
    }
)
FROZEN = Counter({"frozen": 1})
"""The engine freezes a run itself when its worker dies behind the answer to a wait."""
KILLS = 6
QUIET_SECONDS = 1.0
"""The longest time between two kills."""
Open = Callable[..., Tutorial]


@pytest.fixture
async def tutorials(tmp_path: Path, database: Callable[[Path], Database]) -> AsyncIterator[Open]:
    """Opens some side by side: their workers are lost at the same time, which saves waiting for that."""
    async with AsyncExitStack() as stack:

        def open_one(kind: str, seed: int = 1) -> Tutorial:
            folder = tmp_path / kind
            folder.mkdir()
            tutorial = Tutorial(folder, database(folder), kind, seed=seed)
            stack.push_async_callback(tutorial.close)
            tutorial.open()
            return tutorial

        yield open_one


@pytest.mark.timeout(300)
async def test_the_order_is_done_though_its_worker_dies_at_each_boundary(tutorials: Open) -> None:
    begun, unsent, answered = tutorials(BEGUN), tutorials(UNSENT), tutorials(ANSWERED)

    await asyncio.gather(begun.done(), unsent.done(), answered.done())

    for tutorial, expected in ((begun, STEPS), (unsent, REPORTS + FROZEN), (answered, REPORTS)):
        assert Counter(each.partition(" ")[2] for each in tutorial.boundaries()) == expected
        check(tutorial)
    times = Counter(answered.diary())
    assert [times[line] for line in dict.fromkeys(answered.diary()) if "parcel" not in line] == [1, 1, 1, 1]


async def test_the_order_is_done_whenever_anything_is_killed(tutorials: Open) -> None:
    seed = int(os.environ.get("RUNFOLD_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"RUNFOLD_CRASH_SEED={seed}")  # noqa: T201 (pytest shows it when the test fails)
    tutorial = tutorials(NEVER, seed)

    ordering = asyncio.create_task(tutorial.done())
    await kill(tutorial, random.Random(seed), ordering)
    await ordering

    check(tutorial)


async def kill(tutorial: Tutorial, chance: random.Random, ordering: "asyncio.Task[str]") -> None:
    """Worker, engine or both, until the order is done."""
    for _ in range(KILLS):
        await asyncio.wait({ordering}, timeout=chance.uniform(0.05, QUIET_SECONDS))
        if ordering.done():
            return
        victim = chance.choice(["worker", "engine", "both"])
        print(f"Kill: {victim}.")  # noqa: T201 (pytest shows it when the test fails)
        if victim in {"worker", "both"}:
            tutorial.kill_living()
        if victim in {"engine", "both"}:
            await tutorial.kill_engine()
            tutorial.start_engine()


def check(tutorial: Tutorial) -> None:
    """All is done, and nothing that was repeated was another thing than before; a parcel to each."""
    charged, asked, reminded, *parcels, thanked = dict.fromkeys(tutorial.diary())
    assert re.fullmatch("30 charged under [0-9a-f]{8}", charged)
    assert (asked.startswith("A1: approve at http"), reminded) == (True, "A1: still not approved")
    assert sorted(parcels) == ["a parcel to Ada", "a parcel to Bob", "a parcel to Cleo"]
    assert thanked == f"A1: {charged}, approved by Grace"
    assert max(Counter(tutorial.diary()).values()) <= 1 + tutorial.deaths
