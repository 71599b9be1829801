"""Runs whose code takes the first of several things go the same way after a freeze, and freezing them is no error."""

import asyncio
from typing import Any

import pytest

import runfold
from runfold import Context, task, wait
from runfold.aio import wait as aio_wait
from runfold.testing import Clock, Serve, finished

pytest_plugins = ["runfold.testing.plugin"]


@task
async def decide(token: str, ctx: Context) -> str:
    """Nothing behind the race tells which way it went: the code has to go the same way by itself."""
    answer, limit = asyncio.create_task(aio_wait.for_token(token)), asyncio.create_task(aio_wait.for_("1h"))
    done, _ = await asyncio.wait({answer, limit}, return_when=asyncio.FIRST_COMPLETED)
    verdict = "in time" if answer in done else "too late"
    ctx.log.info(verdict)
    await ctx.step("tell", lambda: verdict)
    await aio_wait.for_("5h")
    return verdict


@task
async def first_failure(_: None, ctx: Context) -> str:
    async def fail(after: str) -> None:
        await aio_wait.for_(after)
        raise ValueError(after)

    first = ""
    try:
        await asyncio.gather(fail("2h"), fail("1h"))
    except ValueError as error:
        first = str(error)
    await aio_wait.for_("3h")
    return first


@task
async def sleep(time: str) -> str:
    await aio_wait.for_(time)
    return time


@task
async def by_arrival(_: None, ctx: Context) -> list[str]:
    children = [asyncio.create_task(sleep.aio.trigger_and_wait(time)) for time in ("3h", "1h", "2h")]
    return [await ctx.step("store", str, (await each).unwrap()) for each in asyncio.as_completed(children)]


def test_a_token_that_comes_too_late_is_too_late_however_often_the_run_goes_on(
    runfold_serve: Serve, runfold_clock: Clock
) -> None:
    runfold_serve(decide, freeze_after=0)
    token = wait.create_token()
    run = decide.trigger(token.id)
    runfold_clock.advance("2h")
    wait.complete_token(token, "yes")
    runfold_clock.advance("9h")
    told = [entry.result for entry in runfold.runs.journal(run) if entry.name == "tell"]
    logged = {line.message for line in runfold.runs.logs(run)}

    assert (finished(run).output, told, logged) == ("too late", ["too late"], {"too late"})


@pytest.mark.parametrize(("code", "output"), [(first_failure, "1h"), (by_arrival, ["1h", "2h", "3h"])])
def test_what_ended_first_is_first_after_a_freeze(
    runfold_serve: Serve, runfold_clock: Clock, code: Any, output: Any
) -> None:
    runfold_serve(code, sleep, freeze_after=0)
    run = code.trigger(None)
    runfold_clock.advance("9h")

    assert finished(run).output == output


def test_freezing_code_with_several_waits_logs_no_error_and_lets_it_not_go_on(
    runfold_serve: Serve, runfold_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    runfold_serve(decide, freeze_after=0)
    run = decide.trigger(wait.create_token().id)
    runfold_clock.settle()

    assert runfold.runs.retrieve(run).status == "FROZEN"
    assert not runfold.runs.logs(run), "its code goes on when the first of its waits is over"
    runfold_clock.advance("9h")
    assert finished(run).output == "too late"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
