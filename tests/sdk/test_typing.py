"""What type checkers know; nothing here needs to run, only to be checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_type

from runfold import (
    BatchHandle,
    BatchItem,
    BulkAction,
    Context,
    QueueState,
    Run,
    RunHandle,
    RunResult,
    Task,
    aio,
    queues,
    runs,
    task,
    tasks,
)


@dataclass
class Letter:
    to: str


@task
async def nothing() -> int:
    return 1


@task(id="typed-a")
async def payload(letter: Letter) -> int:
    return len(letter.to)


@task(id="typed-b")
async def both(letter: Letter, ctx: Context) -> str:
    return letter.to + ctx.run.id


@task(id="typed-c")
def nothing_sync() -> int:
    return 1


@task
def payload_sync(letter: Letter) -> int:
    return len(letter.to)


@task(id="typed-d")
def both_sync(letter: Letter, ctx: Context) -> str:
    return letter.to + ctx.run.id


def of_tasks() -> None:
    assert_type(nothing, Task[None, int])
    assert_type(payload, Task[Letter, int])
    assert_type(both, Task[Letter, str])
    assert_type(nothing_sync, Task[None, int])
    assert_type(payload_sync, Task[Letter, int])
    assert_type(both_sync, Task[Letter, str])


def of_calls() -> None:
    handle = payload.trigger(Letter("ada"), delay="5m", tags=["a"])
    assert_type(handle, RunHandle[Letter, int])
    assert_type(payload.batch_trigger([Letter("a"), BatchItem(Letter("b"), tags="b")]), BatchHandle[Letter, int])
    assert_type(tasks.trigger("elsewhere", 1), RunHandle[Any, Any])
    assert_type(runs.retrieve(handle), Run[Letter, int])
    assert_type(runs.retrieve(handle).payload, Letter | None)
    assert_type(runs.retrieve("run_1"), Run[Any, Any])
    assert_type(runs.poll(handle, interval=2), Run[Letter, int])
    assert_type(runs.result(handle), RunResult[int] | None)
    assert_type(runs.replay(handle), RunHandle[Letter, int])
    assert_type(runs.replay(handle, Letter("bob"), machine="micro"), RunHandle[Letter, int])
    assert_type(runs.bulk_cancel(ids=[handle, "run_2"]).retrieve(), BulkAction)
    assert_type(queues.pause(payload), QueueState)
    assert_type([run.payload for run in runs.list(status="FAILED")], list[Any | None])


async def of_awaited_calls() -> None:
    handle = await payload.aio.trigger(Letter("ada"), max_attempts=3)
    assert_type(handle, RunHandle[Letter, int])
    assert_type(await aio.runs.retrieve(handle), Run[Letter, int])
    assert_type([run.id async for run in aio.runs.list(tag="a")], list[str])


def refused() -> None:
    payload.trigger(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    payload.trigger(Letter("ada"), dely="5m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    payload.trigger(Letter("ada"), machine="huge")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    runs.list(state="FAILED")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_the_functions_above_are_there_to_be_checked() -> None:
    checked: list[Callable[[], object]] = [of_tasks, of_calls, of_awaited_calls, refused]

    assert all(map(callable, checked))
