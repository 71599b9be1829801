"""Alert channels: who is told of failures, and how."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.engine.reader import Reader
from app.http_jobs import alerts
from app.web import bodies
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, origin_of, read_body
from app.web.channel_specs import spec_of
from app.web.docs import body_of
from app.web.history import AsOf, position_asked
from app.web.routing import room
from app.web.triggering import json
from domain import commands
from domain.channel import EMAIL, Channel
from domain.durations import duration_text, iso

router = room("alerts")
BODY_MAX_BYTES = 65_536
CREATED = 201
ACCEPTED = 202


@router.get("/v1/alerts")
async def list_channels(reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The alert channels of the environment, newest first, as they are or were."""
    upto = await position_asked(as_of, reader)
    channels = await alerts.channels_of(reader, caller.environment.id, upto=upto)
    return json({"data": await _items(reader, caller, channels, upto=upto)})


@router.post("/v1/alerts", status_code=CREATED, openapi_extra=body_of("ChannelRequest"))
async def create(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let somebody be told when runs fail, recover, or jobs pause themselves."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ChannelBody)
    (item,) = await _items(service, caller, [await alerts.save(service, spec_of(body), origin_of(service, caller))])
    response = json(item)
    response.status_code = CREATED
    return response


@router.get("/v1/alerts/{channel}")
async def retrieve(channel: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """An alert channel, and what fails, or failed then, as far as it heard."""
    upto = await position_asked(as_of, reader)
    found = await alerts.channel_of(reader, caller.environment.id, channel, upto=upto)
    (item,) = await _items(reader, caller, [found], upto=upto)
    return json(item)


@router.post("/v1/alerts/{channel}/test", status_code=ACCEPTED)
async def test(channel: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Send a message of the type channel.test by an alert channel. Answers the execution that does so."""
    origin = origin_of(service, caller)
    run = service.ids.new("run", origin["at"])
    await service.loop.submit(commands.TestChannel(channel=channel, run=run, **origin))
    response = json({"execution_id": run})
    response.status_code = ACCEPTED
    return response


@router.delete("/v1/alerts/{channel}")
async def remove(channel: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Let nobody be told by it any more. What is under way is still sent."""
    await service.loop.submit(commands.RemoveChannel(channel=channel, **origin_of(service, caller)))
    return json({"id": channel, "deleted": True})


async def _items(
    reader: Reader, caller: Caller, channels: Sequence[Channel], *, upto: int | None = None
) -> list[dict[str, Any]]:
    return [_item(*each) for each in await alerts.with_errors(reader, caller.environment.id, channels, upto=upto)]


def _item(channel: Channel, error: str | None) -> dict[str, Any]:
    spec = channel.spec
    item: dict[str, Any] = {
        "id": channel.id,
        "name": spec.name,
        "kind": spec.kind,
        "on": spec.on,
        "tasks": spec.tasks,
        "jobs": spec.jobs,
        "repeat": spec.repeat,
        "digest": None if spec.digest_ms is None else duration_text(spec.digest_ms),
        "waiting": channel.held,
        "certificate_days": spec.certificate_days,
        "failing": sorted(channel.failing),
        "error": error,
        "created_at": iso(channel.created_at),
    }
    if spec.kind == EMAIL:
        return item | {"to": spec.to}
    return item | {"url": spec.url, "headers": spec.headers, "secret": spec.secret}
