"""Idempotency keys: which triggers make a run, and which are answered with the one there is."""

import asyncio
from typing import Any

import pytest

from domain.status import Status
from tests.app.harness import Engine, environment
from tests.app.statuses import run_in, task_of
from tests.shown import shows_option

DAY_MS = 86_400_000
KEPT = {status for status in Status if status not in {
    Status.FAILED, Status.CRASHED, Status.TIMED_OUT, Status.SYSTEM_FAILURE, Status.EXPIRED, Status.INTERRUPTED,
    Status.INVALID_PAYLOAD, Status.UNRESOLVED_AUTH,
}}  # fmt: skip


async def _trigger(engine: Engine, task: str = "greet", **options: Any) -> Any:
    return await engine.post(f"/api/v1/tasks/{task}/trigger", {"options": options})


@shows_option("idempotencyKey")
async def test_the_same_key_is_answered_with_the_same_run(engine: Engine) -> None:
    first = await engine.post("/api/v1/tasks/greet/trigger", {"payload": 1, "options": {"idempotencyKey": "k"}})
    again = await engine.post("/api/v1/tasks/greet/trigger", {"payload": 2, "options": {"idempotencyKey": "k"}})

    assert (first, again) == ({"id": first["id"], "isCached": False}, {"id": first["id"], "isCached": True})
    assert (await engine.retrieve(first["id"]))["payload"] == 1
    assert await engine.listed() == [first["id"]]


async def test_a_cached_answer_writes_nothing(engine: Engine) -> None:
    await _trigger(engine, idempotencyKey="k")
    before = engine.head

    await _trigger(engine, idempotencyKey="k")

    assert engine.head == before


async def test_a_key_belongs_to_one_task_of_one_environment(engine: Engine) -> None:
    other = await environment(engine, "stg")

    runs = [
        await _trigger(engine, idempotencyKey="k"),
        await _trigger(engine, "wave", idempotencyKey="k"),
        await _trigger(other, idempotencyKey="k"),
    ]

    assert [run["isCached"] for run in runs] == [False, False, False]
    assert len({run["id"] for run in runs}) == 3


@shows_option("idempotencyKeyTTL")
@pytest.mark.parametrize(("ttl", "lasts_ms"), [("60s", 60_000), ("5m", 300_000), (None, 30 * DAY_MS)])
async def test_a_key_ends_with_its_ttl(engine: Engine, ttl: str | None, lasts_ms: int) -> None:
    first = await _trigger(engine, idempotencyKey="k", ttl=0, **({"idempotencyKeyTTL": ttl} if ttl else {}))
    # The run must not expire, nor the clock creep: days pass at once, as for an engine that was asleep.
    engine.clock.wall += lasts_ms - 1
    within = await _trigger(engine, idempotencyKey="k")
    engine.clock.wall += 1
    behind = await _trigger(engine, idempotencyKey="k")

    assert within == {"id": first["id"], "isCached": True}
    assert behind["isCached"] is False
    assert behind["id"] != first["id"]


@pytest.mark.parametrize("status", Status)
async def test_runs_that_failed_free_their_key_and_all_others_keep_it(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status, idempotencyKey="k")

    again = await _trigger(engine, task_of(status), idempotencyKey="k")

    assert again["isCached"] is (status in KEPT)
    assert (again["id"] == run) is (status in KEPT)


async def test_a_freed_key_stands_for_the_new_run(engine: Engine) -> None:
    await run_in(engine, Status.FAILED, idempotencyKey="k")
    second = await _trigger(engine, task_of(Status.FAILED), idempotencyKey="k")

    third = await _trigger(engine, task_of(Status.FAILED), idempotencyKey="k")

    assert third == {"id": second["id"], "isCached": True}


async def test_the_headers_do_what_the_fields_do_and_win(engine: Engine) -> None:
    headers = {"idempotency-key": "h", "idempotency-key-ttl": "60s"}
    body = {"options": {"idempotencyKey": "b", "idempotencyKeyTTL": "5m"}}
    first = await engine.post("/api/v1/tasks/greet/trigger", body, **headers)

    by_header = await engine.post("/api/v1/tasks/greet/trigger", {}, **{"idempotency-key": "h"})
    by_field = await _trigger(engine, idempotencyKey="h")
    by_the_loser = await _trigger(engine, idempotencyKey="b")
    engine.clock.wall += 60_000
    later = await engine.post("/api/v1/tasks/greet/trigger", {}, **{"idempotency-key": "h"})

    assert (by_header, by_field) == ({"id": first["id"], "isCached": True}, {"id": first["id"], "isCached": True})
    assert [by_the_loser["isCached"], later["isCached"]] == [False, False]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"idempotency-key": ""}, 422),
        ({"idempotency-key": "k" * 2_049}, 422),
        ({"idempotency-key": "k", "idempotency-key-ttl": "1w"}, 422),
        ({"idempotency-key-ttl": "5m"}, 400),
    ],
)
async def test_headers_that_cannot_be_are_refused(engine: Engine, headers: dict[str, str], status: int) -> None:
    await engine.refused("POST", "/api/v1/tasks/greet/trigger", status, json={}, headers=headers)


