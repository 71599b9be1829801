"""Replay: a new run of the same task with the same payload, whatever became of the old one."""

from typing import Any

import pytest

from domain.status import Status
from tests.app.harness import Engine
from tests.app.statuses import run_in, task_of

UNRESOLVED = Status.UNRESOLVED_AUTH
HELD = {Status.PENDING, Status.PENDING_VERSION, Status.WAITING_ON_CONNECTIONS, Status.INVALID_PAYLOAD}
"""Where the replay comes to the same gate."""


async def _replay(engine: Engine, run: str, body: Any = None) -> Any:
    answer = await engine.post(f"/api/v1/runs/{run}/replay", body)
    assert answer.keys() == {"id"}
    return await engine.retrieve(answer["id"])


@pytest.mark.parametrize("status", Status)
async def test_a_run_in_any_status_can_be_replayed(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)
    before = await engine.retrieve(run)

    replay = await _replay(engine, run)

    after = await engine.retrieve(run)
    assert replay["id"] != run
    assert (replay["taskIdentifier"], replay["replayOf"], replay["source"]) == (task_of(status), run, "replay")
    assert replay["status"] == (status if status in HELD else "PENDING" if status is UNRESOLVED else "QUEUED")
    assert replay["payload"] == before["payload"]
    assert after["replays"] == [replay["id"]]
    assert after | {"updatedAt": before["updatedAt"]} == before | {"replays": [replay["id"]]}


async def test_what_the_run_works_on_is_copied_and_how_it_is_run_is_not(engine: Engine) -> None:
    options: dict[str, Any] = {
        "queue": {"name": "vip"},
        "concurrencyKey": "k",
        "metadata": {"m": 1},
        "tags": ["b", "a"],
        "test": True,
        "payloadType": "text/x",
        "idempotencyKey": "once",
        "delay": "1h",
        "ttl": "5m",
        "priority": 3,
        "maxAttempts": 5,
        "maxDuration": 60,
    }
    run = await engine.trigger(payload="hello", **options)

    replay = await _replay(engine, run)

    copied = ("queue", "concurrencyKey", "metadata", "tags", "isTest", "payload", "payloadType")
    assert {name: replay.get(name) for name in copied} == {
        "queue": "vip",
        "concurrencyKey": "k",
        "metadata": {"m": 1},
        "tags": ["a", "b"],
        "isTest": True,
        "payload": "hello",
        "payloadType": "text/x",
    }
    assert replay["ttl"] == "600s", "the default of the environment"
    left = {"idempotencyKey", "delayedUntil", "priority", "maxAttempts", "maxDuration", "batchId"}
    assert left.isdisjoint(replay)


async def test_what_is_said_anew_replaces_what_was(engine: Engine) -> None:
    run = await engine.trigger(
        payload={"n": 1}, payloadType="text/x", tags=["a"], metadata={"m": 1}, concurrencyKey="k"
    )
    anew: dict[str, Any] = {
        "payload": [2],
        "metadata": {"m": 2},
        "tags": "z",
        "queue": "other",
        "concurrencyKey": 5,
        "delay": "1h",
        "ttl": 60,
        "idempotencyKey": "mine",
        "idempotencyKeyTTL": "5m",
        "maxAttempts": 2,
        "maxDuration": 9,
        "priority": 1,
    }

    replay = await _replay(engine, run, anew)

    assert {name: replay.get(name) for name in (*anew, "payloadType", "delayedUntil") if name in replay} == {
        "payload": [2],
        "payloadType": "application/json",
        "metadata": {"m": 2},
        "tags": ["z"],
        "queue": "other",
        "concurrencyKey": "5",
        "delayedUntil": "2027-01-15T09:00:00.000Z",
        "ttl": "60s",
        "idempotencyKey": "mine",
        "maxAttempts": 2,
        "maxDuration": 9,
        "priority": 1,
    }


async def test_metadata_and_tags_can_be_taken_away(engine: Engine) -> None:
    run = await engine.trigger(tags=["a"], metadata={"m": 1})

    replay = await _replay(engine, run, {"tags": [], "metadata": None})

    assert replay["tags"] == []
    assert "metadata" not in replay


@pytest.mark.parametrize("text", [b"{}", b'{"payload": null}', b'{"payload": "%b"}' % (b"x" * 40_000)])
async def test_a_payload_that_is_absent_null_or_large_stays_so(engine: Engine, text: bytes) -> None:
    run = (await engine.client.post("/api/v1/tasks/greet/trigger", content=text)).json()["id"]
    original = await engine.retrieve(run)

    replay = await _replay(engine, (await _replay(engine, run))["id"])

    assert ("payload" in replay) is ("payload" in original)
    assert replay.get("payload") == original.get("payload")
    # The read models have taken it in as well.
    assert len(await engine.listed()) == 3


