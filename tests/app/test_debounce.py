"""Debounce through the API: one run of many triggers, and which of them it works on."""

from typing import Any

import pytest

from tests.app.harness import Engine, environment
from tests.shown import shows_option

TRIGGER = "/api/v1/tasks/greet/trigger"


async def _trigger(engine: Engine, payload: Any = None, *, task: str = "greet", key: str = "k", **more: Any) -> Any:
    debounce = {"key": key, "delay": "5s"} | more.pop("debounce", {})
    body = {"payload": payload, "options": {"debounce": debounce} | more}
    return await engine.post(f"/api/v1/tasks/{task}/trigger", body)


@shows_option("debounce")
async def test_triggers_with_one_key_are_one_run_that_is_put_off(engine: Engine) -> None:
    first = await _trigger(engine, 1)
    await engine.advance(3_000)
    second = await _trigger(engine, 2)

    found = await engine.retrieve(first["id"])
    assert second == {"id": first["id"], "isCached": True}
    assert (found["status"], found["payload"], found["delayedUntil"]) == ("DELAYED", 1, "2027-01-15T08:00:08.000Z")
    assert await engine.listed() == [first["id"]]

    await engine.advance(5_000)
    assert (await engine.retrieve(first["id"]))["status"] == "QUEUED"


@pytest.mark.parametrize("size", [1, 100_000], ids=["small", "large"])
async def test_a_trailing_run_works_on_what_came_last(engine: Engine, size: int) -> None:
    version = await engine.register()
    trailing: dict[str, Any] = {"debounce": {"mode": "trailing"}}
    first = await _trigger(engine, "a" * size, tags=["a"], metadata={"n": 1}, **trailing)
    await _trigger(engine, "b" * size, tags=["b"], metadata={"n": 2}, **trailing)

    found = await engine.retrieve(first["id"])
    await engine.advance(5_000)
    handed = await engine.take(version)

    assert (found["payload"], found["tags"], found["metadata"]) == ("b" * size, ["b"], {"n": 2})
    assert (handed["id"], handed["payload"], handed["tags"], handed["metadata"]) == (
        first["id"],
        "b" * size,
        ["b"],
        {"n": 2},
    )
    assert await engine.listed(**{"filter[tag]": "b"}) == [first["id"]]
    assert await engine.listed(**{"filter[tag]": "a"}) == []


async def test_no_trigger_puts_a_run_off_beyond_its_max_delay(engine: Engine) -> None:
    limited: dict[str, Any] = {"debounce": {"maxDelay": "8s"}}
    first = await _trigger(engine, **limited)
    for _ in range(3):
        await engine.advance(2_000)
        await _trigger(engine, **limited)

    assert (await engine.retrieve(first["id"]))["delayedUntil"] == "2027-01-15T08:00:08.000Z"


async def test_a_run_that_is_queued_is_not_put_off_any_more(engine: Engine) -> None:
    first = await _trigger(engine)
    await engine.advance(5_000)

    second = await _trigger(engine)

    assert second["isCached"] is False
    assert second["id"] != first["id"]


async def test_a_key_belongs_to_one_task_of_one_environment(engine: Engine) -> None:
    other = await environment(engine, "stg")

    runs = [await _trigger(engine), await _trigger(engine, task="wave"), await _trigger(other)]

    assert [run["isCached"] for run in runs] == [False] * 3


async def test_an_idempotency_key_beats_a_debounce_key(engine: Engine) -> None:
    first = await _trigger(engine, idempotencyKey="i")
    before = engine.head

    assert await _trigger(engine, idempotencyKey="i") == {"id": first["id"], "isCached": True}
    assert engine.head == before


async def test_triggers_before_the_version_comes_are_one_run(engine: Engine) -> None:
    first = await _trigger(engine, 1, task="late", debounce={"mode": "trailing"})
    second = await _trigger(engine, 2, task="late", debounce={"mode": "trailing"})
    version = await engine.register({"id": "late"})
    await engine.advance(5_000)

    handed = await engine.take(version)

    assert second == {"id": first["id"], "isCached": True}
    assert (handed["id"], handed["payload"]) == (first["id"], 2)


async def test_a_payload_that_does_not_fit_leaves_the_delayed_run_as_it_is(engine: Engine) -> None:
    await engine.register({"id": "greet", "payloadSchema": {"type": "integer"}})
    first = await _trigger(engine, 1, debounce={"mode": "trailing"})

    refused = await _trigger(engine, "one", debounce={"mode": "trailing"})

    assert (await engine.retrieve(refused["id"]))["status"] == "INVALID_PAYLOAD"
    assert (await engine.retrieve(first["id"]))["payload"] == 1
    assert (await _trigger(engine, 3))["id"] == first["id"]


async def test_the_items_of_a_batch_are_put_off_as_single_triggers_are(engine: Engine) -> None:
    options = {"debounce": {"key": "k", "delay": "5s"}}
    batch = await engine.post("/api/v1/tasks/greet/batch", {"items": [{"options": options}, {"options": options}]})

    one, other = batch["runs"]
    assert (one["id"], one["isCached"], other["isCached"]) == (other["id"], False, True)
