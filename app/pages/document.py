"""The document of the API, as a page: every route with its parameters and the fields of its body."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.responses import Response

from app.pages.visits import Visit

_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')


class Field(NamedTuple):
    """A parameter, or a field of a body."""

    name: str
    place: str
    """Where it stands: path, query, header or body."""
    kind: str
    meaning: str
    is_required: bool


class Operation(NamedTuple):
    """One method of a path. `body` names the schema of what is sent, if that has a name."""

    method: str
    path: str
    meaning: str
    fields: list[Field]
    body: str


async def show(visit: Visit) -> Response:
    """Everything that /openapi.json says of routes, for people, who need not be signed in."""
    document = visit.request.app.openapi()
    rooms: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            rooms.setdefault(told["tags"][0], []).append(_operation(method.upper(), path, told))
    asked = {each.body for operations in rooms.values() for each in operations}
    schemas = document["components"]["schemas"]
    bodies = {name: (_meaning_of(schemas[name]), _fields_of(schemas[name])) for name in _reached(asked, schemas)}
    return visit.page("document.html", rooms=rooms, bodies=bodies)


def _operation(method: str, path: str, told: Mapping[str, Any]) -> Operation:
    fields = [
        Field(each["name"], each["in"], kind_of(each["schema"]), _meaning_of(each), each.get("required", False))
        for each in told.get("parameters", [])
    ]
    contents = told.get("requestBody", {}).get("content", {}).values()
    body = next((_named(each["schema"]) for each in contents), "")
    return Operation(method, path, told["description"], fields, body)


def _fields_of(schema: Mapping[str, Any]) -> list[Field]:
    required = schema.get("required", ())
    return [
        Field(name, "body", kind_of(each), _meaning_of(each), name in required)
        for name, each in schema.get("properties", {}).items()
    ]


def kind_of(schema: Mapping[str, Any]) -> str:
    """What values a schema takes, in few words."""
    if "enum" in schema:
        return ", ".join(json.dumps(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind_of(each) for each in schema["anyOf"])
    if schema.get("items"):
        return f"list of {kind_of(schema['items'])}"
    return _named(schema) or str(schema.get("type", "any JSON"))


def _reached(names: set[str], schemas: Mapping[str, Any]) -> list[str]:
    """These schemas and whatever they refer to, in the order of the document."""
    found, ahead = set[str](), [name for name in names if name]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += _REFERENCE.findall(json.dumps(schemas[name]))
    return [name for name in schemas if name in found]


def _named(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _meaning_of(part: Mapping[str, Any]) -> str:
    return str(part.get("description", ""))
