"""JSON Schemas that let everything through which msgspec decodes as a type.

A schema that is stricter than the decoder would refuse good payloads, so this one leaves out what the two might see
differently: formats, patterns, multiples, and everything about types that a hook reads.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

PLAIN: dict[type[inspect.Type], Schema] = {
    inspect.NoneType: {"type": "null"},
    inspect.BoolType: {"type": "boolean"},
    inspect.DecimalType: {"type": ["string", "number"]},
    inspect.BytesType: {"type": "string"},
    inspect.ByteArrayType: {"type": "string"},
    inspect.MemoryViewType: {"type": "string"},
    inspect.DateTimeType: {"type": "string"},
    inspect.TimeType: {"type": "string"},
    inspect.DateType: {"type": "string"},
    inspect.TimeDeltaType: {"type": "string"},
    inspect.UUIDType: {"type": "string"},
}


def schema_of(type_: Any) -> Schema | None:
    """The schema, None where it could refuse nothing."""
    made = _Schemas()
    root = made.of(inspect.type_info(type_))
    if not root:
        return None
    return {"$schema": DIALECT, **root, **({"$defs": made.definitions} if made.definitions else {})}


class _Schemas:
    """Types with a name are defined once and referred to, as they may contain themselves."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._names: dict[int, str] = {}

    def of(self, info: inspect.Type) -> Schema:
        """An empty schema for what is read by other code than msgspec's."""
        match info:
            case inspect.Metadata(type=inner):
                return self.of(inner)
            case inspect.IntType() | inspect.FloatType():
                return {"type": "integer" if isinstance(info, inspect.IntType) else "number", **_range(info)}
            case inspect.StrType():
                return {"type": "string", **_sizes("Length", info.min_length, info.max_length)}
            case inspect.LiteralType(values=values):
                return {"enum": list(values)}
            case inspect.EnumType(cls=cls):
                return _enum(cls)
            case _:
                return self._of_many(info)

    def _of_many(self, info: inspect.Type) -> Schema:
        """Of types that are made of others."""
        match info:
            case inspect.UnionType(types=types):
                return _any_of(map(self.of, types))
            case inspect.TupleType(item_types=items):
                return self._tuple([*items], len(items))
            case inspect.CollectionType():
                # An array of twice the same is a set of one, so the length of a set has no upper limit.
                is_set = isinstance(info, inspect.SetType | inspect.FrozenSetType)
                most = None if is_set else info.max_length
                array = {"type": "array", **_unless_empty("items", self.of(info.item_type))}
                return {**array, **_sizes("Items", info.min_length, most)}
            case inspect.DictType(value_type=value):
                return {"type": "object", **_unless_empty("additionalProperties", self.of(value))}
            case inspect.NamedTupleType(cls=cls):
                return self._defined(info, cls, lambda: self._named_tuple(info))
            case inspect.StructType(cls=cls):
                return self._defined(info, cls, lambda: self._struct(info))
            case inspect.DataclassType(cls=cls) | inspect.TypedDictType(cls=cls):
                return self._defined(info, cls, lambda: self._object(info.fields))
            case _:
                return PLAIN.get(type(info), {})

    def _defined(self, info: inspect.Type, cls: type, build: Callable[[], Schema]) -> Schema:
        name = self._names.get(id(info))
        if name is None:
            name = self._names[id(info)] = _new_name(cls.__name__, self._names.values())
            self.definitions[name] = {"title": cls.__name__, **build()}
        return {"$ref": f"#/$defs/{name}"}

    def _struct(self, info: inspect.StructType) -> Schema:
        if info.array_like:
            return {"type": "array"}
        schema = self._object(info.fields)
        if info.tag_field is not None:
            schema["properties"][info.tag_field] = {"const": info.tag}  # it may be left out, except in a union
        return {**schema, "additionalProperties": False} if info.forbid_unknown_fields else schema

    def _object(self, fields: Sequence[inspect.Field]) -> Schema:
        schema: Schema = {
            "type": "object",
            "properties": {field.encode_name: self.of(field.type) for field in fields},
        }
        required = [field.encode_name for field in fields if field.required]
        return {**schema, "required": required} if required else schema

    def _named_tuple(self, info: inspect.NamedTupleType) -> Schema:
        return self._tuple([field.type for field in info.fields], sum(field.required for field in info.fields))

    def _tuple(self, items: list[inspect.Type], at_least: int) -> Schema:
        bounds = {"minItems": at_least, "maxItems": len(items)}
        return {"type": "array", **({"prefixItems": [self.of(each) for each in items]} if items else {}), **bounds}


def _range(info: inspect.IntType | inspect.FloatType) -> Schema:
    bounds = {
        "minimum": info.ge,
        "exclusiveMinimum": info.gt,
        "maximum": info.le,
        "exclusiveMaximum": info.lt,
    }
    return {name: value for name, value in bounds.items() if value is not None}


def _sizes(what: str, least: int | None, most: int | None) -> Schema:
    return {name: size for name, size in ((f"min{what}", least), (f"max{what}", most)) if size is not None}


def _enum(cls: type[Enum]) -> Schema:
    if "_missing_" in {name for each in cls.__mro__ if each is not Enum for name in vars(each)}:
        return {}  # the enum itself reads values that are not among its members'
    return {"enum": [msgspec.to_builtins(member.value) for member in cls]}


def _any_of(schemas: Iterable[Schema]) -> Schema:
    choices = list(schemas)
    return {"anyOf": choices} if all(choices) else {}


def _unless_empty(name: str, schema: Schema) -> Schema:
    return {name: schema} if schema else {}


def _new_name(wanted: str, taken: Iterable[str]) -> str:
    """Also a name with brackets, as generic types have it, must be one step of a path."""
    plain = "".join(each if each.isalnum() else "_" for each in wanted)
    known = {*taken}
    return next(name for name in (plain, *(f"{plain}_{n}" for n in range(2, len(known) + 3))) if name not in known)
