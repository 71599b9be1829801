"""Parents and their children, as the code of the parents meets them."""

import asyncio
from typing import Any

import pytest

from domain import events as e
from domain.status import Status
from runfold import BatchItem, Context, Queue, Retry, RunFailedError, RunResult, task
from runfold.aio import batches, runs, wait
from tests.durable.jobs import deadly
from tests.durable.stage import Stage

SECOND = 1_000
SERIAL = Queue("serial", concurrency_limit=1)


@task
async def double(number: int) -> int:
    return 2 * number


@task
async def fail(number: int) -> int:
    raise ValueError(f"{number} is refused")


async def test_a_parent_waits_for_two_children_one_after_the_other_and_at_once(stage: Stage) -> None:
    @task
    async def parent() -> list[int]:
        first = (await double.aio.trigger_and_wait(1)).unwrap()
        both = await asyncio.gather(double.aio.trigger_and_wait(2), double.aio.trigger_and_wait(3))
        return [first, *(each.unwrap() for each in both)]

    await stage.worker(parent, double)
    run = (await parent.aio.trigger()).id

    assert await stage.output(run) == [2, 4, 6]
    children = [event.runs for event in await stage.events(run) if isinstance(event, e.ChildrenTriggered)]
    assert [len(each) for each in children] == [1, 1, 1]
    for (child,) in children:
        found = await runs.retrieve(child)
        assert found.is_success


async def test_a_parent_waits_for_two_children_of_its_own_queue_that_has_one_slot(stage: Stage) -> None:
    @task(queue=SERIAL)
    async def child(number: int) -> int:
        return 2 * number

    @task(queue=SERIAL)
    async def parent() -> list[int]:
        batch = await child.aio.batch_trigger_and_wait([1, 2])
        return [*batch.unwrap()]

    await stage.worker(parent, child)

    assert await stage.output((await parent.aio.trigger()).id) == [2, 4]


async def test_a_parent_gets_the_failure_of_its_child_as_a_result_to_inspect(stage: Stage) -> None:
    seen: list[RunResult[int]] = []

    @task
    async def parent() -> str:
        seen.append(await fail.aio.trigger_and_wait(7))
        return "told"

    await stage.worker(parent, fail)
    output = await stage.output((await parent.aio.trigger()).id)

    (result,) = seen
    assert output == "told"
    assert (result.ok, result.output, result.error and result.error.message) == (False, None, "7 is refused")
    with pytest.raises(RunFailedError, match="7 is refused"):
        result.unwrap()


async def test_a_parent_that_unwraps_the_result_of_a_child_that_failed_fails_with_it(stage: Stage) -> None:
    @task
    async def parent() -> int:
        return (await fail.aio.trigger_and_wait(7)).unwrap()

    await stage.worker(parent, fail)
    result = await stage.result((await parent.aio.trigger()).id)

    assert not result.ok
    assert result.error is not None
    assert (result.error.name, "7 is refused" in result.error.message) == ("RunFailedError", True)


async def test_a_parent_gets_a_result_of_a_child_that_expired(stage: Stage) -> None:
    may_end = asyncio.Event()

    @task(queue=SERIAL)
    async def busy() -> None:
        await may_end.wait()

    @task(queue=SERIAL)
    async def late() -> None:
        raise AssertionError("it is never started")

    @task
    async def parent() -> list[Any]:
        return _told(await late.aio.trigger_and_wait(ttl=5))

    await stage.worker(parent, busy, late)
    await stage.until((await busy.aio.trigger()).id, e.AttemptStarted)
    run = (await parent.aio.trigger()).id
    await stage.until(run, e.RunBlocked)

    await stage.engine.advance(5 * SECOND)
    output = await stage.output(run)
    may_end.set()

    assert output == [False, "Run expired because the TTL (5s) was reached"]


async def test_a_parent_gets_a_result_of_a_child_that_was_canceled(stage: Stage) -> None:
    @task
    async def parent() -> list[Any]:
        return _told(await double.aio.trigger_and_wait(1, delay="1h"))

    await stage.worker(parent, double)
    run = (await parent.aio.trigger()).id
    await stage.until(run, e.RunBlocked)
    (child,) = await _children_of(stage, run)

    await runs.cancel(child)

    assert await stage.output(run) == [False, "Run was canceled"]


async def test_a_parent_gets_a_result_of_a_child_that_crashed(stage: Stage) -> None:
    @task
    async def parent() -> list[Any]:
        return _told(await deadly.aio.trigger_and_wait(1))

    await stage.worker(parent, deadly)
    run = (await parent.aio.trigger()).id

    assert await stage.output(run) == [False, "The process was killed by signal 9 (SIGKILL)."]
    assert await stage.status((await _children_of(stage, run))[0]) is Status.CRASHED


