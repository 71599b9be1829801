"""A run as `GET /api/v3/runs/{id}` shows it: what is there and what is left out."""

from typing import Any

import pytest

from domain.status import Status
from tests.app.harness import RETRY, START, Engine, report
from tests.app.statuses import ERROR, run_in, task_of
from tests.app.waiting import entry

REQUIRED = {
    "id": str,
    "status": str,
    "taskIdentifier": str,
    "isQueued": bool,
    "isExecuting": bool,
    "isWaiting": bool,
    "isCompleted": bool,
    "isSuccess": bool,
    "isFailed": bool,
    "isCancelled": bool,
    "isTest": bool,
    "createdAt": str,
    "updatedAt": str,
    "tags": list,
    "costInCents": int,
    "baseCostInCents": int,
    "durationMs": int,
    "depth": int,
    "triggerFunction": str,
    "relatedRuns": dict,
}
"""What the official SDK refuses to do without."""


@pytest.mark.parametrize("status", Status)
async def test_a_run_in_any_status_has_what_is_required_and_nothing_that_is_null(
    engine: Engine, status: Status
) -> None:
    run = await run_in(engine, status)

    body = await engine.retrieve(run)

    assert {name: type(body.get(name)) for name in REQUIRED} == REQUIRED
    assert list(_nulls(body)) == []
    assert (body["id"], body["taskIdentifier"], body["payload"]) == (run, task_of(status), {"for": status.value})
    assert body == await engine.get(f"/api/v1/runs/{run}")


async def test_of_a_run_that_just_came_only_what_is_known_is_told(engine: Engine) -> None:
    (run,) = [(await engine.post("/api/v1/tasks/greet/trigger", {}))["id"]]
    environment = (await engine.post("/worker/v1/register", {"tasks": [{"id": "greet"}]}))["environment"]

    body = await engine.retrieve(run)

    assert body == {
        "id": run,
        "status": "QUEUED",
        "taskIdentifier": "greet",
        "isQueued": True,
        "isExecuting": False,
        "isWaiting": False,
        "isCompleted": False,
        "isSuccess": False,
        "isFailed": False,
        "isCancelled": False,
        "isTest": False,
        "createdAt": START,
        "updatedAt": START,
        "tags": [],
        "costInCents": 0,
        "baseCostInCents": 0,
        "durationMs": 0,
        "depth": 0,
        "source": "api",
        "triggerFunction": "trigger",
        "queue": "task/greet",
        "attemptCount": 0,
        "env": {"id": environment["id"], "name": "dev"},
        "queuedAt": START,
        "ttl": "600s",
        "relatedRuns": {},
        "attempts": [],
    }


async def test_a_finished_run_tells_when_how_long_and_what_came_of_it(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger(payload=None)
    (handed,) = (await engine.turn(version))["runs"]
    await engine.advance(500)
    started_at = engine.clock.wall
    await engine.turn(version, report(handed, "started", at=started_at))
    await engine.advance(1_500)
    await engine.turn(version, report(handed, "succeeded", at=engine.clock.wall, output=[1, None], outputType="x/y"))

    body = await engine.retrieve(run)

    assert {name: body.get(name) for name in ("startedAt", "finishedAt", "durationMs", "attemptCount", "version")} == {
        "startedAt": "2027-01-15T08:00:00.500Z",
        "finishedAt": "2027-01-15T08:00:02.000Z",
        "durationMs": 1_500,
        "attemptCount": 1,
        "version": version,
    }
    assert (body["payload"], body["output"], body["outputType"]) == (None, [1, None], "x/y")
    assert "error" not in body


async def test_attempts_are_told_one_by_one_with_their_errors(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger()
    await engine.perform(version, "failed", error=ERROR)
    await engine.advance(1_000)
    await engine.perform(version, output="ok")

    body = await engine.retrieve(run)

    later = "2027-01-15T08:00:01.000Z"
    attempt = {"worker": "worker_1", "version": version}
    assert body["attempts"] == [
        {
            "id": f"{run}.1",
            "number": 1,
            "status": "FAILED",
            "error": ERROR,
            "startedAt": START,
            "finishedAt": START,
            **attempt,
        },
        {"id": f"{run}.2", "number": 2, "status": "COMPLETED", "startedAt": later, "finishedAt": later, **attempt},
    ]
    assert (body["attemptCount"], body["durationMs"]) == (2, 0)
    assert "error" not in body


async def test_a_failed_run_tells_its_error(engine: Engine) -> None:
    run = await run_in(engine, Status.FAILED)

    body = await engine.retrieve(run)

    assert body["error"] == ERROR


@pytest.mark.parametrize(
    "run", ["run_", "run_00000000000000000000000000000000", "nothing", "writer", "run_%00%FF", "env_1"]
)
@pytest.mark.parametrize(
    "path", ["/api/v3/runs/{}", "/api/v1/runs/{}", "/api/v1/runs/{}/events", "/api/v1/runs/{}/result"]
)
async def test_a_run_that_does_not_exist_is_not_found(engine: Engine, path: str, run: str) -> None:
    sentence = await engine.refused("GET", path.format(run), 404)

    assert sentence.startswith("Run ")
    assert sentence.endswith(" not found.")


async def test_the_stream_of_something_else_is_no_run(engine: Engine) -> None:
    environment = (await engine.post("/worker/v1/register", {"tasks": [{"id": "greet"}]}))["environment"]["id"]

    sentence = await engine.refused("GET", f"/api/v3/runs/{environment}", 404)

    assert sentence == f"Run {environment} not found."


def _nulls(value: Any, path: str = "$") -> Any:
    match value:
        case dict():
            for name, each in value.items():  # pyright: ignore[reportUnknownVariableType]
                yield from _nulls(each, f"{path}.{name}")
        case None:
            yield path
        case _:
            pass


ENDS = {
    Status.EXPIRED: "Run expired because the TTL (1s) was reached",
    Status.TIMED_OUT: "Run exceeded its maximum duration",
    Status.CANCELED: "Run was canceled",
}


@pytest.mark.parametrize("status", ENDS)
async def test_a_run_that_ended_without_an_error_says_why_everywhere(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    told = (await engine.retrieve(run))["error"]
    result = (await engine.get(f"/api/v1/runs/{run}/result"))["error"]
    (row, _) = (await engine.client.get(f"/realtime/v1/runs/{run}?offset=-1")).json()

    assert told == {"message": ENDS[status]}
    assert result == row["value"]["error"] == {"type": "STRING_ERROR", "raw": ENDS[status]}


async def test_a_max_duration_of_a_run_is_named_when_it_was_too_long(engine: Engine) -> None:
    run = await run_in(engine, Status.TIMED_OUT, maxDuration=5)
    await engine.advance(4_000)

    assert (await engine.retrieve(run))["error"] == {"message": "Run exceeded its maximum duration of 5s"}


async def test_the_children_that_its_code_triggered_are_told(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    children = [await engine.trigger(delay="1h", parentRunId=run) for _ in range(2)]
    other = await engine.trigger(delay="1h")
    handed = await engine.take(version)
    triggered = report(handed, "triggered", entry=entry(0, "ship"), runs=[*children, other])
    before = engine.head
    await engine.turn(version, triggered, want=0)

    now, then = await engine.retrieve(run), await engine.retrieve(run, asOf=str(before))

    assert [each["id"] for each in now["relatedRuns"]["children"]] == children
    assert "children" not in then["relatedRuns"]
