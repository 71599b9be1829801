"""Routes about variables, in the shapes of Trigger.dev's management API: what workers find in their environment."""

from collections.abc import Collection
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.engine.reader import Reader
from app.history.moments import Moment
from app.vault import variables
from app.web import bodies
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, origin_of, read_body
from app.web.docs import body_of
from app.web.errors import Forbidden
from app.web.history import AsOf, moment_asked, up_to
from app.web.routing import room
from app.web.triggering import json
from domain import commands, states
from domain.environment import Environment
from domain.errors import NotFound

router = room("variables")
PATH = "/api/v1/projects/{project}/envvars/{slug}"
BODY_MAX_BYTES = 1_048_576
REDACTED = "<redacted>"
SHORT = {"DEVELOPMENT": "dev", "STAGING": "stg", "PRODUCTION": "prod", "PREVIEW": "preview"}
"""What the official SDK calls environments of a type."""
DONE = {"success": True}


@router.get(PATH)
async def list_variables(
    slug: str,
    project: str,  # noqa: ARG001
    reader: ReaderDep,
    caller: CallerDep,
    as_of: AsOf = None,
) -> Response:
    """The variables of the environment, as they are or were; the values of secret ones are redacted.

    Those of then are redacted, too, of variables that were removed or made secret since. A key has one project.
    """
    environment, hidden = await _at(await moment_asked(as_of, reader), _entered(slug, caller), reader)
    return json([_item(name, environment, reader, hidden) for name in sorted(environment.variables)])


@router.post(PATH, openapi_extra=body_of("CreateVariableRequest"))
async def create(slug: str, project: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:  # noqa: ARG001
    """Give workers that start from now on a variable; one of that name is replaced."""
    _entered(slug, caller)
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.CreateVariableBody)
    origin = origin_of(service, caller)
    await variables.save(service, {body.name: body.value}, origin, is_secret=body.is_secret)
    return json(DONE)


@router.post(f"{PATH}/import", openapi_extra=body_of("ImportVariablesRequest"))
async def upload(slug: str, project: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:  # noqa: ARG001
    """Give workers that start from now on many variables, all or none."""
    _entered(slug, caller)
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ImportVariablesBody)
    origin = origin_of(service, caller)
    await variables.save(service, body.variables, origin, is_secret=body.is_secret, replaces=body.override)
    return json(DONE)


@router.get(f"{PATH}/{{name}}")
async def retrieve(
    slug: str,
    project: str,  # noqa: ARG001
    name: str,
    reader: ReaderDep,
    caller: CallerDep,
    as_of: AsOf = None,
) -> Response:
    """A variable as it is, or as it was; redacted as in the list."""
    then = await moment_asked(as_of, reader)
    environment, hidden = await _at(then, _entered(slug, caller), reader)
    if then is not None and name not in environment.variables:
        raise NotFound(f"This environment had no variable {name[:200]}.")
    return json(_item(_known(name, environment), environment, reader, hidden))


@router.put(f"{PATH}/{{name}}", openapi_extra=body_of("UpdateVariableRequest"))
async def update(
    slug: str,
    project: str,  # noqa: ARG001
    name: str,
    request: Request,
    service: ServiceDep,
    caller: CallerDep,
) -> Response:
    """Give a variable that there is another value."""
    environment = _entered(slug, caller)
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.UpdateVariableBody)
    is_secret = environment.variables[_known(name, environment)].is_secret
    await variables.save(service, {name: body.value}, origin_of(service, caller), is_secret=is_secret)
    return json(DONE)


@router.delete(f"{PATH}/{{name}}")
async def remove(slug: str, project: str, name: str, service: ServiceDep, caller: CallerDep) -> Response:  # noqa: ARG001
    """Take a variable away."""
    _entered(slug, caller)
    await service.loop.submit(commands.RemoveVariable(name=name, **origin_of(service, caller)))
    return json(DONE)


@router.get("/worker/v1/variables")
async def of_worker(reader: ReaderDep, caller: CallerDep) -> Response:
    """All variables with their values, for a worker that starts."""
    environment = caller.environment
    values = {name: variables.opened(reader, environment, name) for name in sorted(environment.variables)}
    return json({"variables": values})


def _entered(slug: str, caller: Caller) -> Environment:
    """The caller's environment, if that is the one in the path. Raises Forbidden."""
    environment = caller.environment
    if slug not in {environment.slug, SHORT[environment.type]}:
        raise Forbidden(f"This key opens the environment {environment.slug} only: use one of {slug[:60]}.")
    return environment


async def _at(then: Moment | None, environment: Environment, reader: Reader) -> tuple[Environment, set[str]]:
    """The environment as it is or was, and the variables whose values are not told. Raises NotFound."""
    if then is None:
        return environment, {name for name, each in environment.variables.items() if each.is_secret}
    history = await reader.history(environment.id)
    past = states.fold(up_to(then, history, f"Environment {environment.id}"))
    assert isinstance(past, Environment), "its history is of nothing else"
    return past, variables.untold(reader, history, past, then.position)


def _known(name: str, environment: Environment) -> str:
    if name not in environment.variables:
        raise NotFound(f"This environment has no variable {name[:200]}.")
    return name


def _item(name: str, environment: Environment, reader: Reader, hidden: Collection[str]) -> dict[str, Any]:
    value = REDACTED if name in hidden else variables.opened(reader, environment, name)
    return {"name": name, "value": value, "isSecret": environment.variables[name].is_secret}
