"""Options of a trigger that are refused: each with a sentence, and nothing is written."""

from typing import Any

import pytest

from tests.app.harness import Engine

TRIGGER = "/api/v1/tasks/greet/trigger"


@pytest.mark.parametrize(
    "options",
    [
        {"tags": [f"t{number}" for number in range(11)]},
        {"tags": ["x" * 129]},
        {"tags": [""]},
        {"tags": ""},
        {"delay": "soon"},
        {"delay": ""},
        {"delay": "1x"},
        {"delay": "-5m"},
        {"delay": "\uff11m"},
        {"delay": "3651d"},
        {"delay": "2099-01-01"},
        {"delay": "9" * 101 + "s"},
        {"ttl": -1},
        {"ttl": "1 h"},
        {"ttl": 10**12},
        {"idempotencyKey": ""},
        {"idempotencyKey": "k" * 2_049},
        {"idempotencyKey": "k", "idempotencyKeyOptions": {"key": "k" * 2_049}},
        {"idempotencyKey": "k", "idempotencyKeyTTL": "1h30m"},
        {"idempotencyKey": "k", "idempotencyKeyTTL": ""},
        {"maxAttempts": 0},
        {"maxAttempts": 251},
        {"maxDuration": 0.5},
        {"maxDuration": 2**31},
        {"priority": 10**10},
        {"queue": {"name": ""}},
        {"queue": {"name": "q" * 129}},
        {"queue": {"name": "a\nb"}},
        {"concurrencyKey": ""},
        {"concurrencyKey": "k" * 129},
        {"metadata": "text"},
        {"metadata": [1]},
        {"metadata": {"m": "x" * 262_144}},
        {"debounce": {"key": "", "delay": "5s"}},
        {"debounce": {"key": "k" * 513, "delay": "5s"}},
        {"debounce": {"key": "k", "delay": "2027-02-01"}},
        {"debounce": {"key": "k", "delay": "0s"}},
        {"debounce": {"key": "k", "delay": "5s", "mode": "sometimes"}},
        {"debounce": {"key": "k", "delay": "5s", "maxDelay": "5s"}},
        {"machine": "enormous"},
        {"parentRunId": "run_0"},
        {"idempotencyKey": "k", "idempotencyKeyOptions": {"onFailure": "explode"}},
        {"resumeParentOnCompletion": True},
        {"gates": [{"queue": "a"}]},
        {"concurrency": ["a"]},
    ],
    ids=lambda options: str(options)[:60],
)
async def test_what_cannot_be_is_refused_with_a_sentence(engine: Engine, options: dict[str, Any]) -> None:
    await engine.refused("POST", TRIGGER, 422, json={"options": options})


@pytest.mark.parametrize(
    "options",
    [
        [],
        "x",
        {"tags": [1]},
        {"tags": {"a": 1}},
        {"delay": 5},
        {"ttl": 1.5},
        {"maxAttempts": "5"},
        {"maxAttempts": 1.5},
        {"maxDuration": "1s"},
        {"priority": "high"},
        {"queue": "vip"},
        {"queue": {}},
        {"concurrencyKey": 1.5},
        {"idempotencyKey": 5},
        {"payloadType": ""},
        {"payloadType": "a\nb"},
        {"payloadType": "x" * 129},
        {"test": "yes"},
    ],
    ids=str,
)
async def test_what_is_of_another_type_is_refused_with_the_place(engine: Engine, options: Any) -> None:
    sentence = await engine.refused("POST", TRIGGER, 400, json={"options": options})

    assert " - at `$.options" in sentence


@pytest.mark.parametrize("task", ["t" * 129, "a%07b", "%E2%80%A8"])
async def test_the_id_of_a_task_is_short_and_printable(engine: Engine, task: str) -> None:
    sentence = await engine.refused("POST", f"/api/v1/tasks/{task}/trigger", 422, json={})

    assert sentence == "A task id has 1 to 128 printable characters."
