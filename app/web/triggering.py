"""Routes that make runs: trigger, batch, replay."""

import msgspec
from fastapi import Request
from fastapi.responses import Response

from app.newruns import making
from app.newruns.judging import all_judged
from app.newruns.replaying import replayed
from app.service import Service
from app.values import PAYLOAD_MAX_BYTES
from app.web import bodies
from app.web.caller import Caller, CallerDep, ServiceDep, VisitorDep, history_of, read_body
from app.web.docs import body_of
from app.web.errors import Malformed
from app.web.grants import must
from app.web.handles import hand_token
from app.web.routing import room
from app.web.tracing import traceparent_of
from app.web.unpacking import unpacked
from domain import commands, keys
from domain.commands import Accepted
from domain.errors import InvalidInput
from domain.events import API, MANUAL
from domain.lifecycle import NewRun

router = room("runs")
ITEMS_MAX = 1_000
BATCH_MAX_BYTES = 33_554_432
ENVELOPE_MAX_BYTES = 524_288
"""What a trigger's options may take beside the payload."""
SOURCE_HEADER = "x-runfold-source"
SOURCES = (API, MANUAL)
DIFFERS_HEADER = "x-runfold-payload-differs"


@router.post("/api/v1/tasks/{task:path}/trigger", openapi_extra=body_of("TriggerRequest"))
async def trigger(task: str, request: Request, service: ServiceDep, caller: VisitorDep) -> Response:
    """Make a run of a task. Answers `{"id", "isCached"}` when the run is committed."""
    must(caller, "trigger", ("tasks", task))
    body = bodies.decode(await read_body(request, PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES), bodies.TriggerBody)
    _take_headers(request, body)
    await unpacked(body, service, caller)
    now = service.clock.now().wall
    environment, traceparent = caller.environment.id, traceparent_of(request)
    run, source = service.ids.new("run", now), _source_of(request)
    new, blobs = making.new_run(run, task, body, environment, now, traceparent, source=source)
    accepted = await submit_runs(service, caller, f"trigger {task}", [new], blobs, None, now)
    response = json({"id": accepted[0].run, "isCached": accepted[0].cached})
    _tell_differing(response, accepted)
    hand_token(response, caller, service, f"read:runs:{accepted[0].run}")
    return response


@router.post("/api/v1/tasks/{task:path}/batch", openapi_extra=body_of("BatchRequest"))
async def trigger_batch(task: str, request: Request, service: ServiceDep, caller: VisitorDep) -> Response:
    """Make up to 1,000 runs of a task, all or none. Answers `{"batchId", "runs"}` in the order of the items."""
    must(caller, "batchTrigger", ("tasks", task))
    body = bodies.decode(await read_body(request, BATCH_MAX_BYTES), bodies.BatchBody)
    if not 1 <= len(body.items) <= ITEMS_MAX:
        raise InvalidInput(f"A batch has 1 to {ITEMS_MAX} items; this one has {len(body.items)}.")
    now = service.clock.now().wall
    batch = service.ids.new("batch", now)
    environment, traceparent = caller.environment.id, traceparent_of(request)
    runs: list[NewRun] = []
    blobs: dict[str, bytes] = {}
    source = _source_of(request)
    for index, item in enumerate(body.items):
        run = service.ids.new("run", now)
        try:
            await unpacked(item, service, caller)
            new, more = making.new_run(run, task, item, environment, now, traceparent, batch, source)
        except InvalidInput as error:
            raise InvalidInput(f"Item {index}: {error}") from error
        runs.append(new)
        blobs |= more
    accepted = await submit_runs(service, caller, f"batch {task}", runs, blobs, batch, now)
    batch = accepted[0].batch or batch
    items = [{"id": each.run, "taskIdentifier": task, "isCached": each.cached} for each in accepted]
    response = json({"batchId": batch, "runs": items})
    _tell_differing(response, accepted)
    return response


@router.post("/api/v1/runs/{run}/replay", openapi_extra=body_of("ReplayRequest", required=False))
async def replay(run: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make a new run of the same task with the same payload, whatever became of the old one."""
    text = await read_body(request, PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES)
    asked = bodies.decode(text, bodies.ReplayBody) if text.strip() else bodies.ReplayBody()
    history = await history_of(run, service, caller)
    now = service.clock.now().wall
    new, blobs = await replayed(history, asked, service, now, traceparent_of(request))
    accepted = await submit_runs(service, caller, f"replay {run}", [new], blobs, None, now)
    return json({"id": accepted[0].run})


async def submit_runs(
    service: Service,
    caller: Caller,
    scope: str,
    runs: list[NewRun],
    blobs: dict[str, bytes],
    batch: str | None,
    now: int,
) -> list[Accepted]:
    """Trigger these runs; the same request (`scope` is what it asks for) sent again gets the same answer."""
    environment, request = caller.environment.id, request_of(caller, scope)
    accepted: list[Accepted] = await service.loop.submit(
        commands.TriggerRuns(
            environment=environment,
            actor=caller.actor,
            cause=caller.cause,
            at=now,
            runs=all_judged(runs, caller.environment, blobs),
            batch=batch,
            request=request,
            once=caller.once,
            once_until=caller.grant.expires_at if caller.grant else 0,
            blobs=blobs,
        )
    )
    return accepted


def _source_of(request: Request) -> str:
    source = request.headers.get(SOURCE_HEADER, API)
    if source not in SOURCES:
        raise Malformed(f"The header {SOURCE_HEADER} is one of {', '.join(SOURCES)}, not {source[:40]!r}.")
    return API if source == API else source


def _tell_differing(response: Response, accepted: list[Accepted]) -> None:
    """Say that a key stood for a run with another payload: the one of this request was not used."""
    if any(each.differs for each in accepted):
        response.headers[DIFFERS_HEADER] = "true"


def request_of(caller: Caller, scope: str) -> str | None:
    """The name of the request's own key."""
    if not caller.request_key:
        return None
    return keys.stream_of(caller.environment.id, "request", scope, caller.request_key)


def _take_headers(request: Request, body: bodies.TriggerBody) -> None:
    """The REST alternative to the fields of the body; the header wins."""
    key, ttl = request.headers.get("idempotency-key"), request.headers.get("idempotency-key-ttl")
    if key is None:
        if ttl is not None:
            raise Malformed("The header Idempotency-Key-TTL needs the header Idempotency-Key.")
        return
    body.options = body.options or bodies.TriggerOptions()
    body.options.idempotency_key = key
    if ttl is not None:
        body.options.idempotency_key_ttl = ttl


def json(content: object) -> Response:
    """An answer as msgspec writes it."""
    return Response(msgspec.json.encode(content), media_type="application/json")
