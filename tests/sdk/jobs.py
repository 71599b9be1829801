"""Tasks that the tests run."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from runfold import AbortTaskRunError, Context, Queue, Retry, SyncContext, steps, task
from runfold.current import current_run
from runfold.tracing import current_traceparent
from tests.sdk import auth_jobs, log_jobs, waiting_jobs

# The processes of a worker load this module, and so those tasks as well.
__all__ = ["auth_jobs", "log_jobs", "waiting_jobs"]


@dataclass
class Order:
    city: str
    count: int = 1


@task(queue=Queue("letters", concurrency_limit=3), retry=Retry(max_attempts=4), max_duration="5m", ttl=60)
async def greet(order: Order) -> str:
    return f"Hello {order.city}"


@task
async def describe(payload: None, ctx: Context) -> dict[str, object]:
    return {
        "run": ctx.run.id,
        "tags": ctx.run.tags,
        "created_at": ctx.run.created_at,
        "is_test": ctx.run.is_test,
        "max_attempts": ctx.run.max_attempts,
        "max_duration": ctx.run.max_duration,
        "idempotency_key": ctx.run.idempotency_key,
        "batch_id": ctx.run.batch_id,
        "source": ctx.run.source,
        "priority": ctx.run.priority,
        "concurrency_key": ctx.run.concurrency_key,
        "parent_id": ctx.run.parent_id,
        "root_id": ctx.run.root_id,
        "depth": ctx.run.depth,
        "replay_of": ctx.run.replay_of,
        "metadata": dict(ctx.run.metadata),
        "machine": ctx.run.machine,
        "attempt": ctx.attempt.number,
        "attempt_id": ctx.attempt.id,
        "task": ctx.task.id,
        "queue": ctx.queue.name,
        "environment": ctx.environment.slug,
        "project": ctx.project.ref,
        "organization": ctx.organization.slug,
        "version": ctx.version,
        "is_cancelled": ctx.cancelled.is_set(),
    }


@task
async def which_span() -> str | None:
    return current_traceparent()


@task
def which_span_in_process() -> str | None:
    return current_traceparent()


@task
async def fail(message: str) -> None:
    _raise(message)


@task
async def abort(message: str) -> None:
    raise AbortTaskRunError(message)


@task
async def leave() -> None:
    sys.exit(3)


@task
async def unencodable() -> object:
    return object()


@task
async def give_up_inside() -> None:
    inner = asyncio.ensure_future(asyncio.Event().wait())
    inner.cancel()
    await inner


@task
async def wait_for_ever() -> None:
    await asyncio.Event().wait()


@task
def who() -> int:
    return os.getpid()


@task
def greet_in_process(order: Order, ctx: Context) -> str:
    return f"Hello {order.city} from {ctx.task.id}, attempt {ctx.attempt.number}"


@task
def fail_in_process(message: str) -> None:
    _raise(message)


@task
def raise_half() -> None:
    raise ValueError("caf\udce9")


@task
def return_garbage() -> msgspec.Raw:
    return msgspec.Raw(b"{{")


@task
def name_half(_: None, ctx: SyncContext) -> None:
    # Whatever else may let it through.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "is_whole", bool)
        ctx.step("\ud800", str, 1)


@task
def double(number: int) -> int:
    return 2 * number


@task
def leave_process(code: int) -> None:
    os._exit(code)


@task
def kill_process(number: int) -> None:
    os.kill(os.getpid(), number)


@task(machine="small-1x", retry=Retry(out_of_memory_machine="large-1x"))
def hoard_in_process(size: int) -> int:
    return len(bytearray(size))


@task
async def hoard(size: int) -> int:
    return len(bytearray(size))


@task
def be_killed_for_memory(events: str) -> None:
    """What the kernel does to a process that has used up the memory of its group."""
    Path(events).write_text("low 0\noom 1\noom_kill 8\n")
    os.kill(os.getpid(), signal.SIGKILL)


@task
def leave_orphan(marks: str) -> None:
    """Die while a process that holds every open file lives on."""
    orphan = os.fork()
    if orphan == 0:
        time.sleep(60)
    Path(marks, "orphan").write_text(str(orphan))
    os._exit(4)


@task
async def which_run() -> str | None:
    return current_run()


@task
def which_run_in_process() -> str | None:
    return current_run()


@task
def block(marks: str) -> None:
    """Say that it began, then block for ever; say how it ended."""
    try:
        Path(marks, "began").touch()
        subprocess.run(["sleep", "3600"], check=True)  # noqa: S607 (any sleep will do)
    finally:
        Path(marks, "ended").touch()


@task
def watch_in_process(marks: str, ctx: Context) -> None:
    cancelled = ctx.cancelled
    Path(marks, "began").touch()
    asyncio.run(cancelled.wait())
    Path(marks, "ended").touch()


def _raise(message: str) -> None:
    raise ValueError(message)
