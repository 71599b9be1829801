"""What the OpenAPI document says of bodies that FastAPI does not parse itself."""

from typing import Any

import msgspec

from app.web import bodies

_NAMES: dict[str, type[Any]] = {
    "TriggerRequest": bodies.TriggerBody,
    "BatchRequest": bodies.BatchBody,
    "ReplayRequest": bodies.ReplayBody,
    "RescheduleRequest": bodies.RescheduleBody,
    "ResetKeyRequest": bodies.ResetKeyBody,
    "RegisterRequest": bodies.RegisterBody,
    "TurnRequest": bodies.TurnBody,
}


def body_of(name: str, *, required: bool = True) -> dict[str, Any]:
    """The request body of a route, described by the very struct that reads it."""
    reference = {"$ref": f"#/components/schemas/{_NAMES[name].__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": reference}}}}


def schemas() -> dict[str, Any]:
    """The schemas of all bodies, for `components.schemas`."""
    _, found = msgspec.json.schema_components(
        _NAMES.values(), schema_hook=_any, ref_template="#/components/schemas/{name}"
    )
    return found


def _any(kind: type) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return {"description": "Any JSON value."}
    raise NotImplementedError(kind)


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": "string"}}


LIST_PARAMETERS = {
    "parameters": [
        _parameter("filter[status]", "Statuses, joined by commas."),
        _parameter("filter[taskIdentifier]", "Ids of tasks, joined by commas."),
        _parameter("filter[version]", "Versions, joined by commas."),
        _parameter("filter[tag]", "Tags, joined by commas: runs with any of them."),
        _parameter("filter[queue]", "Queues, joined by commas; a task's own queue is task/<id>."),
        _parameter("filter[batch]", "The id of a batch."),
        _parameter("filter[isTest]", "true or false."),
        _parameter("filter[createdAt][from]", "Milliseconds since 1970, or an ISO 8601 date."),
        _parameter("filter[createdAt][to]", "Milliseconds since 1970, or an ISO 8601 date."),
        _parameter("filter[createdAt][period]", "A duration such as 1h: runs created within it."),
        _parameter("page[size]", "1 to 100; 25 if left out."),
        _parameter("page[after]", "The `next` cursor of a page."),
        _parameter("page[before]", "The `previous` cursor of a page; it wins over page[after]."),
    ]
}
