"""The tasks that are run: one that does nothing, and one that notes when it was to be triggered and when it began."""

import os
import time

from runfold import task

# One write for each line, so that lines of several runs do not mix.
_TIMES = os.open(os.environ["BENCH_TIMES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@task
async def nothing(number: int) -> int:
    return number


@task
async def note(scheduled_ns: int) -> None:
    began_ns = time.time_ns()
    os.write(_TIMES, f"{scheduled_ns} {began_ns}\n".encode())
