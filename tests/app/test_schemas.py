"""Payload schemas that a worker may bring: what they may not do to the engine."""

from typing import Any

import pytest

from app.schemas import PATHS_MAX, paths_of
from tests.app.harness import Engine

TREE: dict[str, Any] = {
    "$defs": {"T": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/T"}}}}},
    "$ref": "#/$defs/T",
}


def doubling(levels: int) -> dict[str, Any]:
    """A schema of a few bytes a level with twice as many ways at each."""
    parts: dict[str, Any] = {f"l{n}": {"allOf": 2 * [{"$ref": f"#/$defs/l{n + 1}"}]} for n in range(levels)}
    return {"$defs": parts | {f"l{levels}": {"type": "number"}}, "$ref": "#/$defs/l0"}


async def test_a_schema_that_no_payload_gets_through_in_time_is_refused(engine: Engine) -> None:
    body = {"tasks": [{"id": "greet", "payloadSchema": doubling(40)}]}

    sentence = await engine.refused("POST", "/worker/v1/register", 422, json=body)

    assert sentence == (
        "The payload schema of task greet refers to its own parts so often that there are more than 100000 ways"
        " through it: no payload could be checked in time."
    )


@pytest.mark.parametrize("schema", [TREE, doubling(8), {"$ref": "#"}, {"$ref": "#/$defs/a~1b", "$defs": {"a/b": True}}])
async def test_one_that_refers_to_itself_is_taken(engine: Engine, schema: dict[str, Any]) -> None:
    await engine.register({"id": "greet", "payloadSchema": schema})

    assert paths_of(schema) <= PATHS_MAX


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "https://example.com/schema"}, {"pattern": "("}])
async def test_what_is_no_schema_or_lies_elsewhere_is_refused(engine: Engine, schema: dict[str, Any]) -> None:
    body = {"tasks": [{"id": "greet", "payloadSchema": schema}]}

    sentence = await engine.refused("POST", "/worker/v1/register", 422, json=body)

    assert sentence.startswith("The payload schema of task greet cannot be used: ")
