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
    paused = scenario.start_worker()
    payload = {"n": "long", "seconds": SECONDS}
    request = Request("long", [Job("slow", payload, Status.COMPLETED, {"n": "long"})])
    await scenario.clients.ask(request)
    (run,) = request.runs
    await scenario.until_run_has(run, "AttemptStarted", 1)

    paused.signal(signal.SIGSTOP)
    scenario.start_worker()
    await asyncio.sleep(2 * LEASE_MS / 1_000)
    await scenario.until_run_has(run, "AttemptStarted", 2)
    paused.signal(signal.SIGCONT)
    events = await scenario.until_run_has(run, "LateResultRefused", 1)
    first = _of_type(events, "RunDequeued")[0]
    refused = [await _report_again(scenario, run, first["data"]["token"], sequence) for sequence in (1, 2)]
    events = await scenario.until_run_has(run, "AttemptSucceeded", 1)

    first, second = _of_type(events, "RunDequeued")
    assert [each["run"] for each in refused] == [run, run]
    assert [each["data"]["error"]["code"] for each in _of_type(events, "AttemptFailed")] == ["WORKER_LOST"]
    assert [each["data"] for each in _of_type(events, "LateResultRefused")] == [
        {"token": first["data"]["token"], "kind": "succeeded", "worker": first["data"]["worker"]}
    ]
    assert _of_type(events, "AttemptSucceeded")[0]["data"]["token"] == second["data"]["token"]
    assert first["data"]["worker"] != second["data"]["worker"]

    await scenario.finish()


async def _report_again(scenario: Scenario, run: str, token: int, sequence: int) -> dict[str, Any]:
    """The same late result from somebody else; returns its refusal."""
    report = {"run": run, "token": token, "kind": "succeeded", "at": 0, "output": "another"}
    turn = {"session": "worker_late", "sequence": sequence, "waitMs": 0, "reports": [report]}
    (refused,) = (await scenario.turn(turn)).json()["refused"]
    return dict(refused)


def _of_type(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [each for each in events if each["type"] == name]
