"""Payloads and outputs: every JSON value comes back as it went in, and what is no JSON stays out."""

import json
from typing import Any

import httpx
import pytest

from tests.app.harness import Engine

TRIGGER = "/api/v1/tasks/greet/trigger"
PAYLOAD_MAX = 3_145_728
OUTPUT_MAX = 10_485_760
BLOB = 32_768
NESTING_MAX = 200


async def _send(engine: Engine, payload: bytes) -> httpx.Response:
    return await engine.client.post(TRIGGER, content=b'{"payload":' + payload + b"}")


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "",
        "text",
        0,
        -1.5,
        1e308,
        10**30,
        False,
        {},
        [],
        {"a": [{"b": {"c": [1, None, "x"]}}]},
        'Grüße, 世界 🌍 \u0000 \u2028 "\\/\b',
        {"ключ": "значение", "": "an empty name"},
    ],
    ids=lambda payload: ascii(payload)[:40],
)
async def test_any_json_value_reaches_the_worker_and_the_reader(engine: Engine, payload: Any) -> None:
    version = await engine.register()
    run = await engine.trigger(payload=payload)
    handed = await engine.perform(version, output=payload)

    body = await engine.retrieve(run)
    result = await engine.get(f"/api/v1/runs/{run}/result")

    assert (handed["payload"], body["payload"], body["output"]) == (payload, payload, payload)
    assert json.loads(result["output"]) == payload


async def test_a_payload_may_be_absent(engine: Engine) -> None:
    version = await engine.register()
    run = (await engine.post(TRIGGER, {}))["id"]
    handed = await engine.perform(version)

    body = await engine.retrieve(run)

    assert {"payload", "output"}.isdisjoint(handed.keys() | body.keys())
    assert "output" not in await engine.get(f"/api/v1/runs/{run}/result")


async def test_the_last_of_two_equal_names_counts_as_for_every_reader(engine: Engine) -> None:
    response = await _send(engine, b'{"a": 1, "a": 2}')

    assert (await engine.retrieve(response.json()["id"]))["payload"] == {"a": 2}


async def test_the_text_of_a_payload_is_kept_to_the_byte(engine: Engine) -> None:
    text = '{ "n": 1.0, "big": 123456789012345678901234567890, "e": "\\u00e9é" }'
    response = await _send(engine, text.encode())

    answer = (await engine.client.get(f"/api/v3/runs/{response.json()['id']}")).text

    assert f'"payload":{text},' in answer


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"NaN",
        b"Infinity",
        b"01",
        b"1.",
        b"tru",
        b"[1,]",
        b"{1: 2}",
        b"'x'",
        b'"\x01"',
        b'"\\x"',
        b'"\\ud800"',
        b'"\\udc00 \\ud800"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'{"\xc3": 1}',
        b"1} x",
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 100_000,
    ],
    ids=lambda payload: ascii(payload[:20]),
)
async def test_what_is_no_json_is_refused(engine: Engine, payload: bytes) -> None:
    sentence = await engine.refused("POST", TRIGGER, 400, content=b'{"payload":' + payload + b"}")

    assert sentence.startswith("Invalid JSON: ")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"1", b'"x"', b"\xef\xbb\xbf{}", b"a=1", "{}".encode("utf-16")])
async def test_a_body_that_is_no_object_is_refused(engine: Engine, body: bytes) -> None:
    await engine.refused("POST", TRIGGER, 400, content=body)


@pytest.mark.parametrize("number", [b"1e400", b"-1e999", b'{"deep": [1E+400]}'])
@pytest.mark.parametrize("place", [b'{"payload":%b}', b'{"options":{"metadata":{"m":%b}}}'])
async def test_a_number_that_readers_cannot_hold_is_refused(engine: Engine, place: bytes, number: bytes) -> None:
    sentence = await engine.refused("POST", TRIGGER, 422, content=place % number)

    assert "cannot be read everywhere: Number out of range" in sentence


