"""Tokens, as the code of a task waits for them."""

import asyncio
from typing import Any

import pytest

from domain import events as e
from runfold import Context, Retry, task
from runfold.aio import tokens, wait
from tests.durable.stage import Stage, kinds

SECOND = 1_000
AT_ONCE = Retry(max_attempts=2, min_timeout_ms=0)


@task
async def approval(token: str) -> list[Any]:
    result = await wait.for_token(token)
    return [result.ok, result.output, result.error and result.error.message]


async def test_a_run_waits_for_a_token_and_gets_what_it_is_completed_with(stage: Stage) -> None:
    await stage.worker(approval)
    token = await tokens.create_token()
    run = (await approval.aio.trigger(token.id)).id
    await stage.until(run, e.RunBlocked)

    await tokens.complete_token(token, {"by": "ada"})

    assert await stage.output(run) == [True, {"by": "ada"}, None]


async def test_a_token_may_be_completed_before_anybody_waits_for_it(stage: Stage) -> None:
    await stage.worker(approval)
    token = await tokens.create_token()
    await tokens.complete_token(token, "early")

    assert await stage.output((await approval.aio.trigger(token.id)).id) == [True, "early", None]


async def test_a_token_that_times_out_lets_the_run_go_on_without_it(stage: Stage) -> None:
    await stage.worker(approval)
    token = await tokens.create_token(timeout=5)
    run = (await approval.aio.trigger(token.id)).id
    await stage.until(run, e.RunBlocked)

    await stage.engine.advance(5 * SECOND)
    ok, output, message = await stage.output(run)
    await tokens.complete_token(token, "late")

    assert (ok, output) == (False, None)
    assert message
    assert (await tokens.retrieve_token(token)).status == "TIMED_OUT"


async def test_a_token_is_found_by_its_idempotency_key_until_the_ttl_of_that_is_over(stage: Stage) -> None:
    await stage.worker(approval)
    asked: Any = {"idempotency_key": "approve 7", "idempotency_key_ttl": 5}
    first, again = await tokens.create_token(**asked), await tokens.create_token(**asked)
    waiting = [(await approval.aio.trigger(each.id)).id for each in (first, again)]
    for run in waiting:
        await stage.until(run, e.RunBlocked)

    await stage.engine.advance(5 * SECOND)
    later = await tokens.create_token(**asked)
    await tokens.complete_token(later, "for nobody")
    await tokens.complete_token(first, "for both")

    assert (again.id, later.id == first.id) == (first.id, False)
    assert [await stage.output(run) for run in waiting] == [[True, "for both", None]] * 2


async def test_several_tokens_that_are_completed_at_the_same_instant_end_one_wait_each(stage: Stage) -> None:
    @task
    async def several(ids: list[str]) -> list[Any]:
        results = await asyncio.gather(*map(wait.for_token, ids))
        return [result.unwrap() for result in results]

    await stage.worker(several)
    made = [await tokens.create_token() for _ in range(5)]
    run = (await several.aio.trigger([each.id for each in made])).id
    await stage.until(run, e.WaitStarted, 5)
    await stage.until(run, e.RunBlocked)

    await asyncio.gather(*(tokens.complete_token(each, place) for place, each in enumerate(made)))

    assert await stage.output(run) == [0, 1, 2, 3, 4]
    assert kinds(await stage.events(run)).count(e.WaitCompleted) == 5


@pytest.mark.parametrize("where", ["in the code", "in a step"])
async def test_a_run_that_made_its_token_itself_goes_on_with_that_one(stage: Stage, where: str) -> None:
    asked: list[str] = []

    async def ask() -> str:
        asked.append((await tokens.create_token()).id)
        if len(asked) == 1 and where == "in a step":
            raise ValueError("the step is tried again, and finds the token")
        return asked[-1]

    @task
    async def order(_payload: None, ctx: Context) -> list[Any]:
        if where == "in a step":
            token = await ctx.step("ask", ask, retry=AT_ONCE)
        else:
            token = await ask()
        result = await wait.for_token(token)
        return [result.id, result.ok, result.output]

    await stage.worker(order, freeze_seconds=0.0)
    run = (await order.aio.trigger(None)).id
    await stage.until(run, e.RunFrozen)
    (token,) = [each.stream for each in await stage.records() if isinstance(each.event, e.WaitpointCreated)]

    await tokens.complete_token(token, "yes")

    assert await stage.output(run) == [token, True, "yes"]
    assert asked == [token, token]
    assert [each.stream for each in await stage.records() if isinstance(each.event, e.WaitpointCreated)] == [token]


async def test_code_that_waits_for_another_token_than_before_fails_instead_of_going_on(stage: Stage) -> None:
    made = [(await tokens.create_token()).id for _ in range(2)]
    left = [*made]

    @task
    async def forgetful(_payload: None) -> Any:
        return (await wait.for_token(left.pop(0))).unwrap()

    await stage.worker(forgetful, freeze_seconds=0.0)
    run = (await forgetful.aio.trigger(None)).id
    await stage.until(run, e.RunFrozen)
    await tokens.complete_token(made[0], "yes")

    error = (await stage.result(run)).error
    assert error is not None
    assert error.name == "JournalMismatchError"
    assert error.message == f'"wait.token" waited for {made[0]}, and now for {made[1]}.'
