"""Subscriptions to runs against a real engine with a worker: over a restart of the connection, and to the end."""

import asyncio

import pytest

import runfold
from runfold import Context, runs, task
from runfold.testing.serving import Serve


@task
async def count(to: int, ctx: Context) -> int:
    for number in range(1, to + 1):
        await ctx.metadata.set("at", number)
    return to


@pytest.fixture(autouse=True)
def _worker(runfold_serve: Serve) -> None:
    runfold_serve(count)


def test_a_run_is_followed_to_its_end() -> None:
    seen = list(runs.subscribe_to_run(count.trigger(3)))

    assert (seen[-1].status, seen[-1].output, seen[-1].metadata) == ("COMPLETED", 3, {"at": 3})
    assert [run.updated_at for run in seen] == sorted({run.updated_at for run in seen})


async def test_many_are_followed_at_once() -> None:
    async def last(to: int) -> object:
        handle = await count.aio.trigger(to, tags=["many"])
        return [run.output async for run in runfold.aio.runs.subscribe_to_run(handle)][-1]

    assert await asyncio.gather(*map(last, range(5))) == list(range(5))


def test_a_batch_is_followed_until_all_are_over() -> None:
    batch = count.batch_trigger([1, 2, 3])
    done: dict[str, object] = {}

    for run in runs.subscribe_to_batch(batch):
        if run.is_completed:
            done[run.id] = run.output
        if len(done) == 3:
            break

    assert sorted(done.values(), key=str) == [1, 2, 3]