@shows_option("idempotencyKeyOptions")
async def test_the_run_shows_the_key_as_its_user_wrote_it(engine: Engine) -> None:
    plain = await _trigger(engine, idempotencyKey="0123")
    named = await _trigger(engine, idempotencyKey="4567", idempotencyKeyOptions={"key": "order-17", "scope": "global"})

    assert (await engine.retrieve(plain["id"]))["idempotencyKey"] == "0123"
    assert (await engine.retrieve(named["id"]))["idempotencyKey"] == "order-17"


async def test_triggers_that_arrive_together_make_one_run(engine: Engine) -> None:
    commands = [_trigger(engine, idempotencyKey="k") for _ in range(20)]

    answers = await asyncio.gather(*commands)

    assert len({answer["id"] for answer in answers}) == 1
    assert sorted(answer["isCached"] for answer in answers) == [False] + 19 * [True]


@pytest.mark.parametrize("status", sorted(set(Status) - KEPT))
async def test_a_key_that_keeps_failed_runs_is_answered_with_the_failed_one(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status, idempotencyKey="k", idempotencyKeyOptions={"onFailure": "return"})
    before = engine.head

    again = await _trigger(engine, task_of(status), idempotencyKey="k")

    assert again == {"id": run, "isCached": True}
    assert engine.head == before


async def test_a_key_that_is_to_be_freed_says_what_is_so_anyway(engine: Engine) -> None:
    run = await run_in(engine, Status.FAILED, idempotencyKey="k", idempotencyKeyOptions={"onFailure": "free"})

    again = await _trigger(engine, task_of(Status.FAILED), idempotencyKey="k")

    assert (again["isCached"], again["id"] == run) == (False, False)


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [
        (b'{"a": 1, "b": [1.5]}', b'{"b":[1.5],"a":1}', None),
        (b'{"a":1}', b'{"a":2}', "true"),
        (b'{"a":1}', b'{"a":true}', "true"),
        (b"1", b'"1"', "true"),
        (b"null", b"1", "true"),
        (b'"' + b"x" * 100_000 + b'"', b'"' + b"x" * 100_001 + b'"', "true"),
    ],
    ids=["the same, written otherwise", "a value", "a type", "a text", "nothing", "a large one"],
)
async def test_the_same_key_with_another_payload_is_told_and_makes_no_second_run(
    engine: Engine, first: bytes, second: bytes, differs: str | None
) -> None:
    path, options = "/api/v1/tasks/greet/trigger", b',"options":{"idempotencyKey":"k"}}'
    before = await engine.client.post(path, content=b'{"payload":' + first + options)
    after = await engine.client.post(path, content=b'{"payload":' + second + options)

    assert "x-runfold-payload-differs" not in before.headers
    assert after.headers.get("x-runfold-payload-differs") == differs
    assert after.json() == {"id": before.json()["id"], "isCached": True}


async def test_an_item_of_a_batch_with_another_payload_is_told_too(engine: Engine) -> None:
    items = [{"payload": number, "options": {"idempotencyKey": "k"}} for number in (1, 2)]

    response = await engine.client.post("/api/v1/tasks/greet/batch", json={"items": items})

    assert response.headers["x-runfold-payload-differs"] == "true"
    assert len({run["id"] for run in response.json()["runs"]}) == 1


async def test_a_reset_key_stands_for_nothing(engine: Engine) -> None:
    first = await _trigger(engine, idempotencyKey="a/b")
    reset = await engine.post("/api/v1/idempotencyKeys/a%2Fb/reset", {"taskIdentifier": "greet"})
    second = await _trigger(engine, idempotencyKey="a/b")

    assert reset == {"id": "a/b"}
    assert second["isCached"] is False
    assert second["id"] != first["id"]


async def test_a_key_that_no_run_has_cannot_be_reset(engine: Engine) -> None:
    await _trigger(engine, idempotencyKey="k", idempotencyKeyTTL="1s")
    reset, body = "/api/v1/idempotencyKeys/{}/reset", {"taskIdentifier": "greet"}

    unknown = await engine.refused("POST", reset.format("other"), 404, json=body)
    of_another_task = await engine.refused("POST", reset.format("k"), 404, json={"taskIdentifier": "wave"})
    engine.clock.wall += 1_000
    expired = await engine.refused("POST", reset.format("k"), 404, json=body)

    assert {unknown, of_another_task, expired} == {"No run has this idempotency key."}
