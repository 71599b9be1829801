"""Tasks that are not async: the processes of a worker load this file."""

import os
import signal
from pathlib import Path

from runfold import Retry, SyncContext, step_key, task, wait

NAP_SECONDS = 5


@task
def nap(naps: int, ctx: SyncContext) -> list[str]:
    done: list[str] = []
    for number in range(1, naps + 1):
        done.append(ctx.step("nap", str, f"nap {number} of attempt {ctx.attempt.number}"))
        wait.for_(NAP_SECONDS)
    return done


@task
def deadly(_payload: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task
def insist(folder: str, ctx: SyncContext) -> int:
    """A step that fails twice; `folder` has a file for each try."""

    def once_more() -> int:
        number = len([*Path(folder).iterdir()])
        Path(folder, str(number)).write_text(step_key())
        if number < 2:
            raise OSError(f"busy {number}")
        return number

    return ctx.step("insist", once_more, retry=Retry(max_attempts=3, min_timeout_ms=5_000, factor=1, randomize=False))
