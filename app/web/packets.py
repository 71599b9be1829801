"""Routes about packets: a URL to upload a large payload to before it is triggered with, and others to download from."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app import packets
from app.engine.triggered import asked_of
from app.history.outcomes import output_of
from app.service import Service
from app.values import PAYLOAD_MAX_BYTES
from app.web.caller import Caller, CallerDep, ServiceDep, public_url_of, read_body
from app.web.docs import PACKET_PATH
from app.web.errors import Unauthorized
from app.web.routing import room
from app.web.triggering import json
from domain.errors import InvalidInput, NotFound
from domain.events import JSON_TYPE, NOTHING
from domain.packet import PACKET

router = room("packets")
NAMES = ("payload", "output")
CONTENT_TYPE_MAX = 128
NO_PAGE = {
    "content-disposition": "attachment",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
}
"""What somebody uploaded comes from the address of the dashboard, and whatever it calls itself, it is no page of it."""


class AnyPacket(Response):
    """A packet, of the media type that it was uploaded with."""

    media_type = "*/*"


@router.put("/api/v2/packets/{path:path}")
async def create(path: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:  # noqa: ARG001 (packets are named here)
    """Where to upload a payload. Answers `{"presignedUrl", "storagePath"}`; `path` is the client's own name for it."""
    packet = service.ids.new(PACKET, service.clock.now().wall)
    url = _url(request, service, caller, "PUT", packet, "payload")
    return json({"presignedUrl": url, "storagePath": packet})


@router.get("/api/v1/packets/{packet}")
async def find(packet: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Where to download what was uploaded."""
    found = await packets.packet_of(service, caller.environment.id, packet)
    return json({"presignedUrl": _url(request, service, caller, "GET", found.id, "payload")})


@router.get("/api/v1/runs/{run}/packets/{name}")
async def find_of_run(run: str, name: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Where to download the `payload` or the `output` of a run."""
    await _value_of(run, name, service, caller.environment.id)
    return json({"presignedUrl": _url(request, service, caller, "GET", run, name)})


@router.put(PACKET_PATH)
async def upload(stream: str, name: str, request: Request, service: ServiceDep) -> Response:
    """Upload a payload to the URL that was given out for it. No key is needed; the media type is kept."""
    query = _checked(request, service)
    if not stream.startswith(f"{PACKET}_") or name != "payload":
        raise Unauthorized("This is no URL to upload to.")
    content_type = request.headers.get("content-type") or JSON_TYPE
    if len(content_type) > CONTENT_TYPE_MAX or not content_type.isprintable() or not content_type.isascii():
        raise InvalidInput(f"The media type of a packet has at most {CONTENT_TYPE_MAX} visible characters.")
    body = await read_body(request, PAYLOAD_MAX_BYTES)
    cause = f"{request.method} {request.url.path}"
    origin: dict[str, Any] = {"environment": query["environment"], "actor": "upload", "cause": cause}
    await packets.store(service, stream, body, content_type, origin | {"at": service.clock.now().wall})
    return json({"storagePath": stream})


@router.get(PACKET_PATH, response_class=AnyPacket)
async def download(stream: str, name: str, request: Request, service: ServiceDep) -> Response:
    """Download from a URL that was given out. No key is needed."""
    query = _checked(request, service)
    value, kind = await _value_of(stream, name, service, query["environment"])
    return AnyPacket(packets.as_uploaded(value, kind), media_type=kind, headers=NO_PAGE)


def _url(request: Request, service: Service, caller: Caller, method: str, stream: str, name: str) -> str:
    path, now = PACKET_PATH.format(stream=stream, name=name), service.clock.now().wall
    query = packets.signed_query(service.vault, method, path, caller.environment.id, now)
    return f"{public_url_of(request)}{path}?{query}"


def _checked(request: Request, service: Service) -> dict[str, str]:
    """The query of a URL that was given out for this. Raises Unauthorized."""
    query = dict(request.query_params)
    if not packets.is_signed(service.vault, request.method, request.url.path, query, service.clock.now().wall):
        raise Unauthorized("This URL was not given out here, or not for this, or its time is over: ask for another.")
    return query


async def _value_of(stream: str, name: str, service: Service, environment: str) -> tuple[Any, str]:
    if name not in NAMES:
        raise NotFound(f"There is no packet {name[:40]}: a run has {' and '.join(NAMES)}.")
    if stream.startswith(f"{PACKET}_"):
        packet = await packets.packet_of(service, environment, stream)
        return await service.value(NOTHING, packet.blob), packet.content_type
    history = await service.history(stream) if stream.startswith("run_") else ()
    if not history or history[0].environment != environment:
        raise NotFound(f"Run {stream} not found.")
    if name == "output":
        value, kind = await output_of(history, service)
    else:
        asked = asked_of(history)
        value = await service.value(asked.payload, asked.payload_blob)
        kind = asked.payload_type
    if value == NOTHING:
        raise NotFound(f"Run {stream} has no {name}.")
    return value, kind
