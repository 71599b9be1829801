"""Runs that wait without a process: any worker goes on with them."""

import asyncio

from domain import events as e
from domain.status import Status
from runfold import Context, Queue, task
from runfold.aio import runs, wait
from tests.durable.jobs import nap
from tests.durable.stage import Stage, kinds

SECOND = 1_000
AT_ONCE = 0.0


async def test_a_run_is_frozen_and_resumed_several_times(stage: Stage) -> None:
    called: list[int] = []

    def count(number: int) -> int:
        called.append(number)
        return number

    @task
    async def doze(naps: int, ctx: Context) -> list[int]:
        numbers: list[int] = []
        for number in range(naps):
            numbers.append(await ctx.step("count", count, number))
            await wait.for_(5)
        return numbers

    await stage.worker(doze, freeze_seconds=AT_ONCE)
    run = (await doze.aio.trigger(3)).id
    for times in range(1, 4):
        await stage.until(run, e.RunFrozen, times)
        await stage.engine.advance(5 * SECOND)

    assert await stage.output(run) == [0, 1, 2]
    assert called == [0, 1, 2]
    once = [e.StepSucceeded, e.WaitStarted, e.RunBlocked, e.RunFrozen, e.WaitCompleted, e.RunEnqueued, e.RunDequeued]
    resumed = [*once, e.AttemptResumed]
    assert kinds(await stage.events(run))[3:] == [*resumed * 3, e.AttemptSucceeded]


async def test_a_task_that_is_not_async_is_frozen_and_resumed_several_times(stage: Stage) -> None:
    await stage.worker(nap, freeze_seconds=AT_ONCE)
    run = (await nap.aio.trigger(2)).id
    for times in (1, 2):
        await stage.until(run, e.RunFrozen, times)
        await stage.engine.advance(5 * SECOND)

    assert await stage.output(run) == ["nap 1 of attempt 1", "nap 2 of attempt 1"]
    assert kinds(await stage.events(run)).count(e.AttemptResumed) == 2


async def test_a_frozen_run_takes_a_slot_only_when_there_is_one(stage: Stage) -> None:
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

    await stage.worker(patient, busy, freeze_seconds=AT_ONCE)
    waiting = (await patient.aio.trigger()).id
    await stage.until(waiting, e.RunFrozen)
    working = (await busy.aio.trigger()).id
    await stage.until(working, e.AttemptStarted)

    await stage.engine.advance(5 * SECOND)
    between = kinds(await stage.events(waiting))[-1], await stage.status(waiting)
    may_end.set()

    assert between == (e.RunEnqueued, Status.QUEUED)
    assert await stage.output(waiting) == "patient"


async def test_a_run_that_is_canceled_while_it_is_frozen_never_goes_on(stage: Stage) -> None:
    went_on: list[str] = []

    @task
    async def sleeper(_payload: None, ctx: Context) -> None:
        await wait.for_(5)
        went_on.append(ctx.run.id)

    await stage.worker(sleeper, freeze_seconds=AT_ONCE)
    run = (await sleeper.aio.trigger(None)).id
    await stage.until(run, e.RunFrozen)

    await runs.cancel(run)
    await stage.engine.advance(10 * SECOND)
    another = (await sleeper.aio.trigger(None)).id
    await stage.until(another, e.RunFrozen)
    await stage.engine.advance(5 * SECOND)
    await stage.result(another)

    assert kinds(await stage.events(run))[-2:] == [e.RunFrozen, e.RunCanceled]
    assert went_on == [another]


async def test_a_run_that_waits_goes_on_with_another_worker_when_its_own_is_stopped(stage: Stage) -> None:
    @task
    async def traveller(_payload: None, ctx: Context) -> tuple[str, int]:
        await wait.for_(5)
        return ctx.run.id, ctx.attempt.number

    first = await stage.worker(traveller)
    run = (await traveller.aio.trigger(None)).id
    await stage.until(run, e.RunBlocked)
    await first.aclose()
    frozen = await stage.status(run)
    await stage.worker(traveller)

    await stage.engine.advance(5 * SECOND)

    assert frozen is Status.FROZEN
    assert await stage.output(run) == [run, 1]
    assert len({event.worker for event in await stage.events(run) if isinstance(event, e.RunDequeued)}) == 2
