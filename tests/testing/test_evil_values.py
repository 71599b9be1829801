"""Whatever a task puts anywhere, its run comes to an end, and the runs beside it do not notice."""

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NoReturn

import msgspec
import pytest

import runfold
from runfold import AbortTaskRunError, Context, StepFailedError, task
from runfold.aio import events, wait
from runfold.run import RunError
from runfold.testing import Serve, finished

pytest_plugins = ["runfold.testing.plugin"]

FAR_WEST = timezone(timedelta(hours=-14))


class Mute:
    """Answers nothing that anybody asks."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")


class Leaving:
    """Ends the process of whoever looks at it, if it can."""

    def __repr__(self) -> str:
        return sys.exit(1)

    def __str__(self) -> str:
        return sys.exit(1)

    def model_dump_json(self, **_: Any) -> str:
        return sys.exit(1)


class MuteError(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


VALUES: list[Callable[[], Any]] = [
    lambda: "caf\udce9",
    lambda: "\ud83d",
    lambda: "a\0b",
    lambda: "",
    lambda: "x" * 100_000,
    lambda: b"\xff",
    lambda: msgspec.Raw(b"{{"),
    lambda: msgspec.Raw(b'"\\ud800"'),
    lambda: msgspec.Raw(b"1e999"),
    lambda: 10**400,
    lambda: -1,
    lambda: math.nan,
    lambda: math.inf,
    lambda: nested(50_000),
    lambda: {"caf\udce9": 1},
    lambda: datetime.max.replace(tzinfo=UTC),
    lambda: datetime.max.replace(tzinfo=FAR_WEST),
    lambda: datetime.min.replace(tzinfo=UTC),
    Mute,
    Leaving,
    object,
]


def throw(error: BaseException) -> NoReturn:
    raise error


def noted(value: Any) -> Exception:
    error = ValueError("noted")
    error.__notes__ = [value]
    return error


async def in_a_branch(value: Any) -> None:
    async def leave() -> NoReturn:
        sys.exit(value)

    await asyncio.create_task(leave())


async def log(value: Any, ctx: Context) -> None:
    ctx.log.info(value)
    ctx.log.warning("a line", value=value)
    ctx.log.error("a name", **{value if isinstance(value, str) else "name": 1})


async def answer(value: Any, _: Context) -> Any:
    return value


async def raise_(value: Any, _: Context) -> NoReturn:
    raise ValueError(value)


async def abort(value: Any, _: Context) -> NoReturn:
    raise AbortTaskRunError(value)


async def raise_with_a_note(value: Any, _: Context) -> NoReturn:
    raise noted(value)


async def raise_of_a_step(value: Any, _: Context) -> NoReturn:
    raise StepFailedError("a step", RunError(message=value, name=value))


async def raise_mute(_value: Any, _: Context) -> NoReturn:
    raise MuteError from MuteError()


async def leave(value: Any, _: Context) -> NoReturn:
    sys.exit(value)


async def leave_in_a_branch(value: Any, _: Context) -> None:
    await in_a_branch(value)


async def cancel_itself(value: Any, _: Context) -> None:
    me = asyncio.current_task()
    assert me is not None
    me.cancel(value)
    await asyncio.sleep(3600)


async def name_a_step(value: Any, ctx: Context) -> None:
    await ctx.step(value, str, 1)


async def return_from_a_step(value: Any, ctx: Context) -> None:
    await ctx.step("return", lambda: value)


async def fail_a_step(value: Any, ctx: Context) -> None:
    await ctx.step("fail", throw, ValueError(value))


async def call_a_step_with(value: Any, ctx: Context) -> None:
    await ctx.step("call", id, value)


async def wait_for(value: Any, _: Context) -> None:
    await wait.for_(value)


async def wait_until(value: Any, _: Context) -> None:
    await wait.until(value)


async def wait_for_a_token(value: Any, _: Context) -> None:
    await wait.for_token(value)


async def make_a_token(value: Any, _: Context) -> None:
    await wait.create_token(tags=[value])


async def change_metadata(value: Any, ctx: Context) -> None:
    await ctx.metadata.set("value", value)
    await ctx.metadata.set(value, 1)


async def send_an_event(value: Any, _: Context) -> None:
    await events.send(value, {})


async def trigger(value: Any, _: Context) -> None:
    await child.aio.trigger(value)


async def trigger_with_a_tag(value: Any, _: Context) -> None:
    await child.aio.trigger(1, tags=[value])


async def trigger_with_a_key(value: Any, _: Context) -> None:
    await child.aio.trigger(1, idempotency_key=value)


PLACES: list[Callable[[Any, Context], Awaitable[Any]]] = [
    answer,
    raise_,
    abort,
    raise_with_a_note,
    raise_of_a_step,
    raise_mute,
    leave,
    leave_in_a_branch,
    cancel_itself,
    log,
    name_a_step,
    return_from_a_step,
    fail_a_step,
    call_a_step_with,
    wait_for,
    wait_until,
    wait_for_a_token,
    make_a_token,
    change_metadata,
    send_an_event,
    trigger,
    trigger_with_a_tag,
    trigger_with_a_key,
]


@task
async def child(_: Any) -> None: ...


@task
async def put(where: tuple[int, int], ctx: Context) -> Any:
    place, value = where
    return await PLACES[place](VALUES[value](), ctx)


@task
async def neighbour(token: str, ctx: Context) -> str:
    await ctx.step("begin", str, 1)
    await wait.for_token(token)
    await ctx.step("end", str, 2)
    return "untouched"


@pytest.mark.parametrize("place", range(len(PLACES)), ids=[place.__name__ for place in PLACES])
def test_every_run_comes_to_its_end_and_the_worker_goes_on(runfold_serve: Serve, place: int) -> None:
    worker = runfold_serve(put, child, neighbour)
    token = runfold.wait.create_token()
    beside = neighbour.trigger(token.id)
    evil = put.batch_trigger([(place, value) for value in range(len(VALUES))])
    ended = [finished(run) for run in evil.runs]
    runfold.wait.complete_token(token, None)

    assert [run.status for run in ended if run.status not in {"COMPLETED", "FAILED"}] == []
    assert finished(beside).output == "untouched"
    assert (runfold.runs.retrieve(beside).attempt_count, worker.is_running) == (1, True)
