"""An engine dies while its calls are in flight, and the next one makes them again, for the same executions."""

import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.databases import Database
from tests.crash.scenario import DEVELOPMENT_KEY, KEY, Scenario
from tests.targets import Target, a_target

CALLS = 3


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with a_target() as target:
        yield target


@pytest.fixture(params=[KEY, DEVELOPMENT_KEY], ids=["production", "development"])
async def alone(
    request: pytest.FixtureRequest, tmp_path: Path, database: Callable[[Path], Database]
) -> AsyncIterator[Scenario]:
    """An engine without any worker; in development a lost worker would interrupt its runs."""
    scenario = Scenario(tmp_path, seed=1, lease_ms=20_000, key=request.param, database=database(tmp_path))
    scenario.environment["RUNFOLD_HTTP_ALLOWED_NETWORKS"] = "127.0.0.0/8"
    try:
        yield scenario
    finally:
        await scenario.close()


async def ended(scenario: Scenario, execution: str) -> Any:
    def is_over(status: int, said: Any) -> bool:
        return status == 200 and said["finished_at"] is not None

    return await scenario.until_engine_says(f"/v1/executions/{execution}", is_over)


async def test_what_was_in_flight_is_called_again_at_once(alone: Scenario, target: Target) -> None:
    alone.start_engine()
    await alone.until_ready()
    body = {"name": "ping", "kind": "webhook_trigger", "request": {"url": target.url("/gate")}}
    job = (await alone.clients.post("/v1/jobs", body)).json()["id"]
    executions = [
        (await alone.clients.post(f"/v1/jobs/{job}/run-now", {})).json()["execution_id"] for _ in range(CALLS)
    ]
    await target.came(CALLS)

    await alone.kill_engine()
    alone.start_engine()
    # Long before the lease is over: the executor says that it holds nothing.
    asked = await target.came(2 * CALLS)
    target.release.set()
    found = [await ended(alone, execution) for execution in executions]

    assert [each["status"] for each in found] == ["succeeded"] * CALLS
    for each in found:
        assert [(attempt["number"], attempt["errorClass"]) for attempt in each["attempts"]] == [
            (1, "worker_lost"),
            (2, None),
        ]
    calls = {(each.headers["x-cron-service-execution-id"], each.headers["x-cron-service-attempt"]) for each in asked}
    assert calls == {(execution, number) for execution in executions for number in ("1", "2")}


async def test_an_engine_that_is_told_to_stop_lets_calls_end(alone: Scenario, target: Target) -> None:
    engine = alone.start_engine()
    await alone.until_ready()
    body = {"name": "ping", "kind": "one_time", "request": {"url": target.url("/gate")}}
    job = (await alone.clients.post("/v1/jobs", body)).json()["id"]
    await target.came(1)

    engine.signal(signal.SIGTERM)
    target.release.set()
    assert await engine.ended() == 0
    alone.start_engine()
    await alone.until_ready()
    (found,) = (await alone.until_engine_says(f"/v1/jobs/{job}/executions", lambda status, _: status == 200))["data"]

    assert (found["status"], found["attempt_count"], len(target.asked)) == ("succeeded", 1, 1)


async def test_an_executor_of_its_own_is_killed_and_another_one_goes_on(tmp_path: Path, target: Target) -> None:
    alone = Scenario(tmp_path, seed=1, lease_ms=1_000)
    alone.environment |= {"RUNFOLD_HTTP_ALLOWED_NETWORKS": "127.0.0.0/8", "RUNFOLD_HTTP_EXECUTOR": "false"}
    try:
        alone.start_engine()
        await alone.until_ready()
        first = await alone.start("tests.crash.launch", "executor", "--concurrency", "2")
        body = {"name": "ping", "kind": "one_time", "request": {"url": target.url("/gate")}}
        job = (await alone.clients.post("/v1/jobs", body)).json()["id"]
        await target.came(1)
        first.signal(signal.SIGKILL)
        await first.ended()
        second = await alone.start("tests.crash.launch", "executor")
        await target.came(2)
        target.release.set()
        (execution,) = (await alone.until_engine_says(f"/v1/jobs/{job}/executions", lambda status, _: status == 200))[
            "data"
        ]
        found = await ended(alone, execution["id"])
        second.signal(signal.SIGTERM)

        assert [attempt["errorClass"] for attempt in found["attempts"]] == ["worker_lost", None]
        assert await second.ended() == 0
    finally:
        await alone.close()
