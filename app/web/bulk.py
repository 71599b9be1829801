"""Routes about bulk actions: cancel or replay many runs, and see how far that is."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request
from fastapi.responses import Response

from app.engine.aggregates import histories_of
from app.engine.reader import Reader
from app.web import bodies
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, origin_of, read_body
from app.web.docs import PAGE_PARAMETERS, body_of
from app.web.errors import Malformed
from app.web.history import AsOf, moment_asked, position_asked, up_to
from app.web.listing import cursor_of, filter_of, page_of
from app.web.routing import room
from app.web.triggering import json, request_of
from domain import commands, states
from domain.bulk import Bulk, BulkStatus
from domain.durations import iso
from domain.errors import InvalidInput, NotFound
from domain.events import NOTHING, Recorded
from projections.filters import RunFilter

router = room("bulk actions")
RUNS_MAX = 1_000
NAME_MAX = 256
BODY_MAX_BYTES = 131_072


@router.post("/api/v1/bulk-actions", openapi_extra=body_of("BulkRequest"))
async def start(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Begin to cancel or replay these runs, or those that a filter finds among the runs there are. Answers `{"id"}`."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.BulkBody)
    if (body.run_ids is None) == (body.filter is None):
        raise InvalidInput("A bulk action names its runs either by runIds or by a filter.")
    if body.name is not None and not 0 < len(body.name) <= NAME_MAX:
        raise InvalidInput(f"The name of a bulk action has 1 to {NAME_MAX} characters.")
    origin = origin_of(service, caller)
    bulk: str = await service.loop.submit(
        commands.StartBulk(
            bulk=service.ids.new("bulk", origin["at"]),
            action=body.action.upper(),
            name=body.name,
            runs=_runs_of(body.run_ids) if body.run_ids is not None else (),
            filter=_filter_of(body.filter, origin["at"], caller) if body.filter is not None else NOTHING,
            request=request_of(caller, "bulk action"),
            **origin,
        )
    )
    service.bulk_actions.look()
    return json({"id": bulk})


@router.get("/api/v1/bulk-actions", openapi_extra=PAGE_PARAMETERS)
async def list_bulk_actions(request: Request, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The bulk actions of the environment, newest first, as they are or were."""
    size, after, before = page_of(request.query_params, "bulk")
    upto = await position_asked(as_of, reader)
    histories = await histories_of(reader, "bulk", caller.environment.id, upto=upto)
    ours = sorted(histories)
    newer = [each for each in ours if before is None or each > before]
    page = newer[:size] if before else [each for each in ours if after is None or each < after][-size:]
    pagination: dict[str, str] = {}
    if page and page[0] > ours[0]:
        pagination["next"] = cursor_of(page[0])
    if page and page[-1] < ours[-1]:
        pagination["previous"] = cursor_of(page[-1])
    return json({"data": [_shape(histories[each]) for each in reversed(page)], "pagination": pagination})


@router.get("/api/v1/bulk-actions/{bulk}")
async def retrieve(bulk: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """How far a bulk action is, or was."""
    then = await moment_asked(as_of, reader)
    return json(_shape(up_to(then, await _history_of(bulk, reader, caller), f"Bulk action {bulk}")))


@router.post("/api/v1/bulk-actions/{bulk}/abort")
async def abort(bulk: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Stop a bulk action; what it did remains. Safe to repeat."""
    await _history_of(bulk, service, caller)
    await service.loop.submit(commands.AbortBulk(bulk=bulk, **origin_of(service, caller)))
    return json({"id": bulk})


def _runs_of(runs: list[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(runs))
    if not 1 <= len(unique) <= RUNS_MAX:
        raise InvalidInput(f"A bulk action names 1 to {RUNS_MAX} runs; this one names {len(unique)}.")
    wrong = [run for run in unique if not run.startswith("run_") or len(run) > 60]
    if wrong:
        raise InvalidInput(f"{wrong[0][:40]!r} is not the id of a run.")
    return unique


def _filter_of(asked: dict[str, Any], now: int, caller: Caller) -> msgspec.Raw:
    try:
        wanted = filter_of(asked, now, caller.vocabulary)
    except Malformed as error:
        raise Malformed(f"The filter of the bulk action: {error}") from error
    if wanted == RunFilter():
        raise InvalidInput("The filter of a bulk action names at least one thing by which to find runs.")
    return msgspec.Raw(msgspec.json.encode(wanted))


async def _history_of(bulk: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    history = await reader.history(bulk) if bulk.startswith("bulk_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Bulk action {bulk} not found.")
    return history


def _shape(history: Sequence[Recorded]) -> dict[str, Any]:
    bulk = states.fold(history)
    assert isinstance(bulk, Bulk), "a history of a bulk action is one"
    body: dict[str, Any] = {
        "id": bulk.id,
        "type": bulk.action,
        "status": bulk.status.value,
        "counts": {"total": bulk.total, "success": bulk.success, "failure": bulk.failure},
        "createdAt": iso(history[0].occurred_at),
    }
    if bulk.name is not None:
        body["name"] = bulk.name
    if bulk.status is not BulkStatus.PENDING:
        body["completedAt"] = iso(history[-1].recorded_at)
    if bulk.error is not None:
        body["error"] = bulk.error
    return body
