"""Tasks that wait, and have steps."""

import threading
from pathlib import Path

from runfold import Context, SyncContext, aio, task, wait


@task
async def wait_once(payload: int | None, ctx: Context) -> list[str]:
    before = await ctx.step("before", str, payload)
    await aio.wait.for_("1d")
    return [before, await ctx.step("after", str, ctx.attempt.number)]


@task
def wait_once_in_process(payload: int | None, ctx: SyncContext) -> list[str]:
    before = ctx.step("before", str, payload)
    wait.for_("1d")
    return [before, ctx.step("after", str, ctx.attempt.number)]


@task
def clean_up_in_process(marks: str, ctx: SyncContext) -> None:
    try:
        ctx.step("block", _block, marks)
    finally:
        try:
            ctx.step("clean up", str)
        finally:
            Path(marks, "ended").touch()


def _block(marks: str) -> None:
    Path(marks, "began").touch()
    threading.Event().wait()


@task
def leave_thread_behind(marks: str, ctx: SyncContext) -> None:
    """A thread that takes its step when another run has the process."""

    def late() -> None:
        gate.wait()
        try:
            ctx.step("late", str, 1)
        finally:
            Path(marks, "late").touch()

    threading.Thread(target=late, daemon=True).start()


@task
def open_gate(marks: str, ctx: SyncContext) -> list[str]:
    gate.set()
    while not Path(marks, "late").exists():
        threading.Event().wait(0.01)
    return [ctx.step("own", str, 2)]


gate = threading.Event()


@task
async def five_steps(_payload: None, ctx: Context) -> list[str]:
    return [await ctx.step("one of five", str, number) for number in range(5)]
