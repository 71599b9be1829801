"""What the OpenAPI document says of bodies that FastAPI does not parse itself."""

from typing import Any

import msgspec

from app.web import bodies
from app.web.errors import EXECUTIONS_API
from domain.vocabulary import VOCABULARIES

BODIES: dict[str, type[Any]] = {
    "TriggerRequest": bodies.TriggerBody,
    "BatchRequest": bodies.BatchBody,
    "TasksBatchRequest": bodies.TasksBatchBody,
    "CreateBatchRequest": bodies.CreateBatchBody,
    "BatchItem": bodies.BatchItem,
    "BulkRequest": bodies.BulkBody,
    "RetentionRequest": bodies.RetentionBody,
    "SinkRequest": bodies.SinkBody,
    "EraseRequest": bodies.EraseBody,
    "EraseManyRequest": bodies.EraseManyBody,
    "CreateTokenRequest": bodies.CreateTokenBody,
    "CompleteTokenRequest": bodies.CompleteTokenBody,
    "CreateVariableRequest": bodies.CreateVariableBody,
    "UpdateVariableRequest": bodies.UpdateVariableBody,
    "ImportVariablesRequest": bodies.ImportVariablesBody,
    "PublicTokenRequest": bodies.PublicTokenBody,
    "SendEventRequest": bodies.SendEventBody,
    "SendEventsRequest": bodies.SendEventsBody,
    "ReplayRequest": bodies.ReplayBody,
    "RescheduleRequest": bodies.RescheduleBody,
    "ScheduleRequest": bodies.ScheduleBody,
    "BackfillRequest": bodies.BackfillBody,
    "ResetKeyRequest": bodies.ResetKeyBody,
    "TagsRequest": bodies.TagsBody,
    "MetadataRequest": bodies.MetadataBody,
    "PauseQueueRequest": bodies.PauseQueueBody,
    "OverrideQueueRequest": bodies.OverrideQueueBody,
    "ResetQueueRequest": bodies.ResetQueueBody,
    "ConcurrencyRequest": bodies.ConcurrencyBody,
    "CredentialsRequest": bodies.CredentialsBody,
    "CreateJobRequest": bodies.CreateJobBody,
    "ChangeJobRequest": bodies.ChangeJobBody,
    "PreviewRequest": bodies.PreviewBody,
    "ImportRequest": bodies.ImportBody,
    "ChannelRequest": bodies.ChannelBody,
    "SecretRequest": bodies.SecretBody,
    "NewSecretRequest": bodies.NewSecretBody,
    "CreateEnvironmentRequest": bodies.CreateEnvironmentBody,
    "RegisterRequest": bodies.RegisterBody,
    "TurnRequest": bodies.TurnBody,
}

TOKENS_PATH = "/api/v1/waitpoints/tokens"
CALLBACK_PATH = f"{TOKENS_PATH}/{{token}}/callback/{{secret}}"
TRIGGER_PATH = "/v1/triggers/{token}"
TIMEZONES_PATH = "/api/v1/timezones"
PACKET_PATH = "/packets/v1/{stream}/{name}"
OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", CALLBACK_PATH, TRIGGER_PATH, TIMEZONES_PATH, PACKET_PATH})
"""Whoever asks how an engine is need not have a key, and the URLs of callbacks and packets are keys themselves."""
_ERROR = {
    "type": "object",
    "required": ["error", "type", "title", "status", "detail"],
    "properties": {
        "error": {"type": "string", "description": "A sentence that says what was asked and what stood in the way."},
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "The same sentence, where RFC 9457 has it."},
        "code": {"type": "string", "description": "A word for errors that programs react to."},
    },
}


_EXECUTIONS_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "description": "A word for programs."},
                "message": {"type": "string", "description": "A sentence that says what stood in the way."},
                "details": {"description": "Always null."},
            },
        }
    },
}


