"""The engine dies on either side of the delivery of events, and each has started its runs once in the end."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scenario import Scenario

TASKS = {"tasks": [{"id": name, "event": {"name": "made"}} for name in ("greet", "bill")]}


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Scenario]:
    """An engine without any worker."""
    scenario = Scenario(tmp_path, seed=1)
    scenario.environment["RUNFOLD_HTTP_EXECUTOR"] = "false"
    try:
        yield scenario
    finally:
        await scenario.close()


async def test_an_event_that_is_due_while_the_engine_dies_is_delivered_once(alone: Scenario) -> None:
    def is_delivered(status: int, said: Any) -> bool:
        return status == 200 and said["status"] == "DELIVERED"

    alone.start_engine("deliveries.before")
    await alone.until_ready()
    await alone.clients.post("/worker/v1/register", TASKS)
    event = {"name": "made", "payload": {"text": "x" * 50_000}}
    for name in ("one", "two"):
        body = {"event": event | {"id": name}, "options": {"deliverAfter": 1}}
        await alone.clients.post("/api/v1/events", body)
    await alone.engine_is_killed()
    alone.start_engine("deliveries.committed")
    await alone.engine_is_killed()
    alone.start_engine()
    told = [await alone.until_engine_says(f"/api/v1/events/{name}", is_delivered) for name in ("one", "two")]

    assert [[run["taskIdentifier"] for run in each["runs"]] for each in told] == [["bill", "greet"]] * 2
    listed = await alone.until_engine_says("/api/v1/runs", lambda status, _: status == 200)
    assert {run["id"] for run in listed["data"]} == {run["id"] for each in told for run in each["runs"]}
    assert len(listed["data"]) == 4
    again = await alone.clients.post("/api/v1/events", {"name": "made", "id": "one"})
    assert [run["id"] for run in again.json()["runs"]] == [run["id"] for run in told[0]["runs"]]
    await alone.stop()
