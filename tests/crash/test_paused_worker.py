"""A worker that stands still for twice its lease, and then goes on as if nothing had happened."""

import asyncio
import signal
from typing import Any

from domain.status import Status
from tests.crash.jobs import Job, Request
from tests.crash.scenario import LEASE_MS, Scenario

SECONDS = 1.5 * LEASE_MS / 1_000


async def test_its_late_result_is_refused_once_and_another_attempt_finishes_the_run(scenario: Scenario) -> None:
    scenario.start_engine()
    paused = await scenario.start_worker()
    payload = {"n": "long", "seconds": SECONDS}
    request = Request("long", [Job("slow", payload, Status.COMPLETED, {"n": "long"})])
    await scenario.clients.ask(request)
    (run,) = request.runs
    await scenario.until_run_has(run, "AttemptStarted", 1)

    paused.signal(signal.SIGSTOP)
    await scenario.start_worker()
    await asyncio.sleep(2 * LEASE_MS / 1_000)
    await scenario.until_run_has(run, "AttemptStarted", 2)
    paused.signal(signal.SIGCONT)
    await scenario.until_run_has(run, "LateResultRefused", 1)
    events = await scenario.until_run_has(run, "AttemptSucceeded", 1)

    first, second = _of_type(events, "RunDequeued")
    assert [each["data"]["error"]["code"] for each in _of_type(events, "AttemptFailed")] == ["WORKER_LOST"]
    assert [each["data"] for each in _of_type(events, "LateResultRefused")] == [
        {"token": first["data"]["token"], "kind": "succeeded", "worker": first["data"]["worker"]}
    ]
    assert _of_type(events, "AttemptSucceeded")[0]["data"]["token"] == second["data"]["token"]
    assert first["data"]["worker"] != second["data"]["worker"]

    await scenario.finish()


def _of_type(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [each for each in events if each["type"] == name]
