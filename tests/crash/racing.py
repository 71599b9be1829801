"""A task in which steps, waits and a child race, and end in another order in each life of its worker."""

import asyncio
import os
import random
from pathlib import Path
from typing import Any

from runfold import Context, task
from runfold.aio import wait
from tests.crash.orders import ENOUGH, PATIENT, affect, child

__all__ = ["child"]
LAST = "step 3"
"""It is done when there is enough."""
RACERS = ("step 1", "step 2", LAST, "wait 1", "wait 2", "child")
LONGEST_SECONDS = 0.2


@task(retry=PATIENT)
async def race(payload: dict[str, Any], ctx: Context) -> list[str]:
    """What it heard, in that order. Each life leaves what it hears, under its number."""
    heard: list[str] = []

    async def run(name: str) -> str:
        if name.startswith("step"):
            return await ctx.step(name, linger, name)
        if name.startswith("wait"):
            await wait.for_(LONGEST_SECONDS / int(name[-1]))
        else:
            (await child.aio.trigger_and_wait({"n": f"{payload['n']} child"})).unwrap()
        return name

    for each in asyncio.as_completed([asyncio.create_task(run(name)) for name in RACERS]):
        heard.append(await each)
        affect(ctx.run.id, heard[-1], str(os.getpid()))
        await ctx.step("hear", str, heard[-1])
    return heard


async def linger(name: str) -> str:
    await asyncio.sleep(random.uniform(0, LONGEST_SECONDS))  # chance: no two lives are alike
    while name == LAST and not (Path(os.environ["CRASH_FOLDER"]) / ENOUGH).exists():  # noqa: ASYNC110 (it is told by another process)
        await asyncio.sleep(0.01)
    return name
