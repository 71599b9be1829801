"""Anything dies by kill -9 at any moment, under load."""

import asyncio
import os
import random
import signal

import pytest

from tests.crash.scenario import Scenario

ROUNDS = int(os.environ.get("RUNFOLD_CRASH_ROUNDS", "1"))
KILLS = 6
QUIET_SECONDS = 2.0
"""The longest time between two kills."""
PAUSE_SECONDS = 2.0
VICTIMS = ("engine", "worker", "both", "child", "nobody")


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_nothing_is_lost_or_done_twice_whoever_is_killed(scenario: Scenario, number: int) -> None:
    chance = random.Random(f"{scenario.seed} kills")
    scenario.clients.begin()
    scenario.start_engine()
    scenario.start_worker(processes=2)
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, QUIET_SECONDS))
        victim = chance.choice(VICTIMS)
        print(f"Kill: {victim}.")  # noqa: T201 (pytest shows it when the test fails)
        match victim:
            case "engine":
                await scenario.kill_engine()
            case "worker":
                await scenario.kill_worker()
            case "both":
                await asyncio.gather(scenario.kill_engine(), scenario.kill_worker())
            case "child":
                kill_a_child(scenario, chance)
            case _:
                await pause(scenario, chance)
        await asyncio.sleep(chance.choice([0.0, chance.uniform(0, 0.5)]))
        if victim in {"engine", "both"}:
            scenario.start_engine()
        if victim in {"worker", "both"}:
            scenario.start_worker(processes=2)

    await scenario.finish()


def kill_a_child(scenario: Scenario, chance: random.Random) -> None:
    """One of the processes in which the worker runs synchronous tasks."""
    assert scenario.worker is not None
    children = scenario.worker.children
    # Without its first child a worker does not begin; later ones it may lose.
    if children and "ready as version" in scenario.worker.said:
        os.kill(chance.choice(children), signal.SIGKILL)


async def pause(scenario: Scenario, chance: random.Random) -> None:
    """Engine or worker stands still for a while, longer than a lease maybe."""
    victim = chance.choice([scenario.engine, scenario.worker])
    assert victim is not None
    victim.signal(signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(0.1, PAUSE_SECONDS))
    victim.signal(signal.SIGCONT)
