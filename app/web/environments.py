"""Environments and their secret keys: made with the admin key, the keys of one also with a key of its own."""

import re
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.engine import environments
from app.engine.aggregates import until
from app.engine.environments import KeyRow
from app.engine.reader import Reader
from app.names import named
from app.service import Service
from app.turns.hand_outs import describe
from app.web import bodies
from app.web.caller import Keeper, KeeperDep, ReaderDep, ServiceDep, read_body
from app.web.docs import body_of
from app.web.errors import Forbidden
from app.web.history import AsOf, position_asked
from app.web.routing import room
from app.web.triggering import json
from domain import commands, keys
from domain.durations import iso
from domain.environment import PREFIXES, Environment
from domain.errors import InvalidInput, NotAllowed

router = room("environments")
BODY_MAX_BYTES = 65_536
LIMIT_MAX = 100_000
SLUG = re.compile("[a-z0-9][a-z0-9-]{0,59}")


@router.post("/api/v1/environments", openapi_extra=body_of("CreateEnvironmentRequest"))
async def create(request: Request, service: ServiceDep, keeper: KeeperDep) -> Response:
    """Make an environment and its first key, which is told this once. Takes the admin key."""
    if keeper.environment is not None:
        raise Forbidden("Only the admin key makes environments: the engine has it in RUNFOLD_ADMIN_KEY.")
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.CreateEnvironmentBody)
    command, key = _creation(body, service, keeper)
    await service.loop.submit(command)
    environment = service.loop.engine.memory.environment(command.environment)
    assert environment is not None, "it was made just now"
    assert command.first_key is not None, "it was made with a key"
    return json(_item(environment) | {"key": key, "hint": command.first_key.hint})


@router.get("/api/v1/environments")
async def list_environments(reader: ReaderDep, keeper: KeeperDep, as_of: AsOf = None) -> Response:
    """All environments with the admin key, as they are or were; with a key of one, that one."""
    found = await environments.all_of(reader, upto=await position_asked(as_of, reader))
    mine = [each for each in found if keeper.environment is None or each.id == keeper.environment.id]
    return json({"data": [_item(each) for each in mine]})


@router.get("/api/v1/environments/{slug}/keys")
async def list_keys(slug: str, reader: ReaderDep, keeper: KeeperDep, as_of: AsOf = None) -> Response:
    """The secret keys that open an environment, or opened it then, by what is known of them."""
    environment = await _entered(slug, reader, keeper)
    upto = await position_asked(as_of, reader)
    rows = environments.keys_in(until(upto, await reader.history(environment.id)))
    return json({"data": [_key_item(row) for row in rows]})


@router.post("/api/v1/environments/{slug}/keys")
async def create_key(slug: str, service: ServiceDep, keeper: KeeperDep) -> Response:
    """Make another secret key of an environment, which is told this once, and again to who sends this again."""
    environment = await _entered(slug, service, keeper)
    key = environments.new_key(environment.type, service.vault.randbytes)
    new = environments.created(key, environment.id, service.vault)
    origin = _origin(environment.id, service, keeper)
    request = _request_of(environment, keeper)
    sha256: str = await service.loop.submit(
        commands.AddKey(sha256=new.sha256, hint=new.hint, sealed=new.sealed, request=request, **origin)
    )
    if sha256 != new.sha256:
        key = _made_before(sha256, environment.id, service)
    return json({"key": key, "id": sha256[: environments.KEY_ID_LENGTH], "hint": environments.hint_of(key)})


@router.delete("/api/v1/environments/{slug}/keys/{key}")
async def revoke_key(slug: str, key: str, service: ServiceDep, keeper: KeeperDep) -> Response:
    """Take a secret key back, named by its id, its hint or the beginning of its SHA-256. The last one stays."""
    environment = await _entered(slug, service, keeper)
    row = environments.key_among(environments.keys_in(await service.history(environment.id)), key)
    origin = _origin(environment.id, service, keeper)
    await service.loop.submit(commands.RevokeKey(sha256=row.sha256, **origin))
    return json({"id": row.id, "hint": row.hint})


def _request_of(environment: Environment, keeper: Keeper) -> str | None:
    """The name of the request's own key: what it made is told to the same keeper alone."""
    if not keeper.request_key:
        return None
    return keys.stream_of(environment.id, "request", f"key {keeper.actor}", keeper.request_key)


def _made_before(sha256: str, environment: str, service: Service) -> str:
    """The secret key that the request made when it was sent first. Raises NotAllowed, KeyMissing, SealBroken."""
    now = service.loop.engine.memory.environment(environment)
    assert now is not None, "it has been entered"
    made = f"Key {sha256[: environments.KEY_ID_LENGTH]}"
    if sha256 not in now.keys:
        raise NotAllowed(f"{made}, which was made when this was sent first, was revoked since: make another one.")
    if sha256 not in now.sealed_keys:
        raise NotAllowed(
            f"{made} was made when this was sent first, and cannot be told again, because it is not kept: revoke it and"
            " make another one."
        )
    return service.keyring.open(environment, sha256, now.sealed_keys[sha256])


async def _entered(slug: str, reader: Reader, keeper: Keeper) -> Environment:
    """The environment of this slug, if the keeper may look after its keys. Raises Forbidden, NotFound."""
    if keeper.environment is None:
        return await environments.with_slug(reader, slug)
    if keeper.environment.slug != slug:
        raise Forbidden(f"This key opens the environment {keeper.environment.slug} only: use one of {slug}.")
    return keeper.environment


def _creation(
    body: bodies.CreateEnvironmentBody, service: Service, keeper: Keeper
) -> tuple[commands.CreateEnvironment, str]:
    """The command, and the key that it makes. Raises InvalidInput."""
    kind = body.type.upper()
    if kind not in PREFIXES.values():
        raise InvalidInput(f"There is no type {body.type[:40]!r}; types are {', '.join(PREFIXES.values())}.")
    if not SLUG.fullmatch(body.slug):
        raise InvalidInput("A slug has 1 to 60 small letters, digits and hyphens, no hyphen first.")
    limit = body.concurrency_limit
    if limit is not None and limit > LIMIT_MAX:
        raise InvalidInput(f"The concurrency limit of an environment is 0 to {LIMIT_MAX}, not {limit}.")
    key = environments.new_key(kind, service.vault.randbytes)
    origin = _origin(service.ids.new("env", service.clock.now().wall), service, keeper)
    command = commands.CreateEnvironment(
        slug=body.slug,
        type=kind,
        project=named(body.project, "name of a project"),
        organization=named(body.organization, "name of an organization"),
        concurrency_limit=limit,
        first_key=environments.created(key, origin["environment"], service.vault),
        **origin,
    )
    return command, key


def _item(environment: Environment) -> dict[str, Any]:
    limit = environment.concurrency_limit
    return describe(environment) | ({} if limit is None else {"concurrencyLimit": limit})


def _key_item(row: KeyRow) -> dict[str, Any]:
    return {"id": row.id, "hint": row.hint, "createdAt": iso(row.created_at), "createdBy": row.actor}


def _origin(environment: str, service: Service, keeper: Keeper) -> dict[str, Any]:
    at = service.clock.now().wall
    return {"environment": environment, "actor": keeper.actor, "cause": keeper.cause, "at": at}
