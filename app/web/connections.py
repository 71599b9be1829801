"""Connections: the credentials that tasks work with go in here, and never come out again."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.names import named
from app.service import Service
from app.vault import connections, secrets
from app.web import bodies
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, read_body
from app.web.docs import body_of
from app.web.history import AsOf, position_asked
from app.web.routing import room
from app.web.triggering import json
from domain import commands
from domain.connection import Connection
from domain.durations import iso

router = room("connections")
BODY_MAX_BYTES = 2 * connections.SECRET_MAX_BYTES


@router.get("/api/v1/connections")
async def list_connections(reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The connections of the environment by name, as they are or were, without their credentials."""
    upto = await position_asked(as_of, reader)
    found = await connections.connections_of(reader, caller.environment.id, upto=upto)
    return json({"data": [_item(each) for each in found]})


@router.post("/api/v1/connections/rotate")
async def rotate(service: ServiceDep, caller: CallerDep) -> Response:
    """Encrypt with the first key of the engine whatever is encrypted with another. Safe to repeat."""
    origin = _origin(service, caller)
    rotated, unchanged = await connections.rotate(service, origin)
    of_secrets, others = await secrets.rotate(service, origin)
    return json({"rotated": rotated + of_secrets, "unchanged": unchanged + others})


@router.get("/api/v1/connections/{name:path}")
async def retrieve(name: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """A connection as it is, or as it was, without its credentials."""
    upto = await position_asked(as_of, reader)
    return json(_item(await connections.connection_of(reader, caller.environment.id, name, upto=upto)))


@router.put("/api/v1/connections/{name:path}", openapi_extra=body_of("CredentialsRequest"))
async def save(name: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Keep credentials, any JSON, encrypted under this name; those before are replaced. Runs that wait for it go on."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.CredentialsBody)
    name = named(name, "connection name")
    return json(_item(await connections.save(service, name, body.credentials, _origin(service, caller))))


@router.delete("/api/v1/connections/{name:path}")
async def remove(name: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Forget the credentials. Runs that need them wait from then on."""
    await service.loop.submit(commands.RemoveConnection(name=name, **_origin(service, caller)))
    return json({"name": name})


def _item(connection: Connection) -> dict[str, Any]:
    return {
        "name": connection.name,
        "createdAt": iso(connection.created_at),
        "updatedAt": iso(connection.updated_at),
        "keyName": connection.key,
    }


def _origin(service: Service, caller: Caller) -> dict[str, Any]:
    at = service.clock.now().wall
    return {"environment": caller.environment.id, "actor": caller.actor, "cause": caller.cause, "at": at}
