"""The tasks that are run: nothing, a note of when something was to begin and when it did, two failures first, steps."""

import os
import time

from bench.peers.names import STEPS_PER_RUN
from runfold import Context, Retry, aio, task

# One write for each line, so that lines of several runs do not mix.
_TIMES = os.open(os.environ["BENCH_TIMES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@task
async def nothing(number: int) -> int:
    return number


@task
async def note(scheduled_ns: int) -> None:
    _note(scheduled_ns)


@task(retry=Retry(max_attempts=3, min_timeout_ms=0))
async def twice(_number: int, context: Context) -> None:
    if context.attempt.number < 3:
        raise ValueError("not yet")


@task
async def steps(number: int, context: Context) -> int:
    for step in range(STEPS_PER_RUN):
        await context.step(f"step {step}", one)
    return number


@task
async def resume(token: str) -> None:
    """The token is completed with the time at which that was to be done."""
    _note((await aio.wait.for_token(token)).unwrap())


async def one() -> int:
    return 1


def _note(scheduled_ns: int) -> None:
    began_ns = time.time_ns()
    os.write(_TIMES, f"{scheduled_ns} {began_ns}\n".encode())
