"""What a finished run came to, and everything that ever happened to a run."""

from typing import Any

import pytest

from domain.status import FINAL, Status
from tests.app.harness import LEASE_MS, RETRY, START, Engine
from tests.app.statuses import ERROR, run_in, task_of

ENDED = [status for status in Status if status in FINAL and status is not Status.COMPLETED]
THROWN = {"type": "BUILT_IN_ERROR", **ERROR}
NEVER_STARTED = {
    "type": "BUILT_IN_ERROR",
    "name": "NeverStarted",
    "message": "The run was handed to a worker 12 times, and none said that it started; "
    "its code may have begun each time.",
    "stackTrace": "",
}
LOST = NEVER_STARTED | {"name": "WorkerLost", "message": f"Worker worker_1 was not heard of for {LEASE_MS} ms."}
MISFIT = NEVER_STARTED | {"name": "InvalidPayload", "message": '$: {"for":"INVALID_PAYLOAD"} is not of type "string"'}
ERRORS = {
    Status.FAILED: THROWN,
    Status.CRASHED: THROWN,
    Status.SYSTEM_FAILURE: NEVER_STARTED,
    Status.UNRESOLVED_AUTH: THROWN,
    Status.INTERRUPTED: LOST,
    Status.INVALID_PAYLOAD: MISFIT,
}
SENTENCES = {
    Status.EXPIRED: "Run expired because the TTL (1s) was reached",
    Status.TIMED_OUT: "Run exceeded its maximum duration",
    Status.CANCELED: "Run was canceled",
}


async def test_the_result_of_a_run_that_completed_is_its_output_as_text(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    await engine.perform(version, output={"a": [1, "x"]}, outputType="application/x+json")

    result = await engine.get(f"/api/v1/runs/{run}/result")

    assert result == {
        "ok": True,
        "id": run,
        "outputType": "application/x+json",
        "taskIdentifier": "greet",
        "output": '{"a":[1,"x"]}',
    }


@pytest.mark.parametrize("status", ENDED)
async def test_the_result_of_any_other_end_is_an_error(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    result = await engine.get(f"/api/v1/runs/{run}/result")

    told: Any = ERRORS.get(status) or {"type": "STRING_ERROR", "raw": SENTENCES[status]}
    assert result == {"ok": False, "id": run, "taskIdentifier": task_of(status), "error": told}


@pytest.mark.parametrize("status", [status for status in Status if status not in FINAL])
async def test_a_run_that_goes_on_has_no_result_yet(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    sentence = await engine.refused("GET", f"/api/v1/runs/{run}/result", 404)

    assert sentence == f"Run {run} is not finished: it is {status}."


async def test_the_history_of_a_run_says_what_when_who_and_why(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger(payload=[1], tags=["b", "a"])
    await engine.perform(version, "failed", error=ERROR)
    await engine.advance(1_000)
    await engine.perform(version, output=2)

    history = await engine.get(f"/api/v1/runs/{run}/events")

    key = history["events"][0]["actor"]
    later = "2027-01-15T08:00:01.000Z"
    failed = history["events"][3]["position"]
    error = {"message": "not today", "name": "ValueError", "stack_trace": "Traceback"}
    attempt = {"token": 2, "worker": "worker_1", "version": version}
    again = attempt | {"token": 7}
    told = [
        (START, key, "POST /api/v1/tasks/greet/trigger", "RunTriggered"),
        (START, "engine", "worker:worker_1", "RunDequeued"),
        (START, "worker:worker_1", "turn:2", "AttemptStarted"),
        (START, "worker:worker_1", "turn:3", "AttemptFailed"),
        (START, "retry", f"event:{failed}", "RetryScheduled"),
        (later, "timer", "backoff", "RunEnqueued"),
        (later, "engine", "worker:worker_1", "RunDequeued"),
        (later, "worker:worker_1", "turn:5", "AttemptStarted"),
        (later, "worker:worker_1", "turn:6", "AttemptSucceeded"),
    ]
    assert [(each["occurredAt"], each["actor"], each["cause"], each["type"]) for each in history["events"]] == told
    assert [_without_defaults(each["data"]) for each in history["events"]] == [
        {
            "task": "greet",
            "queue": "task/greet",
            "payload": [1],
            "payload_size": 3,
            "tags": ["b", "a"],
            "ttl_ms": 600_000,
        },
        attempt,
        {"number": 1} | attempt,
        {"number": 1, "token": 2, "error": error},
        {"at": engine.clock.wall},
        {"reason": "backoff"},
        again,
        {"number": 2} | again,
        {"number": 2, "token": 7, "output": 2},
    ]
    assert {each["id"] for each in history["events"]} == {run}
    assert [each["version"] for each in history["events"]] == list(range(1, 10))
    positions = [each["position"] for each in history["events"]]
    assert positions == sorted(set(positions))
    assert [each["recordedAt"] for each in history["events"]] == 5 * [START] + 4 * [later]


def _without_defaults(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value != "application/json"}


async def test_the_actor_is_the_key_and_never_the_secret(engine: Engine) -> None:
    run = await engine.trigger()

    history = await engine.client.get(f"/api/v1/runs/{run}/events")

    assert history.json()["events"][0]["actor"].startswith("key:")
    assert "tr_dev" not in history.text
