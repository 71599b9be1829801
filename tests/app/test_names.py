"""Names and keys from users are data: whatever they hold, they mean themselves and nothing else."""

from typing import Any

import pytest

from tests.app.harness import Engine

PLAIN = ["*", ":", "/", "%", "a/b:c*", "..", "'", '"', "\\", "$.a", "😀", "ü\u0301", "x" * 128, " ", "null", "{}"]
"""Names that can stand anywhere."""
WILD = [*PLAIN, "\u0000", "a\u0000b", "a\nb", "\u202e", "\u2028", "x" * 512]
"""Keys may hold any character at all."""
KEYS = [*WILD, "x" * 2_048]
PAIRS = [("a:b", "a/b"), ("*", "a"), ("a", "A"), ("a", "a "), ("ü", "u\u0308"), ("%", "_"), ("a\u0000", "a")]


async def _trigger(engine: Engine, **options: Any) -> Any:
    return await engine.post("/api/v1/tasks/greet/trigger", {"options": options})


@pytest.mark.parametrize("key", KEYS, ids=ascii)
async def test_an_idempotency_key_is_found_again_and_shown_as_it_is(engine: Engine, key: str) -> None:
    first = await _trigger(engine, idempotencyKey=key)

    assert await _trigger(engine, idempotencyKey=key) == {"id": first["id"], "isCached": True}
    assert (await engine.retrieve(first["id"]))["idempotencyKey"] == key
    assert (await engine.get("/api/v1/runs"))["data"][0]["idempotencyKey"] == key


@pytest.mark.parametrize("key", WILD, ids=ascii)
async def test_a_debounce_key_is_found_again(engine: Engine, key: str) -> None:
    debounce = {"key": key, "delay": "5s"}
    first = await _trigger(engine, debounce=debounce)

    assert await _trigger(engine, debounce=debounce) == {"id": first["id"], "isCached": True}


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=ascii)
async def test_keys_that_look_alike_are_two(engine: Engine, one: str, other: str) -> None:
    runs = [await _trigger(engine, idempotencyKey=key) for key in (one, other)]
    delayed = [await _trigger(engine, debounce={"key": key, "delay": "5s"}) for key in (one, other)]

    assert len({run["id"] for run in runs + delayed}) == 4


@pytest.mark.parametrize("tag", [tag for tag in WILD if len(tag) <= 128], ids=ascii)
async def test_a_tag_is_shown_as_it_is(engine: Engine, tag: str) -> None:
    run = (await _trigger(engine, tags=[tag]))["id"]
    later = (await _trigger(engine))["id"]
    await engine.post(f"/api/v1/runs/{later}/tags", {"tags": tag})

    assert [(await engine.retrieve(each))["tags"] for each in (run, later)] == [[tag], [tag]]
    if "," not in tag:
        assert await engine.listed(**{"filter[tag]": tag}) == [later, run]


@pytest.mark.parametrize("key", KEYS, ids=ascii)
async def test_a_key_of_metadata_is_kept_as_it_is(engine: Engine, key: str) -> None:
    run = (await _trigger(engine, metadata={key: 1}))["id"]
    operations: list[dict[str, Any]] = [{"type": "update", "value": {key: 2}}]
    if not key.startswith("$."):
        operations.append({"type": "increment", "key": key, "value": 1})

    response = await engine.client.put(f"/api/v1/runs/{run}/metadata", json={"operations": operations})

    assert response.json() == {"metadata": {key: 2 if key.startswith("$.") else 3}}
    assert (await engine.retrieve(run))["metadata"] == response.json()["metadata"]
    assert (await engine.get("/api/v1/runs"))["data"][0]["metadata"] == response.json()["metadata"]


@pytest.mark.parametrize("name", PLAIN, ids=ascii)
async def test_a_queue_and_a_concurrency_key_are_what_they_are_called(engine: Engine, name: str) -> None:
    version = await engine.register({"id": "greet"}, {"id": "limited", "queue": {"name": name, "concurrencyLimit": 1}})
    runs = [(await _trigger(engine, queue={"name": name}, concurrencyKey=key))["id"] for key in (name, name, "other")]

    handed = [run["id"] for run in (await engine.turn(version, want=5))["runs"]]

    assert sorted(handed) == sorted([runs[0], runs[2]])
    found = await engine.retrieve(runs[0])
    assert (found["queue"], found["concurrencyKey"]) == (name, name)
    if "," not in name:
        assert await engine.listed(**{"filter[queue]": name}) == runs[::-1]


@pytest.mark.parametrize("option", ["queue", "concurrencyKey", "lockToVersion"])
@pytest.mark.parametrize("name", ["a\u0000b", "a\nb", "\u2028", "x" * 129])
async def test_names_that_no_list_could_show_are_refused(engine: Engine, option: str, name: str) -> None:
    value = {"name": name} if option == "queue" else name
    sentence = await engine.refused("POST", "/api/v1/tasks/greet/trigger", 422, json={"options": {option: value}})

    what = {"queue": "queue name", "concurrencyKey": "concurrency key", "lockToVersion": "version"}[option]
    assert sentence == f"A {what} has 1 to 128 printable characters."


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00\\ud800"])
@pytest.mark.parametrize(
    "options",
    ['"idempotencyKey":"{}"', '"tags":["{}"]', '"debounce":{{"key":"{}","delay":"5s"}}', '"metadata":{{"{}":1}}'],
)
async def test_half_of_a_character_is_none(engine: Engine, options: str, text: str) -> None:
    body = '{"options":{' + options.format(text) + "}}"

    sentence = await engine.refused("POST", "/api/v1/tasks/greet/trigger", 400, content=body.encode())

    assert sentence.startswith("Invalid JSON: ")
