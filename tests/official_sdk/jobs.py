"""The tasks of the worker that the official SDK's runs are given to."""

import asyncio
from typing import Any

from runfold import AbortTaskRunError, Context, Queue, task


@task
async def echo(payload: Any) -> Any:
    return payload


@task
async def told(payload: Any, ctx: Context) -> dict[str, Any]:
    """What a worker is told of a run."""
    run = ctx.run
    return {
        "payload": payload,
        "tags": list(run.tags),
        "metadata": dict(run.metadata),
        "priority": run.priority,
        "machine": run.machine,
        "maxAttempts": run.max_attempts,
        "maxDuration": run.max_duration,
        "concurrencyKey": run.concurrency_key,
        "queue": ctx.queue.name,
    }


@task(id="fails")
async def fails(payload: Any) -> None:
    raise AbortTaskRunError("there is no more paper")


@task(id="sleeps")
async def sleeps(payload: Any) -> None:
    await asyncio.sleep(3_600)


@task(id="in-queue", queue=Queue("letters", concurrency_limit=5))
async def in_queue(payload: Any) -> Any:
    return payload


@task(id="steps")
async def in_steps(payload: int, ctx: Context) -> int:
    """Changes its metadata, step by step."""
    for each in range(payload):
        await ctx.metadata.set("done", each + 1)
    return payload


@task(id="parent")
async def parent(payload: int) -> list[Any]:
    """Has children, one after the other."""
    return [(await echo.aio.trigger_and_wait(each)).unwrap() for each in range(payload)]


@task(id="expires")
async def expires(payload: Any) -> None:
    """Of a queue that is paused: nobody starts it."""
