"""Sinks: where the events of the environment are streamed to, and how far that is."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.engine.aggregates import states_of
from app.keeping.sinks import check_spec
from app.names import named
from app.service import Service
from app.web import bodies
from app.web.caller import CallerDep, ServiceDep, origin_of, read_body
from app.web.docs import body_of
from app.web.history import AsOf, position_asked
from app.web.routing import room
from app.web.triggering import json
from domain import commands
from domain.durations import iso
from domain.events import SinkSpec
from domain.sink import SINK, Sink

router = room("sinks")
BODY_MAX_BYTES = 65_536
CREATED = 201


@router.get("/api/v1/sinks")
async def list_sinks(service: ServiceDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The sinks of the environment, oldest first, with how far they are and what holds them up.

    Of a moment, `position` is what was noted in the ledger of how far they were, and what held them up is not told.
    """
    upto = await position_asked(as_of, service)
    if upto is not None:
        then = await states_of(service, SINK, caller.environment.id, upto=upto)
        there = [each for each in then if isinstance(each, Sink) and not each.is_removed]
        return json({"data": [_spec_item(each) for each in sorted(there, key=lambda sink: sink.id)]})
    # Nobody is told of anything that may not come to be.
    await service.loop.committed(caller.environment.id)
    ours = [each for each in service.loop.engine.memory.sinks.values() if each.environment == caller.environment.id]
    return json({"data": [_item(each, service) for each in sorted(ours, key=lambda sink: sink.id)]})


@router.post("/api/v1/sinks", status_code=CREATED, openapi_extra=body_of("SinkRequest"))
async def add(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Stream the events of the environment to a URL, or into a file, from now on or from behind a position."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.SinkBody)
    spec = SinkSpec(named(body.name, "name of a sink"), body.url or "", body.secret, body.file or "", body.format)
    check_spec(spec, service.sinks.folder)
    origin = origin_of(service, caller)
    after = service.loop.feed.head.position if body.after is None else body.after
    sink: Sink = await service.loop.submit(
        commands.AddSink(sink=service.ids.new(SINK, origin["at"]), spec=spec, after=after, **origin)
    )
    service.sinks.look()
    response = json(_item(sink, service))
    response.status_code = CREATED
    return response


@router.delete("/api/v1/sinks/{sink}")
async def remove(sink: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Stream nothing there any more."""
    await service.loop.submit(commands.RemoveSink(sink=sink, **origin_of(service, caller)))
    service.sinks.look()
    return json({"id": sink, "deleted": True})


def _item(sink: Sink, service: Service) -> dict[str, Any]:
    progress = service.sinks.progress.get(sink.id)
    position = sink.position if progress is None else progress.position
    delivered_at = progress.delivered_at if progress else None
    return _spec_item(sink) | {
        "position": position,
        "lag": max(0, service.loop.feed.head.position - position),
        "attempts": progress.attempts if progress else 0,
        "error": progress.error if progress else None,
        "deliveredAt": None if delivered_at is None else iso(delivered_at),
    }


def _spec_item(sink: Sink) -> dict[str, Any]:
    spec = sink.spec
    target = {"file": spec.file} if spec.file else {"url": spec.url, "secret": spec.secret}
    return {
        "id": sink.id,
        "name": spec.name,
        **target,
        "format": spec.format,
        "position": sink.position,
        "createdAt": iso(sink.created_at),
    }
