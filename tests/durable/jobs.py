"""Tasks that are not async: the processes of a worker load this file."""

import os
import signal

from runfold import SyncContext, task, wait

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
