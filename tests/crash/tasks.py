"""What the worker of the crash tests can do. Every result follows from the payload alone, but for that of a step."""

import asyncio
import os
import signal
import uuid
from contextlib import suppress
from typing import Any

from runfold import AbortTaskRunError, Context, Retry, StepFailedError, task
from runfold.aio import wait

# Every kill costs an attempt; none of these runs may end for want of one.
PATIENT = Retry(max_attempts=100, min_timeout_ms=20, max_timeout_ms=100, factor=1.0)
THRICE = Retry(max_attempts=3, min_timeout_ms=50, factor=1.0)
SLOW_SECONDS = 0.3
WAIT_SECONDS = 0.2


@task(retry=PATIENT)
async def add(payload: dict[str, Any]) -> dict[str, Any]:
    return {"n": payload["n"], "sum": payload["a"] + payload["b"]}


@task(retry=PATIENT)
async def slow(payload: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(payload.get("seconds", SLOW_SECONDS))
    return {"n": payload["n"]}


@task(retry=PATIENT)
async def flaky(payload: dict[str, Any], context: Context) -> dict[str, Any]:
    if context.attempt.number == 1:
        raise ValueError("not today")
    return {"n": payload["n"]}


@task(retry=PATIENT)
async def doomed(payload: dict[str, Any]) -> None:
    raise AbortTaskRunError(f"never {payload['n']}")


@task(retry=PATIENT, retry_on_crash=True)  # its process may be killed at any moment
def reverse(payload: dict[str, Any]) -> dict[str, Any]:
    return {"n": payload["n"], "text": payload["text"][::-1]}


@task(retry=PATIENT, retry_on_crash=True)
def mortal(payload: dict[str, Any], context: Context) -> dict[str, Any]:
    if context.attempt.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"n": payload["n"]}


@task(retry=PATIENT)
def deadly(_payload: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task(retry=PATIENT)
async def journey(payload: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Steps, of which no two ever return the same, one that always fails, a wait for a time and one for a child."""
    stamps = [await ctx.step("first", stamp)]
    with suppress(StepFailedError):
        await ctx.step("busy", be_busy, retry=THRICE)
    await wait.for_(WAIT_SECONDS)
    stamps.append(await ctx.step("second", stamp))
    child = await add.aio.trigger_and_wait({"n": f"{payload['n']}/child", "a": 1, "b": 2})
    stamps.append(await ctx.step("last", stamp))
    return {"n": payload["n"], "sum": child.unwrap()["sum"], "stamps": stamps}


async def be_busy() -> None:
    raise ConnectionError("busy")


async def stamp() -> str:
    return uuid.uuid4().hex
