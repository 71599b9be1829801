"""Routes about public tokens, which open a part of an environment to browsers."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app import public_tokens
from app.service import Service
from app.web import bodies
from app.web.caller import Caller, CallerDep, ServiceDep, origin_of, read_body
from app.web.docs import body_of
from app.web.errors import Malformed
from app.web.routing import room
from app.web.triggering import json
from domain import commands, durations
from domain.errors import InvalidInput, KeyMissing

router = room("public tokens")
BODY_MAX_BYTES = 65_536
GOOD_FOR_MS = 900_000
"""How long a token is good that does not say so."""


@router.post("/api/v1/auth/jwt/claims")
async def claims(service: ServiceDep, caller: CallerDep) -> Response:
    """What a token must claim that its holder signs with the secret key that this is asked with."""
    await _keep_key(service, caller)
    return json(public_tokens.claims_of(caller.environment.id) | _unique(service))


@router.post("/api/v1/auth/public-tokens", openapi_extra=body_of("PublicTokenRequest"))
async def create(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make a public token with these scopes. Answers `{"token"}`."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.PublicTokenBody)
    await _keep_key(service, caller)
    now = service.clock.now().wall
    more = _unique(service) | ({"otu": True} if body.one_time_use else {})
    if body.realtime is not None:
        more["realtime"] = body.realtime
    expires = _expiry(body.expiration_time, now)
    token = public_tokens.signed(caller.key, caller.environment.id, body.scopes, now, expires, **more)
    return json({"token": token})


def _unique(service: Service) -> dict[str, Any]:
    """Without it two tokens of the same second would be one, of which only one could be used."""
    return {"jti": service.vault.randbytes(16).hex()}


async def _keep_key(service: Service, caller: Caller) -> None:
    """Keep the key that a token is signed with, if it was made before keys were. Raises KeyMissing."""
    if caller.sha256 in caller.environment.sealed_keys:
        return
    sealed = public_tokens.seal_key(service.vault, caller.environment.id, caller.sha256, caller.key)
    if sealed is None:
        raise KeyMissing(
            "Public tokens need secret keys that are kept encrypted: start the engine with RUNFOLD_ENCRYPTION_KEY."
        )
    await service.loop.submit(commands.SealKey(sha256=caller.sha256, sealed=sealed, **origin_of(service, caller)))


def _expiry(asked: str | int | None, now: int) -> int:
    """A duration from now, or a moment in seconds since 1970."""
    match asked:
        case None:
            return now + GOOD_FOR_MS
        case int():
            return asked * 1_000
        case _:
            try:
                return now + durations.parse_duration(asked)
            except InvalidInput as error:
                raise Malformed(str(error)) from error
