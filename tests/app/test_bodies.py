"""Fields that a body does not have: refused where only Runfold's clients ask, ignored where others do."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct, inspect

from app.web import bodies
from app.web.docs import BODIES
from app.web.errors import Malformed
from tests.app.harness import Engine

OF_OTHERS = {
    *("TriggerRequest", "BatchRequest", "TasksBatchRequest", "CreateBatchRequest", "BatchItem", "BulkRequest"),
    *("CreateTokenRequest", "CompleteTokenRequest", "PublicTokenRequest", "ReplayRequest", "RescheduleRequest"),
    *("CreateVariableRequest", "UpdateVariableRequest", "ImportVariablesRequest", "ScheduleRequest"),
    *("ResetKeyRequest", "TagsRequest", "MetadataRequest", "PauseQueueRequest", "OverrideQueueRequest"),
    *("ResetQueueRequest", "SendEventRequest", "SendEventsRequest", "RegisterRequest", "TurnRequest"),
}
"""What Trigger.dev's clients send, and workers: they may be newer than the engine."""
JOB: dict[str, Any] = {"name": "ping", "kind": "cron", "request": {"url": "https://example.com"}}
CHANNEL: dict[str, Any] = {"name": "ops", "kind": "webhook", "url": "https://example.com"}


def _parts(kind: inspect.Type) -> list[type[Struct]]:
    """The structs that a type is made of."""
    match kind:
        case inspect.StructType():
            return [kind.cls, *(part for field in kind.fields for part in _parts(field.type))]
        case inspect.UnionType():
            return [part for each in kind.types for part in _parts(each)]
        case inspect.VarTupleType() | inspect.ListType():
            return _parts(kind.item_type)
        case _:
            return []


def test_every_body_of_a_route_that_only_runfold_has_is_strict_in_all_its_parts() -> None:
    lenient = {
        name
        for name, shape in BODIES.items()
        if not all(part.__struct_config__.forbid_unknown_fields for part in _parts(inspect.type_info(shape)))
    }

    assert lenient == OF_OTHERS


@pytest.mark.parametrize(
    ("shape", "body", "sentence"),
    [
        (bodies.CreateJobBody, JOB | {"rate_limt": "10/1m"}, "`rate_limt`; probably `rate_limit` is meant."),
        (bodies.CreateJobBody, JOB | {"rateLimit": "10/1m"}, "`rateLimit`; probably `rate_limit` is meant."),
        (bodies.CreateJobBody, JOB | {"timezone": "UTC"}, "`timezone`; probably `schedule.timezone` is meant."),
        (
            bodies.CreateJobBody,
            JOB | {"timeoutSeconds": 9},
            "`timeoutSeconds`; probably `request.timeout_seconds` is meant.",
        ),
        (
            bodies.CreateJobBody,
            JOB | {"request": {"url": "https://example.com", "timeout": 9}},
            "`timeout` in `request`; probably `timeout_seconds` is meant.",
        ),
        (
            bodies.CreateJobBody,
            JOB | {"callbacks": [{"on": ["failure"], "ulr": "https://example.com"}]},
            "`ulr` in `callbacks[0]`; probably `url` is meant.",
        ),
        (bodies.ImportBody, {"crontab": "", "x": 1}, "`x`; there are crontab, dry_run, state, timezone."),
        (bodies.SecretBody, {"value": "x", "a" * 100: 1}, f"`{'a' * 60}`; there are value."),
        (bodies.SecretBody, {"value": "x", "` in `$.b`": 1}, "`` in `$.b``; there are value."),
        (
            bodies.BackfillBody,
            {"from": "2027-01-15", "to": "2027-01-16", "form": 1},
            "`form`; probably `from` is meant.",
        ),
    ],
)
def test_the_field_is_named_and_what_was_probably_meant(shape: type[Any], body: Any, sentence: str) -> None:
    with pytest.raises(Malformed) as refused:
        bodies.decode(msgspec.json.encode(body), shape)

    assert str(refused.value) == f"The body has no field {sentence}"


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        (
            "POST",
            "/v1/jobs",
            JOB | {"pause_after_failure": 3},
            "`pause_after_failure`; probably `pause_after_failures` is meant.",
        ),
        ("PATCH", "/v1/jobs/job_1", {"kind": "cron"}, "`kind`; "),
        ("POST", "/v1/alerts", CHANNEL | {"digests": "5m"}, "`digests`; probably `digest` is meant."),
        ("PUT", "/v1/secrets/a", {"values": "x"}, "`values`; probably `value` is meant."),
        ("POST", "/api/v1/sinks", {"name": "audit", "files": "x"}, "`files`; probably `file` is meant."),
        ("PUT", "/api/v1/retention", {"days": 3, "day": 3}, "`day`; probably `days` is meant."),
        ("POST", "/api/v1/erasures", {"tags": "x"}, "`tags`; probably `tag` is meant."),
        ("POST", "/api/v1/runs/run_1/erase", {"withName": True}, "`withName`; probably `withNames` is meant."),
        (
            "PUT",
            "/api/v1/concurrency",
            {"concurrency_limit": 1},
            "`concurrency_limit`; probably `concurrencyLimit` is meant.",
        ),
        ("PUT", "/api/v1/connections/github", {"credential": 1}, "`credential`; probably `credentials` is meant."),
    ],
)
async def test_a_misspelled_field_is_refused(engine: Engine, method: str, path: str, body: Any, sentence: str) -> None:
    told = await engine.refused(method, path, 400, json=body)

    assert told.startswith(f"The body has no field {sentence}")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/tasks/greet/trigger", {"payload": 1, "options": {"novel": 1}}),
        ("/api/v3/batches", {"runCount": 1}),
        ("/api/v1/bulk-actions", {"action": "cancel", "runIds": ["run_1"]}),
        ("/api/v1/waitpoints/tokens", {}),
        ("/api/v1/schedules", {"task": "greet", "cron": "0 9 * * *"}),
        ("/api/v1/queues/greet/pause", {"type": "task", "action": "pause"}),
        ("/api/v1/events", {"name": "user.created"}),
        ("/worker/v1/register", {"tasks": [{"id": "greet", "novel": 1}]}),
    ],
)
async def test_what_others_send_may_have_fields_that_the_engine_does_not_know(
    engine: Engine, path: str, body: Any
) -> None:
    await engine.register()

    response = await engine.client.post(path, json=body | {"novel": 1})

    assert response.is_success, response.text


async def test_all_that_the_executions_document_configures_of_a_job_is_accepted(engine: Engine) -> None:
    retry = {"max_attempts": 3, "retry_on_statuses": [429, 500, 502, 503, 504]}
    request = {
        "url": "https://example.com",
        "method": "POST",
        "headers": {"X-A": "secret://a"},
        "body": {"a": 1},
        "timeout_seconds": 30,
        "success_statuses": [200, 201, 202, 204],
    }
    job = {"name": "ping", "state": "draft", "request": request, "retry_policy": retry}
    kinds: dict[str, Any] = {
        "recurring": {"every_n_minutes": 5},
        "cron": {"cron": "0 9 * * 1-5", "timezone": "America/New_York"},
        "scheduled": {"run_at": "2027-02-01T00:00:00.000Z"},
    }

    for kind, schedule in kinds.items():
        response = await engine.client.post("/v1/jobs", json=job | {"kind": kind, "schedule": schedule})
        assert response.status_code == 201, response.text
