"""Tasks with steps, children and waits, which leave a line in a file for everything that they really do."""

import os
import uuid
from pathlib import Path
from typing import Any

import msgspec

from runfold import Context, Retry, step_key, task
from runfold.aio import wait
from tests.crash.moments import LEFT, OF_STEPS, OF_THE_REPORT, Moments

EFFECTS = "effects.jsonl"
ENOUGH = "enough"
"""A file of this name ends what would go on for ever."""
PROGRESS = "progress"
WAIT_SECONDS = 0.2
KEPT_SECONDS, FREEZE_SECONDS, FROZEN_SECONDS = 0.02, 0.1, 0.3
PATIENT = Retry(max_attempts=100, min_timeout_ms=20, max_timeout_ms=100, factor=1.0)


class Effect(msgspec.Struct, frozen=True):
    """What a body did, under the idempotency key of its step. No two are alike."""

    run: str
    step: str
    key: str
    id: str


def effects_in(folder: Path) -> list[Effect]:
    """All that was done until now, in its order."""
    file = folder / EFFECTS
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [msgspec.json.decode(line, type=Effect) for line in lines]


def affect(run: str, step: str, key: str) -> str:
    """Do it."""
    moments = Moments.of_environment()
    moments.in_code("begun", step)
    effect = Effect(run, step, key, uuid.uuid4().hex)
    file = os.open(Path(os.environ["CRASH_FOLDER"]) / EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    # One write for each line, which a killed process has either made or not.
    os.write(file, msgspec.json.encode(effect) + b"\n")
    os.close(file)
    moments.in_code("done", step)
    return effect.id


def body(run: str, step: str) -> str:
    return affect(run, step, step_key())


@task(retry=PATIENT)
async def child(payload: dict[str, Any], ctx: Context) -> str:
    return affect(ctx.run.id, "child", payload["n"])


@task(retry=PATIENT)
async def order(payload: dict[str, Any], ctx: Context) -> list[str]:
    """Everything that a journal knows, and somebody dies at every moment of it."""
    done = [await ctx.step("first", body, ctx.run.id, "first")]
    for moment in OF_STEPS:
        done.append(await ctx.step(moment, body, ctx.run.id, moment))
        Moments.of_environment().in_code(LEFT, moment)
    for moment in OF_THE_REPORT:
        result = await child.aio.trigger_and_wait({"n": f"{payload['n']} {moment}"})
        done.append(result.unwrap())
    for _ in OF_THE_REPORT:
        await wait.for_(WAIT_SECONDS)
    return [*done, await ctx.step("last", body, ctx.run.id, "last")]


@task(retry=PATIENT)
async def endure(payload: dict[str, Any], ctx: Context) -> int:
    """Everything that a journal knows, until it is enough: of its two waits the first one keeps the process."""
    rounds = 0
    while await ctx.step(f"more {rounds}", _unless_enough, ctx.run.id, f"more {rounds}"):
        (await child.aio.trigger_and_wait({"n": f"{payload['n']} {rounds}"})).unwrap()
        await wait.for_(KEPT_SECONDS)
        await wait.for_(FROZEN_SECONDS)
        rounds += 1
    return rounds


@task(retry=PATIENT)
async def nap(payload: dict[str, Any], ctx: Context) -> list[str]:
    before = await ctx.step("before", body, ctx.run.id, "before")
    await wait.for_(payload["seconds"])
    return [before, await ctx.step("after", body, ctx.run.id, "after")]


def _unless_enough(run: str, step: str) -> str | None:
    effect = body(run, step)
    return None if (Path(os.environ["CRASH_FOLDER"]) / ENOUGH).exists() else effect


RESULT_BYTES = 40_000
"""Of each step of `walk`."""


def long_text(number: int) -> str:
    """Larger than what may be kept for a step."""
    return str(number % 10) * RESULT_BYTES


@task(retry=PATIENT)
async def walk(payload: dict[str, Any], ctx: Context) -> int:
    """Steps without effects, and a file that says how many there were."""
    progress = Path(os.environ["CRASH_FOLDER"]) / PROGRESS
    for number in range(1, payload["steps"] + 1):
        await ctx.step("step", long_text, number)
        if number % 100 == 0:
            progress.write_text(str(number))
    steps: int = payload["steps"]
    return steps
