"""Waits as the code of a task meets them."""

import asyncio
from datetime import UTC, datetime

from domain import events as e
from domain.status import Status
from runfold import Context, Queue, Retry, task
from runfold.aio import wait
from tests.app.harness import START_MS
from tests.durable.stage import Stage, kinds

SECOND = 1_000
AGAIN = Retry(max_attempts=2, min_timeout_ms=SECOND, randomize=False)


@task
async def rest(seconds: int) -> str:
    await wait.for_(seconds)
    return "rested"


async def test_a_task_waits_for_a_duration(stage: Stage) -> None:
    await stage.worker(rest)
    run = (await rest.aio.trigger(20)).id
    await stage.until(run, e.RunBlocked)

    await stage.engine.advance(20 * SECOND - 1)
    before = await stage.status(run)
    await stage.engine.advance(1)

    assert before is Status.WAITING
    assert await stage.output(run) == "rested"


async def test_a_task_waits_until_a_moment_and_not_at_all_for_one_that_has_passed(stage: Stage) -> None:
    moments = [START_MS // SECOND + 5, START_MS // SECOND - 5]

    @task
    async def meet() -> list[str]:
        for moment in moments:
            await wait.until(datetime.fromtimestamp(moment, UTC))
        return ["met"]

    await stage.worker(meet)
    run = (await meet.aio.trigger()).id
    await stage.until(run, e.RunBlocked)

    await stage.engine.advance(5 * SECOND)

    assert await stage.output(run) == ["met"]
    assert kinds(await stage.events(run)).count(e.WaitCompleted) == 2


async def test_several_waits_at_once_end_each_at_its_own_time(stage: Stage) -> None:
    over: list[int] = []

    @task
    async def together() -> list[int]:
        async def one(seconds: int) -> None:
            await wait.for_(seconds)
            over.append(seconds)

        await asyncio.gather(one(9), one(3), one(6))
        return over

    await stage.worker(together)
    run = (await together.aio.trigger()).id
    await stage.until(run, e.RunBlocked)

    for times in (2, 3):
        await stage.engine.advance(3 * SECOND)
        await stage.until(run, e.RunBlocked, times)
    await stage.engine.advance(3 * SECOND)

    assert await stage.output(run) == [3, 6, 9]


async def test_waits_are_cleared_when_the_attempt_fails_and_steps_are_kept(stage: Stage) -> None:
    charged: list[int] = []
    may_fail = asyncio.Event()

    @task(retry=AGAIN)
    async def order(_payload: None, ctx: Context) -> str:
        await ctx.step("charge", lambda: charged.append(ctx.attempt.number))
        waiting = asyncio.create_task(wait.for_(15))
        if ctx.attempt.number == 1:
            await may_fail.wait()
            raise ValueError("not today")
        await waiting
        return "shipped"

    await stage.worker(order)
    run = (await order.aio.trigger(None)).id
    await stage.until(run, e.RunBlocked)
    may_fail.set()
    await stage.until(run, e.RetryScheduled)

    await stage.engine.advance(SECOND)
    await stage.until(run, e.RunBlocked, 2)
    # The time of the first wait comes, and means nothing.
    await stage.engine.advance(14 * SECOND)
    between = await stage.status(run)
    await stage.engine.advance(1 * SECOND)

    assert between is Status.WAITING
    assert await stage.output(run) == "shipped"
    events = await stage.events(run)
    assert charged == [1]
    assert [event.entry.index for event in events if isinstance(event, e.WaitStarted)] == [1, 2]
    assert [event.wait for event in events if isinstance(event, e.WaitCompleted)] == [2]


async def test_a_wait_that_is_over_takes_a_slot_only_when_there_is_one(stage: Stage) -> None:
    may_end = asyncio.Event()
    serial = Queue("serial", concurrency_limit=1)

    @task(queue=serial)
    async def patient() -> str:
        await wait.for_(5)
        return "patient"

    @task(queue=serial)
    async def busy() -> str:
        await may_end.wait()
        return "busy"

    await stage.worker(patient, busy)
    waiting = (await patient.aio.trigger()).id
    await stage.until(waiting, e.RunBlocked)
    working = (await busy.aio.trigger()).id
    await stage.until(working, e.AttemptStarted)

    await stage.engine.advance(5 * SECOND)
    between = kinds(await stage.events(waiting))[-1], await stage.status(waiting)
    may_end.set()

    assert between == (e.WaitCompleted, Status.WAITING)
    assert await stage.output(waiting) == "patient"
    end = [e.RunBlocked, e.WaitCompleted, e.RunResumed, e.AttemptSucceeded]
    assert kinds(await stage.events(waiting))[-4:] == end
