"""The tasks that are run: nothing, a note of when it was to be triggered and when it began, and two failures first."""

import os
import time

from runfold import Context, Retry, task

# One write for each line, so that lines of several runs do not mix.
_TIMES = os.open(os.environ["BENCH_TIMES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@task
async def nothing(number: int) -> int:
    return number


@task
async def note(scheduled_ns: int) -> None:
    began_ns = time.time_ns()
    os.write(_TIMES, f"{scheduled_ns} {began_ns}\n".encode())


@task(retry=Retry(max_attempts=3, min_timeout_ms=0))
async def twice(_number: int, context: Context) -> None:
    if context.attempt.number < 3:
        raise ValueError("not yet")
