"""The schema that the engine checks payloads against refuses nothing that the worker's decoder reads."""

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runfold import Context, InvalidPayloadError, task
from runfold.codec import Types
from runfold.schemas import DIALECT
from tests.sdk.schema_types import LIKELY, TYPES, ByName, Guessing, Order, values


@cache
def types_of(name: str) -> Types[Any, Any]:
    return Types(TYPES[name])


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_what_the_decoder_reads_fits_the_schema(name: str, data: st.DataObject) -> None:
    types = types_of(name)
    value = data.draw(LIKELY.get(name, values) | values)
    schema = types.payload_schema()
    try:
        types.payload(json.dumps(value).encode())
    except InvalidPayloadError:
        return

    assert schema is None or validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order", {"city": "Riga", "count": 2, "extra": None}),
        ("tree", {"nodeName": "a", "subTrees": [{"nodeName": "b"}]}),
        ("pet", {"type": "dog", "tricks": ["sit"]}),
        ("cat", {}),
        ("box", {"value": {"value": 1}}),
        ("boxes", [{"value": 1}, {"value": "a"}]),
        ("point", [1]),
        ("color", 2),
        ("loose", {"a": "anything"}),
        ("exact", [1.5, "1.5", "00000000000000000000000000000001"]),
        ("set", [1, 1, 1]),
        ("told", "no address"),
        ("mixed", [{"name": "ada"}, {"city": "Riga"}]),
        ("account", {"name": "ada", "age": "3", "born": 0, "flags": {"a": "yes"}, "level": "2", "friends": []}),
        ("closed", {"code": "  abc  "}),
        ("by-name", {"name": "ada"}),
        ("guessing", {"number": None}),
        ("parcel", {"weight": "2"}),
    ],
)
def test_an_unlikely_value_that_the_decoder_reads_fits_too(name: str, value: Any) -> None:
    types = types_of(name)
    types.payload(json.dumps(value).encode())
    schema = types.payload_schema()

    assert schema is None or validator(schema).is_valid(value)


MISFITS: list[tuple[str, Any]] = [
    ("order", {"city": 3}),
    ("order", {}),
    ("tree", {"nodeName": "a", "subTrees": [{"nodeName": 3}]}),
    ("pet", {"type": "dog", "tricks": [], "more": 1}),
    ("cat", {"type": "dog"}),
    ("box", {"value": {"value": "a"}}),
    ("boxes", [{"value": 1}, {"value": 1}]),
    ("point", [1, 2, 3]),
    ("color", "green"),
    ("small", 3),
    ("short", "abc"),
    ("set", []),
    ("account", {"name": 3}),
    ("account", {"name": "ada", "friends": [{"name": []}]}),
    ("closed", {"code": "a", "extra": 1}),
    ("parcel", [1]),
]


@pytest.mark.parametrize(("name", "value"), MISFITS)
def test_what_the_decoder_refuses_is_mostly_refused_by_the_schema(name: str, value: Any) -> None:
    types = types_of(name)
    with pytest.raises(InvalidPayloadError):
        types.payload(json.dumps(value).encode())

    assert not validator(types.payload_schema()).is_valid(value)


def test_a_schema_reads_as_the_type() -> None:
    assert Types(Order).payload_schema() == {
        "$schema": DIALECT,
        "$ref": "#/$defs/Order",
        "$defs": {
            "Order": {
                "title": "Order",
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "count": {"type": "integer"},
                    "notes": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["city"],
            }
        },
    }


async def anything(payload: Any) -> None: ...
async def unknown(payload) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 (as users write it)
async def nothing() -> None: ...
async def by_code(payload: Guessing, ctx: Context) -> None: ...
async def by_any_name(payload: ByName) -> None: ...


UNCHECKED: list[Any] = [anything, unknown, nothing, by_code, by_any_name]


@pytest.mark.parametrize("function", UNCHECKED)
def test_a_task_that_may_read_anything_has_no_schema(function: Any) -> None:
    assert task(function).body.payload_schema is None


TELL = """
import json
import os
import subprocess
import sys
from tests.sdk.test_payload_schemas import TYPES, types_of
print(json.dumps({name: types_of(name).payload_schema() for name in TYPES}))
"""


def test_a_schema_is_the_same_in_every_process() -> None:
    """As the engine takes tasks with other schemas for another version."""
    told = {
        subprocess.run(
            [sys.executable, "-c", TELL], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(told) == 1
