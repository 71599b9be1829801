"""Tries of a step: the run waits between them, in the journal and not in its process."""

import asyncio
from pathlib import Path

import pytest

from domain import events as e
from domain.events import Event
from domain.status import Status
from runfold import Context, Queue, Retry, step_key, task
from runfold.aio import runs, wait
from tests.durable.jobs import insist
from tests.durable.stage import Stage, kinds

SECOND = 1_000
AT_ONCE = 0.0
THRICE = Retry(max_attempts=3, min_timeout_ms=SECOND, factor=1, randomize=False)


class Charging:
    """A step that fails so often before it works."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.keys: list[str] = []

    def __call__(self) -> str:
        self.keys.append(step_key())
        if len(self.keys) <= self.failures:
            raise OSError(f"busy {len(self.keys)}")
        return "charged"


def tries(events: list[Event]) -> list[tuple[int, str, str]]:
    return [
        (each.entry.index, each.entry.name, each.error.message) for each in events if isinstance(each, e.StepTryFailed)
    ]


def keys_in(folder: Path) -> set[str]:
    return {each.read_text() for each in folder.iterdir()}


async def test_between_its_tries_a_step_holds_no_slot(stage: Stage) -> None:
    charge = Charging(failures=2)
    lane = Queue("lane", concurrency_limit=1)

    @task(queue=lane)
    async def order(_payload: None, ctx: Context) -> str:
        return await ctx.step("charge", charge, retry=THRICE)

    @task(queue=lane)
    async def other() -> str:
        return "through"

    await stage.worker(order, other)
    run = (await order.aio.trigger(None)).id
    await stage.until(run, e.RunBlocked)
    status = await stage.status(run)
    beside = await stage.output((await other.aio.trigger()).id)

    await stage.engine.advance(SECOND)
    await stage.until(run, e.RunBlocked, 2)
    await stage.engine.advance(SECOND)

    assert (status, beside) == (Status.WAITING, "through")
    assert await stage.output(run) == "charged"
    assert len(set(charge.keys)) == 1
    again = [e.StepTryFailed, e.RunBlocked, e.WaitCompleted, e.RunResumed]
    events = await stage.events(run)
    assert kinds(events)[2:] == [e.AttemptStarted, *again * 2, e.StepSucceeded, e.AttemptSucceeded]
    assert tries(events) == [(0, "charge", "busy 1"), (1, "charge", "busy 2")]


async def test_a_try_that_waits_long_gives_up_its_process_and_goes_on_in_any_worker(stage: Stage) -> None:
    charge = Charging(failures=2)

    @task
    async def order(_payload: None, ctx: Context) -> list[str]:
        charged = await ctx.step("charge", charge, retry=THRICE)
        return [charged, await ctx.step("ship", lambda: "shipped")]

    first = await stage.worker(order, freeze_seconds=AT_ONCE)
    run = (await order.aio.trigger(None)).id
    await stage.until(run, e.RunFrozen)
    await first.aclose()
    await stage.worker(order, freeze_seconds=AT_ONCE)
    await stage.engine.advance(SECOND)
    await stage.until(run, e.RunFrozen, 2)
    await stage.engine.advance(SECOND)

    assert await stage.output(run) == ["charged", "shipped"]
    assert len(charge.keys) == 3
    assert len(set(charge.keys)) == 1
    assert kinds(await stage.events(run)).count(e.AttemptStarted) == 1


@pytest.mark.parametrize("freeze_seconds", [AT_ONCE, 3_600.0])
async def test_a_task_that_is_not_async_tries_in_the_same_way(
    stage: Stage, tmp_path: Path, freeze_seconds: float
) -> None:
    await stage.worker(insist, freeze_seconds=freeze_seconds)
    run = (await insist.aio.trigger(str(tmp_path))).id
    kind = e.RunBlocked if freeze_seconds else e.RunFrozen
    for times in (1, 2):
        await stage.until(run, kind, times)
        await stage.engine.advance(5 * SECOND)

    assert await stage.output(run) == 2
    assert tries(await stage.events(run)) == [(0, "insist", "busy 0"), (1, "insist", "busy 1")]
    assert len(keys_in(tmp_path)) == 1


async def test_several_steps_wait_at_once_each_for_its_own_time(stage: Stage) -> None:
    done: list[str] = []

    @task
    async def order(_payload: None, ctx: Context) -> list[str]:
        async def one(name: str, failures: int, seconds: int) -> None:
            retry = Retry(max_attempts=3, min_timeout_ms=seconds * SECOND, factor=1, randomize=False)
            await ctx.step(name, Charging(failures), retry=retry)
            done.append(name)

        await asyncio.gather(one("a", 2, 3), one("b", 1, 1), one("c", 0, 1), wait.for_(2))
        return done

    await stage.worker(order)
    run = (await order.aio.trigger(None)).id
    await stage.until(run, e.RunBlocked)
    for seconds, times in ((1, 2), (1, 3), (1, 4)):
        await stage.engine.advance(seconds * SECOND)
        await stage.until(run, e.RunBlocked, times)
    await stage.engine.advance(3 * SECOND)

    assert await stage.output(run) == ["c", "b", "a"]


async def test_the_step_fails_with_its_last_try_and_the_next_attempt_tries_as_often(stage: Stage) -> None:
    charge = Charging(failures=4)

    @task(retry=Retry(max_attempts=2, min_timeout_ms=SECOND, randomize=False))
    async def order(_payload: None, ctx: Context) -> str:
        return await ctx.step("charge", charge, retry=THRICE)

    await stage.worker(order)
    run = (await order.aio.trigger(None)).id
    for times in (1, 2):
        await stage.until(run, e.RunBlocked, times)
        await stage.engine.advance(SECOND)
    failed = await stage.until(run, e.AttemptFailed)
    await stage.engine.advance(SECOND)
    await stage.until(run, e.RunBlocked, 3)
    await stage.engine.advance(SECOND)

    assert await stage.output(run) == "charged"
    assert [each.error.message for each in failed if isinstance(each, e.StepFailed)] == ["busy 3"]
    assert len(charge.keys) == 5


async def test_a_run_is_canceled_between_two_tries(stage: Stage) -> None:
    charge = Charging(failures=9)

    @task
    async def order(_payload: None, ctx: Context) -> str:
        return await ctx.step("charge", charge, retry=THRICE)

    await stage.worker(order)
    run = (await order.aio.trigger(None)).id
    await stage.until(run, e.RunBlocked)

    await runs.cancel(run)
    await stage.engine.advance(SECOND)

    assert kinds(await stage.events(run))[-3:] == [e.StepTryFailed, e.RunBlocked, e.RunCanceled]
    assert len(charge.keys) == 1


async def test_the_time_between_tries_does_not_count_as_the_run_s_own(stage: Stage) -> None:
    charge = Charging(failures=2)

    @task(max_duration=2)
    async def order(_payload: None, ctx: Context) -> str:
        return await ctx.step("charge", charge, retry=Retry(min_timeout_ms=5 * SECOND, factor=1, randomize=False))

    await stage.worker(order)
    run = (await order.aio.trigger(None)).id
    for times in (1, 2):
        await stage.until(run, e.RunBlocked, times)
        await stage.engine.advance(5 * SECOND)

    assert await stage.output(run) == "charged"


async def test_a_try_without_a_pause_is_in_the_journal_too_and_keeps_its_slot(stage: Stage) -> None:
    charge = Charging(failures=2)

    @task
    async def order(_payload: None, ctx: Context) -> str:
        return await ctx.step("charge", charge, retry=Retry(min_timeout_ms=0))

    await stage.worker(order, freeze_seconds=AT_ONCE)
    run = (await order.aio.trigger(None)).id

    assert await stage.output(run) == "charged"
    again = [e.StepTryFailed, e.WaitCompleted]
    assert kinds(await stage.events(run))[3:] == [*again * 2, e.StepSucceeded, e.AttemptSucceeded]
