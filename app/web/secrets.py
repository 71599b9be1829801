"""Secrets of requests: values go in here, and never come out again."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.vault import secrets
from app.web import bodies
from app.web.caller import CallerDep, ReaderDep, ServiceDep, origin_of, read_body
from app.web.docs import body_of
from app.web.history import AsOf, position_asked
from app.web.routing import room
from app.web.triggering import json
from domain import commands
from domain.durations import iso
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.requests import is_secret_name
from domain.secret import Secret

router = room("secrets")
BODY_MAX_BYTES = 2 * secrets.VALUE_MAX_BYTES + 1_024
CREATED = 201


@router.get("/v1/secrets")
async def list_secrets(reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The secrets of the environment by name, as they are or were, without their values."""
    upto = await position_asked(as_of, reader)
    found = await secrets.secrets_of(reader, caller.environment.id, upto=upto)
    return json({"data": [_item(each) for each in found]})


@router.post("/v1/secrets", status_code=CREATED, openapi_extra=body_of("NewSecretRequest"))
async def create(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Save a new secret. One that is there is not replaced: that is what PUT is for."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.NewSecretBody)
    name = _named(body.name)
    try:
        await secrets.secret_of(service, caller.environment.id, name)
    except NotFound:
        response = json(_item(await secrets.save(service, name, body.value, origin_of(service, caller))))
        response.status_code = CREATED
        return response
    raise NotAllowed(f"There is a secret {name} already: PUT /v1/secrets/{name} gives it another value.")


@router.get("/v1/secrets/{name}")
async def retrieve(name: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """A secret as it is, or as it was, without its value."""
    upto = await position_asked(as_of, reader)
    return json(_item(await secrets.secret_of(reader, caller.environment.id, name, upto=upto)))


@router.put("/v1/secrets/{name}", openapi_extra=body_of("SecretRequest"))
async def save(name: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Give a secret a value, encrypted; the one before is replaced in one step, so that it is never without one."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.SecretBody)
    return json(_item(await secrets.save(service, _named(name), body.value, origin_of(service, caller))))


@router.delete("/v1/secrets/{name}")
async def remove(name: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Forget the value. Requests that refer to it fail from then on, before anything is sent."""
    await service.loop.submit(commands.RemoveSecret(name=name, **origin_of(service, caller)))
    return json({"name": name, "deleted": True})


def _named(name: str) -> str:
    if not is_secret_name(name):
        raise InvalidInput("The name of a secret has 1 to 128 letters, digits, dots, dashes and underscores.")
    return name


def _item(secret: Secret) -> dict[str, Any]:
    return {
        "id": secret.id,
        "name": secret.name,
        "version": secret.revision,
        "created_at": iso(secret.created_at),
        "updated_at": iso(secret.updated_at),
        "key_name": secret.key,
    }
