"""Sinks: where the events of the environment are streamed to, and how far that is."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.keeping.sinks import check_spec
from app.names import named
from app.service import Service
from app.web import bodies
from app.web.caller import CallerDep, ServiceDep, origin_of, read_body
from app.web.docs import body_of
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
async def list_sinks(service: ServiceDep, caller: CallerDep) -> Response:
    """The sinks of the environment, oldest first, with how far they are and what holds them up."""
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
    spec, progress = sink.spec, service.sinks.progress.get(sink.id)
    target = {"file": spec.file} if spec.file else {"url": spec.url, "secret": spec.secret}
    position = sink.position if progress is None else progress.position
    delivered_at = progress.delivered_at if progress else None
    return {
        "id": sink.id,
        "name": spec.name,
        **target,
        "format": spec.format,
        "position": position,
        "lag": max(0, service.loop.feed.head.position - position),
        "attempts": progress.attempts if progress else 0,
        "error": progress.error if progress else None,
        "deliveredAt": None if delivered_at is None else iso(delivered_at),
        "createdAt": iso(sink.created_at),
    }