def body_of(name: str, *, required: bool = True) -> dict[str, Any]:
    """The request body of a route, described by the very struct that reads it."""
    return {"requestBody": {"required": required, "content": _json_of(BODIES[name].__name__)}}


ANY_BODY: dict[str, Any] = {"requestBody": {"required": False, "content": {"application/json": {"schema": {}}}}}


def lines_of(name: str) -> dict[str, Any]:
    """The request body of a route that takes one such struct a line."""
    schema = {"$ref": f"#/components/schemas/{BODIES[name].__name__}"}
    return {"requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": schema}}}}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what FastAPI does not know of: the bodies, the key, and how errors look."""
    document["components"] = {
        "schemas": _schemas() | {"Error": _ERROR, "ExecutionsError": _EXECUTIONS_ERROR},
        "responses": {
            name: {"description": "Refused, and why.", "content": _json_of(name)}
            for name in ("Error", "ExecutionsError")
        },
        "securitySchemes": {"secretKey": {"type": "http", "scheme": "bearer", "description": "A secret key."}},
    }
    document["security"] = [{"secretKey": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            error = "ExecutionsError" if path.startswith(EXECUTIONS_API) else "Error"
            # FastAPI adds 422 for what it reads itself, with a shape that no error has here.
            told = {status: each for status, each in operation["responses"].items() if status != "422"}
            for each in told.values():
                # FastAPI takes what is no JSON for a text; it is a stream, or whatever was uploaded.
                for media_type, content in each.get("content", {}).items():
                    content["schema"] = content["schema"] if media_type in {"application/json", "text/plain"} else {}
            operation["responses"] = told | {"default": {"$ref": f"#/components/responses/{error}"}}
            if path in OPEN_PATHS:
                operation["security"] = []
    return document


def _schemas() -> dict[str, Any]:
    _, found = msgspec.json.schema_components(BODIES.values(), ref_template="#/components/schemas/{name}")
    return found


def _json_of(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": "string"}}


AS_OF_PARAMETER = _parameter(
    "asOf", "A position of the ledger, milliseconds since 1970 or an ISO 8601 date: everything as it was then."
)
VOCABULARY_PARAMETER = {
    "parameters": [_parameter("vocabulary", f"Whose words statuses are told in: {', '.join(VOCABULARIES)}.")],
}
WORKER_LIST_PARAMETERS = {
    "parameters": [
        _parameter("page", "The number of the page, counted from 1."),
        _parameter("perPage", "How many workers a page has: 1 to 100; 25 if left out."),
        AS_OF_PARAMETER,
    ]
}
QUEUE_LIST_PARAMETERS = {
    "parameters": [
        _parameter("page", "The number of the page, counted from 1."),
        _parameter("perPage", "How many queues a page has: 1 to 100; 25 if left out."),
        AS_OF_PARAMETER,
    ]
}
SCHEDULE_LIST_PARAMETERS = {
    "parameters": [
        _parameter("page", "The number of the page, counted from 1."),
        _parameter("perPage", "How many schedules a page has: 1 to 100; 25 if left out."),
        AS_OF_PARAMETER,
    ]
}
TICK_PARAMETERS = {
    "parameters": [
        _parameter("from", "Milliseconds or an ISO 8601 date; a day before `to` if left out."),
        _parameter("to", "Milliseconds or an ISO 8601 date; now if left out."),
        AS_OF_PARAMETER,
    ]
}
TIMEZONE_PARAMETERS = {"parameters": [_parameter("excludeUtc", "true leaves UTC out.")]}
QUEUE_PARAMETERS = {
    "parameters": [
        _parameter("type", "How the path names it: id (if left out), task or custom."),
        AS_OF_PARAMETER,
    ]
}
_PAGE = [
    _parameter("page[size]", "1 to 100; 25 if left out."),
    _parameter("page[after]", "The `next` cursor of a page."),
    _parameter("page[before]", "The `previous` cursor of a page; it wins over page[after]."),
]
_DATES = [
    _parameter("filter[createdAt][from]", "Milliseconds since 1970, or an ISO 8601 date."),
    _parameter("filter[createdAt][to]", "Milliseconds since 1970, or an ISO 8601 date."),
]
LIST_PARAMETERS = {
    "parameters": [
        *VOCABULARY_PARAMETER["parameters"],
        _parameter("filter[status]", "Statuses, joined by commas: names of the vocabulary, or full ones."),
        _parameter("filter[taskIdentifier]", "Ids of tasks, joined by commas."),
        _parameter("filter[version]", "Versions, joined by commas."),
        _parameter("filter[tag]", "Tags, joined by commas: runs with any of them."),
        _parameter("filter[queue]", "Queues, joined by commas; a task's own queue is `task/` and its id."),
        _parameter("filter[machine]", "Machines, joined by commas: runs that were given one of them."),
        _parameter("filter[batch]", "The id of a batch."),
        _parameter("filter[schedule]", "The id of a schedule: the runs of its ticks."),
        _parameter("filter[bulkAction]", "The id of a bulk action: the runs that it canceled, or its replays."),
        _parameter("filter[isTest]", "true or false."),
        *_DATES,
        _parameter("filter[createdAt][period]", "A duration such as 1h: runs created within it."),
        *_PAGE,
        AS_OF_PARAMETER,
    ]
}
PROJECT_LIST_PARAMETERS = {
    "parameters": [
        *LIST_PARAMETERS["parameters"],
        _parameter("filter[env]", "Slugs of environments, joined by commas: the key's own must be one of them."),
    ]
}
TOKEN_LIST_PARAMETERS = {
    "parameters": [
        _parameter("filter[status]", "Statuses, joined by commas: WAITING, COMPLETED, TIMED_OUT."),
        _parameter("filter[idempotencyKey]", "The idempotency key that a token was made with."),
        _parameter("filter[tags]", "Tags, joined by commas: tokens with any of them."),
        *_DATES,
        _parameter("filter[createdAt][period]", "A duration such as 1h: tokens created within it."),
        *_PAGE,
        AS_OF_PARAMETER,
    ]
}
_CREATED = [*_DATES, _parameter("filter[createdAt][period]", "A duration such as 1h: those created within it.")]
EVENT_LIST_PARAMETERS = {
    "parameters": [
        _parameter("filter[name]", "The name of the events."),
        _parameter("filter[status]", "Statuses, joined by commas: PENDING, DELIVERED, CANCELED."),
        _parameter("filter[undelivered]", "true: those that are still to be delivered; false: all others."),
        *_CREATED,
        *_PAGE,
        AS_OF_PARAMETER,
    ]
}
BATCH_LIST_PARAMETERS = {
    "parameters": [
        _parameter(
            "filter[status]", "Statuses, joined by commas: PENDING, PROCESSING, PARTIAL_FAILED, COMPLETED, ABORTED."
        ),
        *_CREATED,
        *_PAGE,
        AS_OF_PARAMETER,
    ]
}
PAGE_PARAMETERS = {"parameters": _PAGE}
_EXECUTIONS = [
    _parameter("status", "queued, running, succeeded or failed."),
    _parameter("from", "The earliest scheduled time: an ISO 8601 date."),
    _parameter("to", "The latest scheduled time: an ISO 8601 date."),
    _parameter("sort", "scheduled_for (if left out) or created_at."),
    _parameter("order", "asc or desc (if left out)."),
    _parameter("limit", "1 to 100; 50 if left out."),
    _parameter("offset", "How many to skip."),
    _parameter("cursor", "The `next_cursor` of a page of the same order, which finds the next one however far it is."),
    AS_OF_PARAMETER,
]
EXECUTION_PARAMETERS = {
    "parameters": [
        *_EXECUTIONS,
        _parameter("job_name", "A part of what the job was called when the execution was made, in any case."),
    ]
}
JOB_EXECUTION_PARAMETERS = {"parameters": _EXECUTIONS}
