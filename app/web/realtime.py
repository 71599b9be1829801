"""Realtime subscriptions: shapes of runs in the protocol of ElectricSQL, by long polling, over the ledger's positions.

An offset is a position: what was committed up to it is known to the client. A handle names what is subscribed to. So a
subscription is nowhere kept, goes on where it was after a restart, and misses nothing.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request
from fastapi.responses import Response

from app.service import Service
from app.web.caller import Caller, ServiceDep, visitor_of
from app.web.errors import Forbidden, Malformed, Unauthorized
from app.web.routing import room
from app.web.shape_rows import refusal_row, row_of
from app.web.staying import Stay
from app.web.subscriptions import Shape, TooMuchChanged, changed, watcher_of_batch, watcher_of_run, watcher_of_tags
from domain import durations
from domain.errors import InvalidInput, NotFound

router = room("realtime")
HOLD_SECONDS = 20.0
"""How long a poll is held while there is no news."""
WINDOW_MS = 86_400_000
"""Subscriptions by tag have the runs of the last 24 hours, and all that come."""
CLIENT_HEADER = "x-trigger-electric-version"
"""By this the official client is known."""
REFUSED = "refused"
BEGINNING = "-1"
_OFFSET = re.compile(r"(\d{1,15})_\d{1,15}")


@router.get("/realtime/v1/runs/{run}")
async def subscribe_to_run(run: str, request: Request, service: ServiceDep) -> Response:
    """Follow one run until it is over: first as it is, then (`live=true`) each change as soon as it is committed."""
    try:
        caller = await visitor_of(request)
        shape = Shape(await watcher_of_run(run, service, caller), f"run-{run}")
        return await _answer(shape, request, service, caller)
    except (Unauthorized, Forbidden, NotFound, Malformed) as error:
        return _refused(error, request, service)


@router.get("/realtime/v1/runs")
async def subscribe_to_tags(request: Request, service: ServiceDep) -> Response:
    """Follow the runs that have all of the `tags`, which commas separate: those of the last day, or `createdAt`."""
    try:
        caller = await visitor_of(request)
        return await _answer(_shape_of_tags(request, service, caller), request, service, caller)
    except (Unauthorized, Forbidden, NotFound, Malformed) as error:
        return _refused(error, request, service)


@router.get("/realtime/v1/batches/{batch}")
async def subscribe_to_batch(batch: str, request: Request, service: ServiceDep) -> Response:
    """Follow the runs of a batch."""
    try:
        caller = await visitor_of(request)
        shape = Shape(await watcher_of_batch(batch, service, caller), f"batch-{batch}")
        return await _answer(shape, request, service, caller)
    except (Unauthorized, Forbidden, NotFound, Malformed) as error:
        return _refused(error, request, service)


def _shape_of_tags(request: Request, service: Service, caller: Caller) -> Shape:
    watcher = watcher_of_tags(request.query_params.get("tags", ""), caller)
    named = hashlib.sha256("\0".join(sorted(watcher.tags)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    # The window begins where it did when the subscription was made, which its handle says.
    before = re.fullmatch(rf"tags-{named}-(\d{{1,15}})", request.query_params.get("handle", ""))
    since = int(before[1]) if before else service.clock.now().wall - _window(request.query_params.get("createdAt"))
    return Shape(watcher, f"tags-{named}-{since}", since)


def _window(asked: str | None) -> int:
    if asked is None:
        return WINDOW_MS
    try:
        return min(WINDOW_MS, durations.parse_duration(asked))
    except InvalidInput as error:
        raise Malformed(f"createdAt: {error}") from error


async def _answer(shape: Shape, request: Request, service: Service, caller: Caller) -> Response:
    query = request.query_params
    skipped = frozenset(
        (*query.get("skipColumns", "").split(","), *(caller.grant.skip_columns if caller.grant else ()))
    )
    offset = query.get("offset", BEGINNING)
    if offset == BEGINNING:
        position, operation = -1, "insert"
    else:
        match = _OFFSET.fullmatch(offset)
        # A position that there is not yet is one of a ledger that lost its tail.
        if match is None or query.get("handle") != shape.handle or int(match[1]) > await service.head():
            return _must_refetch(shape)
        position, operation = int(match[1]), "update"
    with service.watching.watcher(shape.watcher) as watcher:
        try:
            found, upto = await changed(shape, position, service)
        except TooMuchChanged:
            return _must_refetch(shape)
        rows = [await row_of(each, service, skipped) async for each in found]
        if not rows and query.get("live") == "true" and not service.watching.is_closed:
            stay = Stay(caller, service)
            news = await watcher.news(stay.at_most(HOLD_SECONDS))
            stay.check()
            wanted = (each for each in news if each.row.position > upto and shape.has(each))
            rows = [await row_of(each, service, skipped) for each in wanted]
            # All that was committed up to there, and is watched, has arrived.
            upto = max(upto, service.watching.told)
    # A run may be read with a commit that the head does not know of yet: it is told again then, and no offset refused.
    told = min(upto, await service.head())
    return _respond([_message(row, operation) for row in rows], shape.handle, told)


def _message(row: dict[str, Any], operation: str) -> dict[str, Any]:
    return {"key": f'"public"."TaskRun"/"{row["id"]}"', "value": row, "headers": {"operation": operation}}


def _respond(messages: Sequence[dict[str, Any]], handle: str, position: int) -> Response:
    body = [*messages, {"headers": {"control": "up-to-date"}}]
    headers = {
        "electric-handle": handle,
        "electric-offset": f"{position}_0",
        "electric-cursor": str(position),
        "electric-up-to-date": "",
        # Columns are told as JSON has them, so nothing has to be parsed.
        "electric-schema": "{}",
        "cache-control": "no-store",
    }
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)


def _must_refetch(shape: Shape) -> Response:
    body = [{"headers": {"control": "must-refetch"}}]
    headers = {"electric-handle": shape.handle, "cache-control": "no-store"}
    return Response(msgspec.json.encode(body), 409, headers, "application/json")


def _refused(error: Exception, request: Request, service: Service) -> Response:
    """Raises the error again, except to the official client's first request, which has to be told otherwise."""
    if CLIENT_HEADER not in request.headers or request.query_params.get("handle") == REFUSED:
        raise error
    row = refusal_row(str(error), service.clock.now().wall)
    return _respond([_message(row, "insert")], REFUSED, 0)