@pytest.mark.parametrize("wide", [b"", b'[],{},"[[[", "\\"[\\\\",' * 200])
async def test_a_payload_may_be_nested_two_hundred_levels_deep(engine: Engine, wide: bytes) -> None:
    def nested(levels: int) -> bytes:
        return b"[" + wide + b"[" * (levels - 1) + b"]" * levels

    accepted = await _send(engine, nested(NESTING_MAX))

    assert (await engine.retrieve(accepted.json()["id"]))["payload"] == json.loads(nested(NESTING_MAX))
    sentence = await engine.refused("POST", TRIGGER, 422, content=b'{"payload":' + nested(NESTING_MAX + 1) + b"}")
    assert sentence == "The payload is nested too deeply: more than 200 levels."


@pytest.mark.parametrize("size", [BLOB, BLOB + 1, PAYLOAD_MAX])
async def test_a_large_value_comes_back_whole(engine: Engine, size: int) -> None:
    value = "x" * (size - 2)
    version = await engine.register()
    run = await engine.trigger(payload=value)
    handed = await engine.perform(version, output=value)

    body = await engine.retrieve(run)

    assert handed["payload"] == body["payload"] == body["output"] == value
    assert json.loads((await engine.get(f"/api/v1/runs/{run}/result"))["output"]) == value


async def test_only_the_hash_of_a_large_value_is_in_the_event(engine: Engine) -> None:
    run = await engine.trigger(payload="x" * BLOB)

    (triggered,) = (await engine.get(f"/api/v1/runs/{run}/events"))["events"]

    assert triggered["data"]["payload_blob"]["size"] == BLOB + 2
    assert "payload" not in triggered["data"]


async def test_three_mebibytes_are_the_limit_of_a_payload(engine: Engine) -> None:
    exactly = await _send(engine, b'"%b"' % (b"x" * (PAYLOAD_MAX - 2)))

    assert exactly.status_code == 200
    sentence = await engine.refused("POST", TRIGGER, 422, json={"payload": "x" * (PAYLOAD_MAX - 1)})
    assert sentence == f"The payload has {PAYLOAD_MAX + 1} bytes; at most {PAYLOAD_MAX} are taken."


async def test_a_body_that_is_much_larger_is_not_read_to_its_end(engine: Engine) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    sentence = await engine.refused("POST", TRIGGER, 413, content=endless())
    announced = await engine.refused("POST", TRIGGER, 413, headers={"content-length": "9999999"}, content=b"{}")

    assert sentence == announced == f"Request body too large: at most {PAYLOAD_MAX + 524_288} bytes."
    assert sent <= PAYLOAD_MAX + 524_288 + 2 * 65_536


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ('"%s"' % ("x" * (OUTPUT_MAX - 1)), f"The output has {OUTPUT_MAX + 1} bytes; at most {OUTPUT_MAX} are taken."),
        ("1e400", "The output cannot be read everywhere: Number out of range."),
        ("[" * 201 + "]" * 201, "The output is nested too deeply: more than 200 levels."),
    ],
    ids=["too large", "number", "nested"],
)
async def test_an_output_that_cannot_be_taken_fails_the_run_at_once(engine: Engine, output: str, reason: str) -> None:
    version = await engine.register({"id": "greet", "retry": {"maxAttempts": 3}})
    run = await engine.trigger()
    handed = await engine.take(version)
    said = f'{{"run":"{run}","token":{handed["token"]},"kind":"succeeded","at":1,"output":{output}}}'
    turn = f'{{"session":"worker_1","version":"{version}","sequence":9,"reports":[{said}]}}'

    response = await engine.client.post("/worker/v1/turn", content=turn)

    body = await engine.retrieve(run)
    assert response.json()["refused"] == []
    assert (body["status"], body["error"]) == ("FAILED", {"name": "InvalidOutput", "message": reason})


async def test_an_output_of_ten_mebibytes_is_taken(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    await engine.perform(version, output="x" * (OUTPUT_MAX - 2))

    assert len((await engine.retrieve(run))["output"]) == OUTPUT_MAX - 2
