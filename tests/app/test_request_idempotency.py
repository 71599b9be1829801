"""The header x-trigger-request-idempotency-key: a request that is sent again is answered again and does nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from tests.app.harness import Engine, environment, running_engine

SENT = {"x-trigger-request-idempotency-key": "6f1c1f0e-0000-4000-8000-000000000001"}
HOUR_MS = 3_600_000
BATCH = {"items": [{"payload": 1}, {"payload": 2}]}


async def _trigger(engine: Engine, task: str = "greet", body: Any = None, **headers: str) -> Any:
    return await engine.post(f"/api/v1/tasks/{task}/trigger", body or {}, **(headers or SENT))


async def test_the_same_request_gets_the_same_answer_and_writes_nothing(engine: Engine) -> None:
    first = await _trigger(engine)
    before = engine.head
    again = await _trigger(engine)

    assert first == again == {"id": first["id"], "isCached": False}
    assert engine.head == before


async def test_it_is_so_when_the_run_has_ended_meanwhile(engine: Engine) -> None:
    version = await engine.register()
    first = await _trigger(engine)
    await engine.perform(version, "failed")

    again = await _trigger(engine)

    assert again == first


async def test_a_batch_gets_the_same_batch_again(engine: Engine) -> None:
    first = await engine.post("/api/v1/tasks/greet/batch", BATCH, **SENT)
    before = engine.head

    again = await engine.post("/api/v1/tasks/greet/batch", BATCH, **SENT)

    assert again == first
    assert engine.head == before
    assert len(await engine.listed()) == 2


async def test_a_batch_whose_items_all_had_runs_is_a_batch_of_its_own(engine: Engine) -> None:
    items = {"items": [{"options": {"idempotencyKey": "k"}}]}
    first = await engine.post("/api/v1/tasks/greet/batch", items)

    second = await engine.post("/api/v1/tasks/greet/batch", items, **SENT)
    again = await engine.post("/api/v1/tasks/greet/batch", items, **SENT)

    assert [run["id"] for run in second["runs"]] == [run["id"] for run in first["runs"]]
    assert second["batchId"] != first["batchId"]
    assert (again["batchId"], again["runs"][0]["id"]) == (second["batchId"], first["runs"][0]["id"])


async def test_a_replay_is_made_once(engine: Engine) -> None:
    run = await engine.trigger()

    first = await engine.post(f"/api/v1/runs/{run}/replay", **SENT)
    again = await engine.post(f"/api/v1/runs/{run}/replay", **SENT)

    assert first == again
    assert await engine.listed() == [first["id"], run]


async def test_metadata_is_changed_once(engine: Engine) -> None:
    run = await engine.trigger()
    child = await engine.trigger(parentRunId=run)

    async def count(**headers: str) -> Any:
        more = {"type": "increment", "key": "n", "value": 1}
        body = {"operations": [more], "parentOperations": [more]}
        response = await engine.client.put(f"/api/v1/runs/{child}/metadata", json=body, headers=headers)
        return response.json()["metadata"]

    first = await count(**SENT)
    before = engine.head
    again = await count(**SENT)

    assert first == again == {"n": 1}
    assert engine.head == before
    assert (await engine.retrieve(run))["metadata"] == {"n": 1}
    engine.clock.wall += HOUR_MS
    assert [await count(**SENT), await count(), await count()] == [{"n": 2}, {"n": 3}, {"n": 4}]


async def test_a_change_of_metadata_that_changed_nothing_is_not_made_later(engine: Engine) -> None:
    run = await engine.trigger(metadata={"a": 1})

    async def put(value: int, **headers: str) -> Any:
        body = {"operations": [{"type": "set", "key": "a", "value": value}]}
        response = await engine.client.put(f"/api/v1/runs/{run}/metadata", json=body, headers=headers)
        return response.json()["metadata"]

    assert [await put(1, **SENT), await put(2), await put(1, **SENT)] == [{"a": 1}, {"a": 2}, {"a": 2}]


async def test_another_task_route_or_environment_is_another_request(engine: Engine) -> None:
    other = await environment(engine, "stg")
    run = await engine.trigger()

    runs = [
        (await _trigger(engine))["id"],
        (await _trigger(engine, "wave"))["id"],
        (await _trigger(other))["id"],
        (await engine.post("/api/v1/tasks/greet/batch", {"items": [{}]}, **SENT))["runs"][0]["id"],
        (await engine.post(f"/api/v1/runs/{run}/replay", **SENT))["id"],
    ]

    assert len(set(runs)) == 5


async def test_after_an_hour_it_is_a_new_request(engine: Engine) -> None:
    first = await _trigger(engine)
    engine.clock.wall += HOUR_MS - 1
    within = await _trigger(engine)
    engine.clock.wall += 1
    behind = await _trigger(engine)

    assert within == first
    assert behind["id"] != first["id"]


async def test_a_batch_is_known_when_the_next_hour_has_begun(engine: Engine) -> None:
    engine.clock.wall += HOUR_MS // 2
    first = await engine.post("/api/v1/tasks/greet/batch", BATCH, **SENT)
    engine.clock.wall += HOUR_MS - 1

    again = await engine.post("/api/v1/tasks/greet/batch", BATCH, **SENT)

    assert again == first
    assert len(await engine.listed()) == 2


async def test_it_is_not_the_users_key(engine: Engine) -> None:
    first = await _trigger(engine, body={"options": {"idempotencyKey": "k"}})
    other_request = await _trigger(
        engine, body={"options": {"idempotencyKey": "k"}}, **{"x-trigger-request-idempotency-key": "another"}
    )

    assert other_request == {"id": first["id"], "isCached": True}


async def test_a_refused_request_may_be_mended_and_sent_again(engine: Engine) -> None:
    wrong = {"options": {"tags": [""]}}
    await engine.refused("POST", "/api/v1/tasks/greet/trigger", 422, json=wrong, headers=SENT)

    mended = await _trigger(engine)

    assert await engine.listed() == [mended["id"]]


@pytest.mark.parametrize("finished", [False, True])
async def test_another_engine_on_the_same_files_knows_the_request(tmp_path: Path, *, finished: bool) -> None:
    answers: list[Any] = []
    heads: list[int] = []
    for _ in range(2):
        ledger, views = SqliteLedger(tmp_path / "ledger.db"), SqliteReadModels(tmp_path / "views.db")
        async with running_engine(ledger, views) as engine:
            heads.append(engine.head)
            answers.append([await _trigger(engine), await engine.post("/api/v1/tasks/greet/batch", BATCH, **SENT)])
            if finished and len(answers) == 1:
                version = await engine.register()
                for _ in range(3):
                    await engine.perform(version)
            heads.append(engine.head)

    assert answers[0] == answers[1]
    assert heads[2] == heads[3], "nothing was written when the requests were sent again"


async def test_an_engine_that_cannot_read_the_last_events_knows_the_request(tmp_path: Path) -> None:
    answers: list[Any] = []
    for _ in range(2):
        ledger, views = SqliteLedger(tmp_path / "ledger.db"), SqliteReadModels(tmp_path / "views.db")
        async with running_engine(ledger, views) as engine:
            if not answers:
                await engine.trigger(idempotencyKey="k")
            answers.append(await _trigger(engine))
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
            users_key = "(select min(notification_id) from events where topic = 'KeyClaimed')"
            database.execute(f"update events set state = '{{' where notification_id = {users_key}")

    assert answers[0] == answers[1]
