"""Routes about batches: create one, stream its items, see what became of it; and those that take all items at once."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import msgspec
from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from app.engine.reader import Reader
from app.history.moments import Moment
from app.history.outcomes import result_of
from app.newruns.making import KEY_MAX, KEY_TTL_MS, refuse_resuming
from app.service import Service
from app.web import bodies, items, listings
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, VisitorDep, origin_of, read_body
from app.web.docs import BATCH_LIST_PARAMETERS, body_of, lines_of
from app.web.errors import Malformed, NotGranted, WrongMediaType
from app.web.grants import must
from app.web.handles import hand_token
from app.web.history import AsOf, moment_asked, up_to
from app.web.intake import ITEMS_MAX, Intake
from app.web.routing import room
from app.web.runs import BODY_MAX_BYTES
from app.web.tracing import traceparent_of
from app.web.triggering import BATCH_MAX_BYTES, json, request_of, submit_runs
from domain import commands, durations, keys, states
from domain.batch import Batch
from domain.commands import Accepted, CreatedBatch
from domain.durations import iso
from domain.errors import InvalidInput, NotFound
from domain.events import BatchCreated, BatchSealed, BatchTriggered, Recorded
from domain.lifecycle import NewRun

router = room("batches")
EXPIRES_MS = 24 * 3_600_000
"""How long the items of a batch may take to come."""
ACCEPTED = 202
ND_JSON = "application/x-ndjson"
RESULTS_EACH = 50
"""How many runs are read at a time for the results of a batch."""


@router.post("/api/v3/batches", status_code=ACCEPTED, openapi_extra=body_of("CreateBatchRequest"))
async def create(request: Request, service: ServiceDep, caller: VisitorDep) -> Response:
    """Announce a batch of up to 1,000 items, which come next. Answers `{"id", "runCount", "isCached"}`."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.CreateBatchBody)
    for task in body.task_identifiers or [""]:
        must(caller, "batchTrigger", ("tasks", task))
    _check_count(body.run_count)
    refuse_resuming(asked=body.resume_parent_on_completion)
    key, ttl = body.idempotency_key, body.idempotency_key_ttl
    shown = (body.idempotency_key_options and body.idempotency_key_options.text()) or key
    for given in (key, shown):
        if given is not None and not 0 < len(given) <= KEY_MAX:
            raise InvalidInput(f"An idempotency key has 1 to {KEY_MAX} characters; this one has {len(given)}.")
    origin = origin_of(service, caller)
    now, environment = origin["at"], caller.environment.id
    made: CreatedBatch = await service.loop.submit(
        commands.CreateBatch(
            batch=service.ids.new("batch", now),
            run_count=body.run_count,
            expires_at=now + EXPIRES_MS,
            parent=body.parent_run_id,
            idempotency_key=shown,
            key=keys.stream_of(environment, "batch", "", key) if key is not None else None,
            key_until=now + (KEY_TTL_MS if ttl is None else durations.parse_key_ttl(ttl)),
            request=request_of(caller, "create batch"),
            once=caller.once,
            once_until=caller.grant.expires_at if caller.grant else 0,
            **origin,
        )
    )
    answer: dict[str, Any] = {"id": made.batch, "runCount": made.run_count, "isCached": made.cached}
    response = accepted(answer if shown is None else answer | {"idempotencyKey": shown})
    hand_token(response, caller, service, f"read:batch:{made.batch}")
    return response


@router.post("/api/v3/batches/{batch}/items", openapi_extra=lines_of("BatchItem"))
async def add_items(batch: str, request: Request, service: ServiceDep, caller: VisitorDep) -> Response:
    """Stream the items of a batch, one a line. What has come is kept when the connection breaks: stream all again."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != ND_JSON:
        raise WrongMediaType(f"The items of a batch are sent as {ND_JSON}, not as {media_type[:60] or 'nothing'}.")
    if caller.grant is not None:
        await _check_begun(batch, service, caller)
    intake = Intake(batch, service, caller)
    if (await intake.begin()).sealed:
        async for _ in request.stream():
            pass  # nothing of it is needed, but the client is not to find its connection closed
    else:
        await _take(batch, intake, request, service, caller)
    taken = intake.taken
    answer: dict[str, Any] = {
        "id": batch,
        "itemsAccepted": taken.accepted,
        "itemsDeduplicated": intake.read - taken.accepted,
        "sealed": taken.sealed,
    }
    return json(answer if taken.sealed else answer | {"enqueuedCount": taken.known, "expectedCount": taken.expected})


async def _check_begun(batch: str, service: Service, caller: Caller) -> None:
    """Raises NotGranted unless it is with this very token that the batch was begun."""
    history = await service.history(batch) if batch.startswith("batch_") else ()
    if not history or history[0].actor != caller.actor:
        raise NotGranted("This public token did not begin this batch: its items come with what began it.")


async def _take(batch: str, intake: Intake, request: Request, service: Service, caller: Caller) -> None:
    lines, traceparent = items.Lines(), traceparent_of(request)
    try:
        async for chunk in request.stream():
            for line in lines.feed(chunk):
                intake.add(await items.item_of(line, batch, service, caller, traceparent))
            await intake.push()
        for line in lines.finish():
            intake.add(await items.item_of(line, batch, service, caller, traceparent))
    finally:
        # What came before a line that is refused, or before the connection broke, is kept.
        await intake.finish()


@router.get("/api/v1/batches", openapi_extra=BATCH_LIST_PARAMETERS)
async def list_all(request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The batches of the environment without their runs, newest first, own writes included; or as they were."""
    return await listings.list_batches(request, reader, caller)


