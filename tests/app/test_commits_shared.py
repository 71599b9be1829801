"""Commands of requests that are here already share a commit, and none waits for another."""

import asyncio

from app.engine.loop import GATHERING_TURNS
from domain.commands import Command, LimitEnvironment
from tests.app.harness import Engine


def commits(engine: Engine) -> int:
    *_, (_, total) = engine.service.loop.commits.events.cumulative()
    return total


def limited(engine: Engine, limit: int) -> Command:
    (environment,) = engine.service.loop.engine.memory.environments()
    origin = {"environment": environment.id, "actor": "test", "cause": "test"}
    return LimitEnvironment(concurrency_limit=limit, at=engine.clock.wall, **origin)


async def test_a_command_that_comes_a_few_turns_later_is_in_the_same_commit(engine: Engine) -> None:
    loop, before = engine.service.loop, commits(engine)

    first = loop.ask(limited(engine, 7))
    for _ in range(GATHERING_TURNS):
        await asyncio.sleep(0)
    second = loop.ask(limited(engine, 8))
    await asyncio.gather(first, second)

    assert commits(engine) == before + 1


async def test_one_command_alone_is_committed_without_another(engine: Engine) -> None:
    before = commits(engine)

    await engine.service.loop.submit(limited(engine, 7))

    assert commits(engine) == before + 1
