"""JSON Schemas that let everything through which pydantic validates as a type.

Pydantic reads `"3"` as an int and `1` as a date, while its own schemas ask for what it writes. So here a schema keeps
the shape, and of single values only what lax reading keeps as well; and there is none where code decides what is read.
"""

from collections.abc import Iterator
from typing import Any

from runfold.schemas import DIALECT, Schema

OPAQUE = {"function-before", "function-wrap", "function-plain", "call", "arguments", "arguments-v3", "is-instance"}
"""What pydantic calls the parts of a type that may read anything at all."""
LENIENT = {"populate_by_name", "validate_by_name", "coerce_numbers_to_str", "alias_generator"}
"""Settings of models under which names or values are read that the schema does not have."""
KEPT = {"$ref", "title", "required", "additionalProperties"}
SCALAR: Schema = {"type": ["string", "number", "boolean"]}


def schema_of(adapter: Any) -> Schema | None:
    """The schema of a TypeAdapter, None where pydantic cannot say, or where code of its user decides."""
    if any(map(_is_opaque, _parts(adapter.core_schema))):
        return None
    try:
        told = adapter.json_schema(mode="validation")
    except (ValueError, TypeError, RuntimeError):  # pydantic's word for a type without a JSON form
        return None
    schema = _loosened(told)
    definitions = {name: _loosened(each) for name, each in told.get("$defs", {}).items()}
    return {"$schema": DIALECT, **schema, **({"$defs": definitions} if definitions else {})} if schema else None


def _parts(core: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in pydantic's own description of a type."""
    if isinstance(core, dict):
        yield core  # pyright: ignore[reportUnknownVariableType]  # pydantic's description is untyped
        for name, each in core.items():  # pyright: ignore[reportUnknownVariableType]
            if name not in ("metadata", "serialization"):
                yield from _parts(each)
    elif isinstance(core, list | tuple):
        for each in core:  # pyright: ignore[reportUnknownVariableType]
            yield from _parts(each)


def _is_opaque(part: dict[str, Any]) -> bool:
    return (
        part.get("type") in OPAQUE
        or any(part.get(name) for name in LENIENT)
        or "missing" in part  # an enum that reads values by itself
        or isinstance(part.get("validation_alias"), list)  # several names, or a path into the value
    )


def _loosened(told: Schema) -> Schema:
    schema = {name: value for name, value in told.items() if name in KEPT}
    for name in ("items", "additionalProperties"):
        if isinstance(inner := told.get(name), dict):
            schema[name] = _loosened(inner)  # pyright: ignore[reportUnknownArgumentType]
    if "properties" in told:
        schema["properties"] = {name: _loosened(each) for name, each in told["properties"].items()}
    if "prefixItems" in told:
        schema["prefixItems"] = [_loosened(each) for each in told["prefixItems"]]
        schema |= {name: told[name] for name in ("minItems", "maxItems") if name in told}
    if choices := told.get("anyOf") or told.get("oneOf"):
        loosened = [_loosened(each) for each in choices]
        return schema | ({"anyOf": loosened} if all(loosened) else {})
    return schema | _value(told)


def _value(told: Schema) -> Schema:
    """What is said of the value itself."""
    values = told.get("enum", [told["const"]] if "const" in told else [])
    if values:
        return {"enum": values} if all(isinstance(each, str) for each in values) else {}
    kind = told.get("type")
    if kind in ("object", "array", "null"):
        return {"type": kind}
    if kind == "string" and "format" not in told:
        return {"type": "string"}
    return SCALAR if isinstance(kind, str) else {}
