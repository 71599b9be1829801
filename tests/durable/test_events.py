"""Named events, as the code of a task sends them and is started by them."""

from typing import Any

import pytest

from domain import events as e
from runfold import Context, Retry, task
from runfold.aio import events, wait
from tests.durable.stage import Stage

AT_ONCE = Retry(max_attempts=2, min_timeout_ms=0)


@task(id="welcome", on_event="user.created", event_filter={"plan": ["pro"]})
async def welcome(user: dict[str, Any], ctx: Context) -> Any:
    assert ctx.event is not None
    return [user["name"], ctx.event.id, ctx.event.name, ctx.event.source, dict(ctx.event.context), ctx.run.source]


async def test_a_task_is_started_by_an_event_and_knows_it(stage: Stage) -> None:
    await stage.worker(welcome)
    sent = await events.send("user.created", {"name": "Ada", "plan": "pro"}, id="u1", source="shop", context={"a": 1})
    other = await events.send("user.created", {"name": "Eve", "plan": "free"})

    (run,) = sent.runs
    assert await stage.output(run) == ["Ada", "u1", "user.created", "shop", {"a": 1}, "event"]
    assert other.runs == ()


@pytest.mark.parametrize("where", ["in the code", "in a step"])
async def test_a_run_sends_its_event_once_however_often_its_code_runs_again(stage: Stage, where: str) -> None:
    sends: list[str] = []

    async def tell() -> str:
        sends.append((await events.send("user.created", {"name": "Ada", "plan": "pro"})).id)
        if len(sends) == 1 and where == "in a step":
            raise ValueError("the step is tried again, and finds the event")
        return sends[-1]

    @task
    async def sign_up(_payload: None, ctx: Context) -> str:
        event = await ctx.step("tell", tell, retry=AT_ONCE) if where == "in a step" else await tell()
        await wait.for_(1)
        return event

    await stage.worker(sign_up, welcome, freeze_seconds=0.0)
    run = (await sign_up.aio.trigger(None)).id
    await stage.until(run, e.RunFrozen)
    await stage.engine.advance(1_000)

    assert await stage.output(run) == sends[0]
    assert len(sends) == 2
    assert sends[0] == sends[1]
    records = await stage.records()
    assert [each.event.id for each in records if isinstance(each.event, e.EventSent)] == [sends[0]]
