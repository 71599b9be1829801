"""Batches, HTTP jobs, executions, ticks, logs, named events, deployments and single tokens as they were."""

from typing import Any

import pytest

from app.history import executions_then
from domain.durations import iso
from tests.app.calling import EXECUTIONS, JOBS, save, start
from tests.app.harness import Engine, report

BATCH = {"items": [{"task": "greet"}, {"task": "greet"}]}
FOUND = {"status": "SUCCESS", "latencyMs": 7, "statusCode": 200}
URL = "https://example.com/"
TOKENS = "/api/v1/waitpoints/tokens"


async def made_batch(engine: Engine) -> str:
    return str((await engine.post("/api/v1/tasks/batch", BATCH))["id"])


async def execute(engine: Engine) -> None:
    """Let an execution that waits succeed, by an executor that is played by this test."""
    executor = Engine(engine.service, engine.clock, engine.client, "worker_http")
    executor.sequence = engine.head
    (handed,) = (await executor.turn("builtin", want=1))["runs"]
    said = [report(handed, "started"), report(handed, "succeeded", output=FOUND)]
    assert (await executor.turn("builtin", *said, want=0))["refused"] == []


async def test_a_batch_its_list_and_its_results_are_those_of_the_moment(engine: Engine) -> None:
    version = await engine.register()
    batch = await made_batch(engine)
    await engine.perform(version)
    paths = (f"/api/v1/batches/{batch}", f"/api/v2/batches/{batch}", f"/api/v1/batches/{batch}/results")
    lists: tuple[dict[str, str], ...] = ({}, {"filter[status]": "PROCESSING"}, {"filter[status]": "COMPLETED"})
    before, position = [await engine.get(path) for path in paths], engine.head
    listed = [await engine.get("/api/v1/batches", **query) for query in lists]
    await engine.advance(1_000)
    await engine.perform(version)

    assert (await engine.get(paths[0]))["status"] == "COMPLETED"
    assert [await engine.get(path, asOf=position) for path in paths] == before
    assert [await engine.get("/api/v1/batches", asOf=position, **query) for query in lists] == listed
    assert [len(each["data"]) for each in listed] == [1, 1, 0]
    sentence = await engine.refused("GET", f"{paths[0]}?asOf=1", 404)
    assert sentence == f"Batch {batch} did not exist yet."
    assert (await engine.get("/api/v1/batches", asOf=1))["data"] == []


async def test_an_execution_and_its_lists_are_those_of_the_moment(engine: Engine) -> None:
    job = await save(engine, URL)
    execution = await start(engine, job)
    of_job, one = f"{JOBS}/{job['id']}/executions", f"{EXECUTIONS}/{execution}"
    queries: tuple[dict[str, str], ...] = (
        {},
        {"status": "queued"},
        {"status": "succeeded"},
        {"job_name": "ping"},
        {"sort": "created_at", "order": "asc", "offset": "1"},
        {"sort": "created_at"},
    )
    before, position = [await engine.get(path) for path in (one, of_job)], engine.head
    listed = [await engine.get(EXECUTIONS, **query) for query in queries]
    await engine.advance(1_000)
    await engine.client.patch(f"{JOBS}/{job['id']}", json={"name": "pong"})
    await execute(engine)
    await start(engine, job)

    assert (await engine.get(one))["status"] == "succeeded"
    assert await engine.get(EXECUTIONS, job_name="ping") != listed[3]
    assert [await engine.get(path, asOf=position) for path in (one, of_job)] == before
    assert [await engine.get(EXECUTIONS, asOf=position, **query) for query in queries] == listed
    assert [len(each["data"]) for each in listed] == [1, 1, 0, 1, 0, 1]
    assert await engine.refused("GET", f"{one}?asOf=1", 404) == f"Execution {execution} did not exist yet."
    assert await engine.refused("GET", f"{of_job}?asOf=1", 404) == f"Job {job['id']} did not exist yet."
    assert "asOf is a position of the ledger" in await engine.refused("GET", f"{EXECUTIONS}?asOf=x", 400)


async def test_a_page_of_executions_that_is_given_up_says_where_to_go_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions_then, "LOOKED_MAX", 4)
    monkeypatch.setattr(executions_then, "WINDOW_MAX", 2)
    job = await save(engine, URL)
    done = await start(engine, job)
    await execute(engine)
    for _ in range(9):
        await start(engine, job)
    query: dict[str, Any] = {"status": "succeeded", "limit": 2, "asOf": engine.head}

    pages = [await engine.get(EXECUTIONS, **query)]
    while cursor := pages[-1]["pagination"]["next_cursor"]:
        pages.append(await engine.get(EXECUTIONS, **query, cursor=cursor))

    assert [[each["id"] for each in page["data"]] for page in pages] == [[], [], [done]]
    assert [page["pagination"]["has_more"] for page in pages] == [True, True, False]
    said = await engine.refused("GET", EXECUTIONS, 422, params=query | {"offset": 1})
    assert said.endswith("Leave the offset out and follow next_cursor.")


async def test_ticks_are_accounted_for_as_they_were(engine: Engine) -> None:
    schedule = (await engine.post("/api/v1/schedules", {"task": "greet", "every": 1}))["id"]
    path = f"/api/v1/schedules/{schedule}"
    await engine.advance(150_000)
    before, position = await engine.get(f"{path}/ticks"), engine.head
    wall = engine.clock.wall
    span = {"from": str(wall - 60_000), "to": str(wall + 600_000)}
    ahead = await engine.get(f"{path}/ticks", **span)
    await engine.post(f"{path}/deactivate")
    await engine.advance(150_000)
    await engine.put(path, {"task": "greet", "every": 5})

    assert await engine.get(f"{path}/ticks") != before
    assert [tick["fate"] for tick in before["ticks"]] == ["FIRED", "FIRED"]
    assert await engine.get(f"{path}/ticks", asOf=wall) == before
    assert await engine.get(f"{path}/ticks", asOf=wall, **span) == ahead
    told = await engine.get(f"{path}/ticks", asOf=position)
    assert told["ticks"] == before["ticks"]
    assert await engine.refused("GET", f"{path}/ticks?asOf=1", 404) == f"Schedule {schedule} did not exist yet."


