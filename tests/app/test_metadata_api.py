"""Metadata over the API: what operations make of it, for how long, and what is refused."""

from typing import Any

import pytest

from tests.app.harness import RETRY, Engine, environment, report, sentence_of

SET = {"type": "set", "key": "a", "value": 1}
KINDS = "there are set, delete, append, remove, increment and update."
HOUR_MS = 3_600_000


def _path(run: str) -> str:
    return f"/api/v1/runs/{run}/metadata"


async def _put(engine: Engine, run: str, **body: Any) -> Any:
    response = await engine.client.put(_path(run), json=body)
    assert response.status_code == 200, response.text
    return response.json()["metadata"]


async def _completed(engine: Engine) -> str:
    version = await engine.register()
    run = await engine.trigger()
    await engine.perform(version)
    return run


async def test_operations_follow_each_other(engine: Engine) -> None:
    run = await engine.trigger(metadata={"n": 1})

    after = await _put(
        engine,
        run,
        operations=[
            SET,
            {"type": "increment", "key": "n", "value": 2},
            {"type": "append", "key": "$.log.lines", "value": "one"},
            {"type": "set", "key": "gone"},
            {"type": "delete", "key": "gone"},
        ],
    )

    assert after == {"n": 3, "a": 1, "log": {"lines": ["one"]}}
    assert await engine.get(_path(run)) == {"metadata": after, "metadataType": "application/json"}
    assert (await engine.retrieve(run))["metadata"] == after
    assert (await engine.get("/api/v1/runs"))["data"][0]["metadata"] == after


async def test_an_object_takes_the_place_of_what_was_there(engine: Engine) -> None:
    run = await engine.trigger(metadata={"n": 1})

    assert await _put(engine, run, metadata={"m": 2}, operations=[SET]) == {"m": 2, "a": 1}
    assert await _put(engine, run, metadata={}) == {}
    assert (await engine.get(_path(run)))["metadata"] == {}


async def test_a_run_without_metadata_has_an_empty_object(engine: Engine) -> None:
    run = await engine.trigger()
    before = engine.head

    assert (await engine.get(_path(run)))["metadata"] == {}
    assert await _put(engine, run) == {}
    assert engine.head == before


async def test_a_child_changes_its_parent_and_the_root(engine: Engine) -> None:
    root = await engine.trigger()
    parent = await engine.trigger(parentRunId=root)
    child = await engine.trigger(parentRunId=parent)

    after = await _put(engine, child, operations=[SET], parentOperations=[SET | {"value": 2}], rootOperations=[SET])

    assert [after, *[(await engine.get(_path(run)))["metadata"] for run in (parent, root)]] == [
        {"a": 1},
        {"a": 2},
        {"a": 1},
    ]


async def test_metadata_can_be_changed_for_an_hour_after_the_end(engine: Engine) -> None:
    run = await _completed(engine)
    engine.clock.wall += HOUR_MS
    assert await _put(engine, run, operations=[SET]) == {"a": 1}

    engine.clock.wall += 1
    sentence = await engine.refused("PUT", _path(run), 422, json={"operations": [SET]})

    assert sentence == f"Run {run} ended more than an hour ago: its metadata cannot be changed any more."


async def test_the_next_attempt_is_told_what_the_first_one_set(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger(metadata={"n": 1})
    handed = await engine.take(version)
    await _put(engine, run, operations=[SET])
    await engine.turn(version, report(handed, "failed"), want=0)
    await engine.advance(1_000)

    assert (await engine.take(version))["metadata"] == {"n": 1, "a": 1}


async def test_metadata_that_becomes_too_large_is_refused(engine: Engine) -> None:
    run = await engine.trigger(metadata={"a": "x" * 200_000})
    more = {"type": "set", "key": "b", "value": "x" * 70_000}

    sentence = await engine.refused("PUT", _path(run), 413, json={"operations": [more]})
    whole = await engine.refused("PUT", _path(run), 413, json={"metadata": {"a": "x" * 262_144}})

    assert sentence == "The metadata would have 270015 bytes; at most 262144 are kept."
    assert whole == "The metadata would have 262152 bytes; at most 262144 are kept."


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(engine: Engine) -> None:
    run = await engine.trigger()

    sentence = await engine.refused("PUT", _path(run), 413, content=b"x" * 2_097_153)

    assert sentence == "Request body too large: at most 2097152 bytes."


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (
            {"operations": [SET | {"type": "multiply"}]},
            422,
            f"There is no operation 'multiply' on metadata; {KINDS}",
        ),
        ({"operations": [SET | {"key": "__proto__"}]}, 422, "'__proto__' is no key of metadata."),
        ({"operations": [SET | {"key": "$" + ".a" * 100_000}]}, 422, "A path has at most 200 steps."),
        ({"rootOperations": [SET | {"key": ""}]}, 422, "'' is no key of metadata."),
        ({"operations": [SET] * 1_001}, 422, "At most 1000 operations on metadata are taken at once."),
        (
            {"operations": [{"type": "increment", "key": "a", "value": 1.7e308}] * 2},
            422,
            "The operation increment would lead to a number that JSON has no place for.",
        ),
        (
            {"operations": [SET | {"key": f"$.a{number}" + "[9999]" * 50} for number in range(100)]},
            422,
            "The operations on metadata would leave 499950 places of lists empty.",
        ),
        (
            {"metadata": [1]},
            400,
            "The body is not of the right shape: Expected `object | null`, got `array` - at `$.metadata`.",
        ),
        (
            {"operations": {}},
            400,
            "The body is not of the right shape: Expected `array`, got `object` - at `$.operations`.",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    engine: Engine, body: Any, status: int, sentence: str
) -> None:
    run = await engine.trigger()

    assert await engine.refused("PUT", _path(run), status, json=body) == sentence


@pytest.mark.parametrize("levels", [200, 500, 5_000])
@pytest.mark.parametrize("field", ["metadata", "operations"])
async def test_metadata_that_is_nested_too_deeply_is_refused_and_the_engine_lives(
    engine: Engine, levels: int, field: str
) -> None:
    run = await engine.trigger()
    deep = b"[" * levels + b"]" * levels
    body = (
        b'{"metadata":{"a":' + deep + b"}}"
        if field == "metadata"
        else b'{"operations":[{"type":"set","key":"a","value":' + deep + b"}]}"
    )
    before = engine.head

    response = await engine.client.put(_path(run), content=body)

    assert response.status_code in {400, 422}
    assert "nested too deeply" in sentence_of(response)
    assert engine.head == before
    assert await _put(engine, run, operations=[SET]) == {"a": 1}


async def test_a_run_that_there_is_not_has_no_metadata(engine: Engine) -> None:
    run = await engine.trigger()
    other = await environment(engine, "stg")

    assert await engine.refused("PUT", _path("run_0"), 404, json={"operations": [SET]}) == "Run run_0 not found."
    assert await other.refused("PUT", _path(run), 404, json={"operations": [SET]}) == f"Run {run} not found."
    assert await other.refused("GET", _path(run), 404) == f"Run {run} not found."
