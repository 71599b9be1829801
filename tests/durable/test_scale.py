"""Large runs: what they cost follows from how much there is to do, not from how much was done before.

RUNFOLD_SCALE makes them larger: at 5 they are as large as is promised.
"""

import asyncio
import os
import time
from itertools import pairwise

import pytest

from domain import events as e
from domain.events import Event, Recorded
from runfold import Context, Queue, task
from runfold.aio import wait
from tests.durable.stage import Stage, kinds

SCALE = int(os.environ.get("RUNFOLD_SCALE", "1"))
STEPS = 2_000 * SCALE
WAITS = 100 * SCALE
CHILDREN = 200 * SCALE
LEVELS = 20 * SCALE
RESULT_CHARACTERS = 1_000
"""So long that a journal is read in several pages."""
TENTHS = 10
TIMES_MAX = 2.0
"""How much more the last steps may cost than the first ones."""
SECOND = 1_000
pytestmark = pytest.mark.timeout(600)


async def test_a_step_costs_the_same_however_many_came_before_it_and_none_is_done_twice(stage: Stage) -> None:
    done: list[float] = []

    def note(number: int) -> str:
        done.append(time.process_time())
        return f"{number}".zfill(RESULT_CHARACTERS)

    @task
    async def walk(steps: int, ctx: Context) -> list[int]:
        results = [await ctx.step("step", note, number) for number in range(steps)]
        await wait.for_(5)
        return [int(each) for each in results]

    await stage.worker(walk, freeze_seconds=0.0)
    run = (await walk.aio.trigger(STEPS)).id
    await stage.happened(run, e.RunFrozen)
    await stage.engine.advance(5 * SECOND)
    await stage.happened(run, e.AttemptSucceeded)

    assert await stage.output(run) == [*range(STEPS)]
    assert len(done) == STEPS
    # The first tenth also pays for what is made once.
    _, *costs = [later - earlier for earlier, later in pairwise(done[:: STEPS // TENTHS])]
    assert min(costs[-3:]) < TIMES_MAX * min(costs[:3]), costs


async def test_many_waits_at_once_end_together(stage: Stage) -> None:
    @task
    async def together(waits: int) -> int:
        await asyncio.gather(*(wait.for_(5) for _ in range(waits)))
        return waits

    await stage.worker(together)
    run = (await together.aio.trigger(WAITS)).id
    await stage.until(run, e.RunBlocked)
    await stage.until(run, e.WaitStarted, WAITS)

    await stage.engine.advance(5 * SECOND)

    assert await stage.output(run) == WAITS
    told = kinds(await stage.events(run))
    assert [told.count(kind) for kind in (e.WaitStarted, e.WaitCompleted, e.RunResumed)] == [WAITS, WAITS, 1]


async def test_a_parent_of_many_children_has_no_more_events_than_one_of_a_few(stage: Stage) -> None:
    may_end = asyncio.Event()

    @task
    async def child(number: int) -> int:
        await may_end.wait()
        return number

    @task
    async def parent(children: int) -> int:
        batch = await child.aio.batch_trigger_and_wait([*range(children)])
        return sum(batch.unwrap())

    await stage.worker(parent, child, concurrency=100)
    few, many = (await parent.aio.trigger(2)).id, (await parent.aio.trigger(CHILDREN)).id
    for run in (few, many):
        # Children that end before their parent waits would spare it that.
        await stage.happened(run, e.RunBlocked)
    may_end.set()
    for run in (few, many):
        await stage.happened(run, e.AttemptSucceeded)

    assert await stage.output(many) == sum(range(CHILDREN))
    assert kinds(await stage.events(many)) == kinds(await stage.events(few))


async def test_a_run_many_levels_deep_needs_one_slot(stage: Stage) -> None:
    @task(queue=Queue("deep", concurrency_limit=1))
    async def dig(levels: int) -> int:
        return 1 + (await dig.aio.trigger_and_wait(levels - 1)).unwrap() if levels else 0

    await stage.worker(dig, concurrency=1)
    run = (await dig.aio.trigger(LEVELS)).id
    await stage.happened(run, e.AttemptSucceeded)

    assert await stage.output(run) == LEVELS
    assert slots_taken(await stage.records()) == 1


def slots_taken(records: list[Recorded]) -> int:
    """How many runs executed at once, at most."""
    changes: dict[type[Event], int] = {e.RunDequeued: 1, e.RunResumed: 1, e.RunBlocked: -1, e.AttemptSucceeded: -1}
    taken = most = 0
    for recorded in records:
        taken += changes.get(type(recorded.event), 0)
        most = max(most, taken)
    return most