async def test_a_log_has_the_lines_that_there_were(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)
    path = f"/api/v1/runs/{handed['id']}/logs"

    def said(message: str, first: int) -> dict[str, Any]:
        lines = [{"at": engine.clock.wall, "level": "info", "message": message}]
        return report(handed, "logged", lines=lines, first=first)

    await engine.turn(version, said("one", 0), want=0)
    before, position = await engine.get(path), engine.head
    await engine.turn(version, said("two", 1), want=0)

    assert [line["message"] for line in (await engine.get(path))["lines"]] == ["one", "two"]
    assert await engine.get(path, asOf=position) == before
    assert (await engine.get(path, asOf=position - 1))["lines"] == []


async def test_a_named_event_and_its_list_are_those_of_the_moment(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "event": {"name": "paid"}})
    await engine.post("/api/v1/events", {"event": {"name": "paid", "id": "e"}, "options": {"deliverAfter": 5}})
    waiting = [await engine.get(path) for path in ("/api/v1/events/e", "/api/v1/events")], engine.head
    await engine.advance(5_000)
    head, delivered = engine.head, await engine.get("/api/v1/events/e")
    while delivered["status"] == "PENDING":
        await engine.service.loop.feed.grown(head)
        head, delivered = engine.head, await engine.get("/api/v1/events/e")
    position = engine.head
    await engine.perform(version)

    paths = ("/api/v1/events/e", "/api/v1/events")
    assert [await engine.get(path, asOf=waiting[1]) for path in paths] == waiting[0]
    assert await engine.get("/api/v1/events/e", asOf=position) == delivered
    assert (await engine.get("/api/v1/events/e"))["runs"][0]["status"] == "COMPLETED"
    assert (await engine.get("/api/v1/events", asOf=1))["data"] == []
    assert await engine.refused("GET", "/api/v1/events/e?asOf=1", 404) == "Event e did not exist yet."


async def test_deployments_are_those_of_the_moment(engine: Engine) -> None:
    paths = ("", "/current", "/latest", "/20270115.1", "?period=1h")
    before, position = [await engine.get(f"/api/v1/deployments{path}") for path in paths], engine.head
    await engine.advance(1_000)
    await engine.register({"id": "other"})

    assert await engine.get("/api/v1/deployments/current") != before[1]
    assert [
        await engine.get("/api/v1/deployments" + path.partition("?")[0], asOf=position, **_query(path))
        for path in paths
    ] == before
    assert (await engine.get("/api/v1/deployments", asOf=1))["data"] == []
    sentence = await engine.refused("GET", "/api/v1/deployments/current?asOf=1", 404)
    assert sentence == "No deployment of this environment was promoted yet."


def _query(path: str) -> dict[str, str]:
    _, _, query = path.partition("?")
    return dict([query.split("=")]) if query else {}


async def test_a_job_and_its_list_are_those_of_the_moment(engine: Engine) -> None:
    job = await save(engine, URL, kind="recurring", schedule={"every_n_minutes": 5})
    other = await save(engine, URL, name="pong")
    queries: tuple[dict[str, str], ...] = ({}, {"state": "active"}, {"state": "paused"}, {"limit": "1", "offset": "1"})
    one = f"{JOBS}/{job['id']}"
    before, position = await engine.get(one), engine.head
    listed = [await engine.get(JOBS, **query) for query in queries]
    await engine.advance(301_000)
    await engine.client.patch(one, json={"name": "other", "schedule": {"every_n_minutes": 7}})
    await engine.post(f"{one}/pause")
    paused, then = await engine.get(one), engine.head
    await engine.client.delete(one)

    assert (await engine.get(one, asOf=position), await engine.get(one, asOf=then)) == (before, paused)
    assert [(each["name"], each["state"]) for each in (before, paused)] == [("ping", "active"), ("other", "paused")]
    assert (before["next_run_at"], paused["next_run_at"]) == (iso(engine.clock.wall - 1_000), None)
    assert [await engine.get(JOBS, asOf=position, **query) for query in queries] == listed
    assert [[each["id"] for each in page["data"]] for page in listed] == [
        [other["id"], job["id"]],
        [other["id"], job["id"]],
        [],
        [job["id"]],
    ]
    assert await engine.refused("GET", f"{one}?asOf=1", 404) == f"Job {job['id']} did not exist yet."
    assert await engine.refused("GET", f"{one}?asOf={engine.head}", 404) == f"Job {job['id']} was deleted by then."
    assert (await engine.get(JOBS, asOf=1))["data"] == []


async def test_a_token_is_the_one_of_the_moment(engine: Engine) -> None:
    token = (await engine.post(TOKENS, {"tags": ["a"]}))["id"]
    one = f"{TOKENS}/{token}"
    before, position = await engine.get(one), engine.head
    await engine.post(f"{one}/complete", {"data": {"approved": True}})

    assert (await engine.get(one))["output"] == '{"approved":true}'
    assert await engine.get(one, asOf=position) == before
    assert before["status"] == "WAITING"
    assert await engine.refused("GET", f"{one}?asOf=1", 404) == f"Token {token} did not exist yet."
