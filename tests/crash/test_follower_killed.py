"""The follower in a process of its own: it may die, and it does not outlive its engine."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.crash.processes import Program
from tests.crash.scenario import POLL_SECONDS, Scenario

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which process started which")
SOON_SECONDS = 10


async def engine_that_follows_apart(scenario: Scenario) -> Program:
    scenario.environment["RUNFOLD_FOLLOWER"] = "process"
    engine = await scenario.start("app", "serve")
    await scenario.until_ready()
    return engine


async def follower_of(engine: Program) -> int:
    async with asyncio.timeout(SOON_SECONDS):
        while not engine.children:  # noqa: ASYNC110 (there is nothing to wait for in another process)
            await asyncio.sleep(POLL_SECONDS)
    (follower,) = engine.children
    return follower


def is_gone(process: int) -> bool:
    """It may still be in the table of processes, for whoever asks how it ended."""
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_one_that_is_killed_is_started_again_and_misses_nothing(scenario: Scenario) -> None:
    engine = await engine_that_follows_apart(scenario)
    scenario.start_worker()
    scenario.clients.begin()
    for _ in range(3):
        await scenario.until_answered(10)
        follower = await follower_of(engine)
        os.kill(follower, signal.SIGKILL)
        await scenario.until_engine_says("/readyz", lambda status, _: status == 503)
        await scenario.until_ready()

    await scenario.finish()


async def test_lists_show_at_once_what_was_written_before(scenario: Scenario) -> None:
    engine = await engine_that_follows_apart(scenario)
    await follower_of(engine)
    await scenario.until_engine_says("/readyz", lambda _, said: said["head"] == said["readModels"])
    for number in range(5):
        triggered = await scenario.clients.post("/api/v1/tasks/unheard-of/trigger", {"payload": number})
        listed = await scenario.clients.get("/api/v1/runs?page[size]=1")

        assert listed is not None
        assert [run["id"] for run in listed.json()["data"]] == [triggered.json()["id"]]


async def test_it_ends_with_an_engine_that_is_killed(scenario: Scenario) -> None:
    engine = await engine_that_follows_apart(scenario)
    follower = await follower_of(engine)

    engine.signal(signal.SIGKILL)

    assert await engine.ended() == -signal.SIGKILL
    async with asyncio.timeout(SOON_SECONDS):
        while not is_gone(follower):  # noqa: ASYNC110 (there is nothing to wait for in another process)
            await asyncio.sleep(POLL_SECONDS)


async def test_an_engine_that_is_told_to_stop_brings_it_to_the_head(scenario: Scenario) -> None:
    engine = await engine_that_follows_apart(scenario)
    scenario.start_worker()
    scenario.clients.begin()
    await scenario.until_answered(10)

    await scenario.finish()

    assert not engine.is_running