@router.get("/api/v1/batches/{batch}")
async def retrieve_v1(batch: str, reader: ReaderDep, caller: VisitorDep, as_of: AsOf = None) -> Response:
    """A batch and its runs, as it is or was."""
    must(caller, "read", ("batch", batch), ("runs", ""))
    _, body = await _found(batch, reader, caller, await moment_asked(as_of, reader))
    return json({name: value for name, value in body.items() if name != "processing"})


@router.get("/api/v2/batches/{batch}")
async def retrieve(batch: str, reader: ReaderDep, caller: VisitorDep, as_of: AsOf = None) -> Response:
    """A batch, its runs in the order of the items, and the items that became none: as it is, or as it was."""
    must(caller, "read", ("batch", batch), ("runs", ""))
    _, body = await _found(batch, reader, caller, await moment_asked(as_of, reader))
    return json(body)


@router.get("/api/v1/batches/{batch}/results")
async def results(batch: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """What the finished runs of a batch came to, in the order of the items, now or by a moment."""
    moment = await moment_asked(as_of, reader)
    state, _ = await _found(batch, reader, caller, moment)
    return StreamingResponse(_results(state, reader, moment), media_type="application/json")


@router.post("/api/v1/tasks/batch", openapi_extra=body_of("TasksBatchRequest"))
async def trigger_tasks(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make up to 1,000 runs of several tasks, all or none. Answers `{"id", "isCached", "runs"}`."""
    batch, runs = await _trigger_all(request, service, caller)
    return json({"id": batch, "isCached": False, "runs": runs})


@router.post("/api/v2/tasks/batch", status_code=ACCEPTED, openapi_extra=body_of("TasksBatchRequest"))
async def trigger_tasks_v2(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make up to 1,000 runs of several tasks, all or none. Answers `{"id", "runCount"}`."""
    batch, runs = await _trigger_all(request, service, caller)
    return accepted({"id": batch, "runCount": len(runs)})


def accepted(content: object) -> Response:
    """An answer that says that something was begun."""
    answer = json(content)
    answer.status_code = ACCEPTED
    return answer


async def _trigger_all(request: Request, service: Service, caller: Caller) -> tuple[str, list[dict[str, Any]]]:
    body = bodies.decode(await read_body(request, BATCH_MAX_BYTES), bodies.TasksBatchBody)
    _check_count(len(body.items))
    now, traceparent = service.clock.now().wall, traceparent_of(request)
    batch = service.ids.new("batch", now)
    runs: list[NewRun] = []
    blobs: dict[str, bytes] = {}
    for index, item in enumerate(body.items):
        try:
            new, more = await items.new_run(item, batch, service, caller, traceparent)
        except (InvalidInput, Malformed) as error:
            raise type(error)(f"Item {index}: {error}") from error
        runs.append(new)
        blobs |= more
    made: list[Accepted] = await submit_runs(service, caller, "batch", runs, blobs, batch, now)
    return made[0].batch or batch, [
        {"id": each.run, "taskIdentifier": item.task, "isCached": each.cached}
        for each, item in zip(made, body.items, strict=True)
    ]


def _check_count(count: int) -> None:
    if not 1 <= count <= ITEMS_MAX:
        raise InvalidInput(f"A batch has 1 to {ITEMS_MAX} items; this one has {count}.")


async def _found(batch: str, reader: Reader, caller: Caller, moment: Moment | None) -> tuple[Batch, dict[str, Any]]:
    history = await reader.history(batch) if batch.startswith("batch_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Batch {batch} not found.")
    history = up_to(moment, history, f"Batch {batch}")
    state = states.fold(history)
    assert isinstance(state, Batch), "a history of a batch is one"
    return state, _shape(state, history)


def _shape(batch: Batch, history: Sequence[Recorded]) -> dict[str, Any]:
    first = history[0]
    known_at = next((each for each in history if isinstance(each.event, BatchTriggered | BatchSealed)), None)
    processing: dict[str, Any] = {
        "errors": [
            {"index": each.index, "taskIdentifier": each.task, "error": each.error, "errorCode": each.code}
            for each in sorted(batch.errors, key=lambda each: each.index)
        ]
    }
    if known_at:
        processing["completedAt"] = iso(known_at.recorded_at)
    body: dict[str, Any] = {
        "id": batch.id,
        "status": batch.status.value,
        "createdAt": iso(first.occurred_at),
        "updatedAt": iso(history[-1].recorded_at),
        "runCount": batch.expected,
        "runs": batch.in_order,
        "processing": processing,
    }
    if isinstance(first.event, BatchCreated) and first.event.idempotency_key is not None:
        body["idempotencyKey"] = first.event.idempotency_key
    return body if batch.ended_at is None else body | {"completedAt": iso(batch.ended_at)}


async def _results(batch: Batch, reader: Reader, moment: Moment | None) -> AsyncIterator[bytes]:
    """The answer piece by piece: the outputs of a thousand runs are more than a node should hold at once."""
    runs, separator = batch.in_order, b""
    read = partial(reader.ledger.read_streams, upto=None if moment is None else moment.position)
    yield b'{"id":%s,"items":[' % msgspec.json.encode(batch.id)
    for start in range(0, len(runs), RESULTS_EACH):
        part = runs[start : start + RESULTS_EACH]
        histories = await reader.read(read, part)
        # Between the events of one commit a batch may know of runs that were not there yet.
        for run in [each for each in part if moment is None or each in histories]:
            body = await reader.read(result_of, reader.ledger, histories[run])
            if body is not None:
                yield separator + msgspec.json.encode(body)
                separator = b","
    yield b"]}"
