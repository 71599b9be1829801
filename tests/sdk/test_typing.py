"""What type checkers know; nothing here needs to run, only to be checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_type

from runfold import (
    BatchHandle,
    BatchItem,
    BatchResult,
    BulkAction,
    Context,
    QueueState,
    Retry,
    Run,
    RunHandle,
    RunResult,
    SyncContext,
    Task,
    TokenResult,
    aio,
    queues,
    runs,
    step,
    step_key,
    task,
    tasks,
    wait,
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


@step
async def reserve(item: str, *, count: int = 1) -> Letter:
    return Letter(item * count)


@step(name="send it", retry=Retry(max_attempts=2))
def send(letter: Letter) -> int:
    return len(letter.to)


class Shop:
    @step
    async def pack(self, item: str) -> Letter:
        return Letter(item)


async def fetch(to: str) -> Letter:
    return Letter(to)


@task(id="typed-e")
async def with_steps(letter: Letter, ctx: Context) -> None:
    assert_type(await ctx.step("fetch", fetch, "ada"), Letter)
    assert_type(await ctx.step("len", len, "ada", retry=Retry(max_attempts=2)), int)
    assert_type(await reserve("pen", count=2), Letter)
    assert_type(await ctx.step("send", send, letter), int)
    assert_type(await Shop().pack("pen"), Letter)
    assert_type(step_key(), str)


@task(id="typed-f")
def with_steps_sync(letter: Letter, ctx: SyncContext) -> None:
    assert_type(ctx.step("len", len, letter.to), int)
    assert_type(send(letter), int)


def of_waits() -> None:
    handle = payload.trigger(Letter("ada"))
    assert_type(payload.trigger_and_wait(Letter("ada"), ttl="1h"), RunResult[int])
    assert_type(payload.trigger_and_wait(Letter("ada")).unwrap(), int)
    assert_type(nothing.trigger_and_wait(), RunResult[int])
    assert_type(payload.batch_trigger_and_wait([Letter("a")]), BatchResult[int])
    assert_type(payload.batch_trigger_and_wait([Letter("a")]).unwrap(), tuple[int, ...])
    assert_type(wait.for_("1h"), None)
    assert_type(wait.for_run(handle), RunResult[int])
    assert_type(wait.for_batch(payload.batch_trigger([Letter("a")])), BatchResult[int])
    assert_type(wait.for_token("waitpoint_1", timeout="1d"), TokenResult)
    assert_type(wait.any(handle, "waitpoint_1"), tuple[int, Any])
    assert_type(wait.all(handle, "waitpoint_1", timeout=5), tuple[Any, ...])


async def of_awaited_waits() -> None:
    handle = await payload.aio.trigger(Letter("ada"))
    assert_type(await payload.aio.trigger_and_wait(Letter("ada")), RunResult[int])
    assert_type(await payload.aio.batch_trigger_and_wait([Letter("a")]), BatchResult[int])
    assert_type(await aio.wait.for_run(handle), RunResult[int])
    assert_type(await aio.wait.for_run("run_1"), RunResult[Any])
    assert_type(await aio.wait.any(handle, timeout=5), tuple[int, Any])


async def refused_steps(ctx: Context) -> None:
    reserve(3)  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore[reportArgumentType, reportUnusedCoroutine]
    await ctx.step(fetch, "ada")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    payload.trigger_and_wait(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def refused() -> None:
    payload.trigger(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    payload.trigger(Letter("ada"), dely="5m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    payload.trigger(Letter("ada"), machine="huge")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    runs.list(state="FAILED")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_the_functions_above_are_there_to_be_checked() -> None:
    checked: list[Callable[[], object]] = [of_tasks, of_calls, of_waits, of_awaited_calls, of_awaited_waits, refused]

    assert all(map(callable, [*checked, refused_steps]))