async def test_two_parents_wait_for_one_child_by_its_idempotency_key(stage: Stage) -> None:
    @task
    async def parent(_payload: int) -> int:
        return (await double.aio.trigger_and_wait(21, idempotency_key="the one", delay=5)).unwrap()

    await stage.worker(parent, double)
    parents = [(await parent.aio.trigger(number)).id for number in range(2)]
    for run in parents:
        await stage.until(run, e.RunBlocked)
    children = [await _children_of(stage, run) for run in parents]

    await stage.engine.advance(5 * SECOND)

    assert [await stage.output(run) for run in parents] == [42, 42]
    assert children[0] == children[1]
    assert len(children[0]) == 1


async def test_code_that_goes_on_in_another_process_is_told_again_which_runs_were_new(stage: Stage) -> None:
    told: list[list[bool]] = []

    @task
    async def parent(_payload: int, ctx: Context) -> str:
        one = await double.aio.trigger(1, idempotency_key="one")
        other = await double.aio.trigger(1, idempotency_key="one")
        items = [BatchItem(1, idempotency_key="one"), BatchItem(2, idempotency_key="two")]
        batch = await double.aio.batch_trigger(items)
        told.append([one.is_cached, other.is_cached, *(each.is_cached for each in batch.runs)])
        if not one.is_cached:
            await ctx.step("new", str, 1)
        await wait.for_(5)
        return "done"

    await stage.worker(parent, freeze_seconds=0)
    run = (await parent.aio.trigger(1)).id
    await stage.until(run, e.RunFrozen)
    await stage.engine.advance(5 * SECOND)

    assert await stage.output(run) == "done"
    assert told == [[False, True, True, False]] * 2
    assert [each.cached for each in await stage.events(run) if isinstance(each, e.ChildrenTriggered)] == [
        (),
        (0,),
        (0,),
    ]


async def test_items_of_a_batch_that_are_refused_do_not_keep_a_parent_from_the_others(stage: Stage) -> None:
    @task
    async def parent() -> list[Any]:
        handle = await batches.trigger([(double, 1), (double, 2, {"tags": ["t" * 200]}), (double, 3)])
        batch = await batches.retrieve(handle)
        result = await wait.for_batch(handle)
        return [batch.run_count, [item.index for item in batch.refused], *result.unwrap()]

    await stage.worker(parent, double)

    assert await stage.output((await parent.aio.trigger()).id) == [3, [1], 2, 6]


async def test_the_batch_of_a_run_is_not_that_of_the_runs_it_triggers_later(stage: Stage) -> None:
    @task
    async def member(number: int, ctx: Context) -> list[str | None]:
        child = await runs.retrieve((await double.aio.trigger(number)).id)
        return [ctx.run.batch_id, child.batch_id]

    @task
    async def parent() -> list[Any]:
        batch = await member.aio.batch_trigger_and_wait([1])
        later = (await member.aio.trigger_and_wait(2)).unwrap()
        return [batch.id, *batch.unwrap(), later]

    await stage.worker(parent, member, double)

    batch, first, later = await stage.output((await parent.aio.trigger()).id)
    assert (first, later) == ([batch, None], [None, None])


async def test_children_are_canceled_with_their_parent_and_theirs_with_them(stage: Stage) -> None:
    @task
    async def child(_payload: int) -> int:
        return (await double.aio.trigger_and_wait(1, delay="1h")).unwrap()

    @task
    async def parent() -> tuple[int, ...]:
        return (await child.aio.batch_trigger_and_wait([1, 2])).unwrap()

    await stage.worker(parent, child, double)
    run = (await parent.aio.trigger()).id
    await stage.until(run, e.RunBlocked)
    children = await _children_of(stage, run)
    for each in children:
        await stage.until(each, e.RunBlocked)
    grandchildren = [each for child in children for each in await _children_of(stage, child)]

    await runs.cancel(run)

    for each in (run, *children, *grandchildren):
        await stage.until(each, e.RunCanceled)
    assert (len(children), len(grandchildren)) == (2, 2)


@pytest.mark.parametrize("how", ["one", "batch", "mixed batch"])
async def test_a_retry_of_a_parent_starts_no_second_child(stage: Stage, how: str) -> None:
    @task(retry=Retry(max_attempts=2, min_timeout_ms=SECOND, randomize=False))
    async def parent(_payload: int, ctx: Context) -> list[str]:
        match how:
            case "one":
                children = [await double.aio.trigger(1)]
            case "batch":
                children = [*(await double.aio.batch_trigger([1, 2])).runs]
            case _:
                children = [*(await batches.trigger([(double, 1), (fail, 2)])).runs]
        if ctx.attempt.number == 1:
            raise ValueError("not today")
        return [each.id for each in children]

    await stage.worker(parent, double, fail)
    run = (await parent.aio.trigger(1)).id
    await stage.until(run, e.RetryScheduled)
    await stage.engine.advance(SECOND)

    output = await stage.output(run)
    assert output == await _children_of(stage, run)
    assert {each.stream for each in await stage.records() if isinstance(each.event, e.RunTriggered)} == {run, *output}


def _told(result: RunResult[Any]) -> list[Any]:
    return [result.ok, result.error and result.error.message]


async def _children_of(stage: Stage, run: str) -> list[str]:
    events = await stage.events(run)
    return [child for event in events if isinstance(event, e.ChildrenTriggered) for child in event.runs]