async def test_a_key_makes_one_replay_of_many(engine: Engine) -> None:
    run = await engine.trigger()

    first = await engine.post(f"/api/v1/runs/{run}/replay", {"idempotencyKey": "k"})
    again = await engine.post(f"/api/v1/runs/{run}/replay", {"idempotencyKey": "k"})

    assert first == again


async def test_without_a_body_no_content_type_matters(engine: Engine) -> None:
    run = await engine.trigger()

    response = await engine.client.post(f"/api/v1/runs/{run}/replay", headers={"content-type": "application/json"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ({"tags": 5}, 400),
        ({"queue": {"name": "q"}}, 400),
        ({"maxAttempts": 0}, 422),
        ({"delay": "soon"}, 422),
        ({"tags": [""]}, 422),
        ({"metadata": 1}, 422),
    ],
)
async def test_what_cannot_be_is_refused(engine: Engine, body: Any, status: int) -> None:
    run = await engine.trigger()

    await engine.refused("POST", f"/api/v1/runs/{run}/replay", status, json=body)


async def test_a_run_that_does_not_exist_cannot_be_replayed(engine: Engine) -> None:
    environment_id = (await engine.retrieve(await engine.trigger()))["env"]["id"]

    for run in ("run_1", "writer", environment_id):
        sentence = await engine.refused("POST", f"/api/v1/runs/{run}/replay", 404)
        assert sentence == f"Run {run} not found."


async def test_a_replay_can_be_of_another_version_and_on_another_machine(engine: Engine) -> None:
    first = await engine.register({"id": "greet", "machine": "small-1x"})
    run = await engine.trigger()
    await engine.register({"id": "greet", "machine": "medium-1x"})

    as_it_was = await _replay(engine, run)
    otherwise = await _replay(engine, run, {"machine": "large-2x", "version": first})

    assert (as_it_was["machine"], "lockedToVersion" in as_it_was) == ("small-1x", False)
    assert (otherwise["machine"], otherwise["lockedToVersion"]) == ("large-2x", first)


async def test_a_replay_uses_the_latest_version_though_the_run_was_locked(engine: Engine) -> None:
    first = await engine.register({"id": "greet", "ttl": 1_000})
    run = await engine.trigger(lockToVersion=first)

    replay = await _replay(engine, run)

    assert "lockedToVersion" not in replay


async def test_a_replay_of_a_run_that_came_before_its_task_goes_into_the_queue_of_the_task(engine: Engine) -> None:
    run = await engine.trigger("late")
    await engine.register({"id": "late", "queue": {"name": "lates"}})

    replay = await _replay(engine, run)

    assert [(await engine.retrieve(run))["queue"], replay["queue"]] == ["lates", "lates"]


async def test_each_replay_is_linked_both_ways(engine: Engine) -> None:
    run = await engine.trigger()
    first, second = await _replay(engine, run), await _replay(engine, run)
    third = await _replay(engine, first["id"])

    assert (await engine.retrieve(run))["replays"] == [first["id"], second["id"]]
    assert (await engine.retrieve(first["id"]))["replays"] == [third["id"]]
    assert (third["replayOf"], second["replayOf"]) == (first["id"], run)


async def test_a_replay_of_a_debounced_run_works_on_what_came_last(engine: Engine) -> None:
    debounce = {"key": "k", "delay": "5s", "mode": "trailing"}
    run = await engine.trigger("greet", 1, debounce=debounce)
    await engine.trigger("greet", 2, debounce=debounce)

    assert (await _replay(engine, run))["payload"] == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"machine": "enormous"}, "There is no machine 'enormous'; machines are micro, small-1x, small-2x,"),
        ({"version": "v\n1"}, "A version has 1 to 128 printable characters."),
        ({"delay": "soon"}, '"soon" is neither a duration'),
        ({"queue": "q" * 129}, "A queue name has 1 to 128 printable characters."),
        ({"tags": [""]}, "A tag has 1 to 128 characters."),
    ],
)
async def test_a_replay_that_cannot_be_is_refused_and_links_nothing(engine: Engine, body: Any, sentence: str) -> None:
    run = await engine.trigger()

    assert (await engine.refused("POST", f"/api/v1/runs/{run}/replay", 422, json=body)).startswith(sentence)
    assert "replays" not in await engine.retrieve(run)
