"""Deployments: the versions of the tasks of an environment, in the shapes of Trigger.dev's management API."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response

from app.deployments import Deployment, deployment_among, deployments_in
from app.engine.reader import Reader
from app.history.moments import Moment
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep
from app.web.errors import Malformed
from app.web.history import AsOf, moment_asked
from app.web.listing import moment
from app.web.routing import room
from app.web.triggering import json
from domain import commands, durations
from domain.durations import iso
from domain.errors import InvalidInput, NotFound

router = room("deployments")
SIZE, SIZE_MAX = 20, 100
STATUSES = ("PENDING", "BUILDING", "DEPLOYING", "DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT")
_SHORT = 8


@router.get("/api/v1/deployments")
async def list_deployments(
    reader: ReaderDep,
    caller: CallerDep,
    status: Annotated[str | None, Query(description="Every deployment is DEPLOYED.")] = None,
    period: Annotated[str | None, Query(description="A duration such as 7d: those created within it.")] = None,
    created_from: Annotated[str | None, Query(alias="from", description="Milliseconds or an ISO 8601 date.")] = None,
    created_to: Annotated[str | None, Query(alias="to", description="Milliseconds or an ISO 8601 date.")] = None,
    size: Annotated[int, Query(alias="page[size]", ge=1, le=SIZE_MAX, description="1 to 100; 20 if left out.")] = SIZE,
    after: Annotated[str | None, Query(alias="page[after]", description="The `next` cursor of a page.")] = None,
    as_of: AsOf = None,
) -> Response:
    """The deployments of the environment, newest first, as they are or were."""
    if status is not None and status not in STATUSES:
        raise Malformed(f"There is no status {status[:40]!r} of deployments; there are {', '.join(STATUSES)}.")
    then = await moment_asked(as_of, reader)
    first, last = _span(period, created_from, created_to, reader.clock.now().wall if then is None else then.wall)
    found = await _all(reader, caller, then)
    found = found[_index_behind(after, found) :]
    found = [each for each in found if first <= each.created_at <= last and status in {None, "DEPLOYED"}]
    page = found[:size]
    pagination = {"next": _cursor_of(page[-1])} if len(found) > size else {}
    return json({"data": [_item(each) for each in page], "pagination": pagination})


@router.get("/api/v1/deployments/current")
async def current(reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The deployment whose version new runs get, or got."""
    then = await _all(reader, caller, await moment_asked(as_of, reader))
    found = next((each for each in then if each.is_current), None)
    if found is None:
        raise NotFound("No deployment of this environment was promoted yet.")
    return json(_item(found))


@router.get("/api/v1/deployments/latest")
async def latest(reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The newest deployment, promoted or not, of now or then."""
    found = await _all(reader, caller, await moment_asked(as_of, reader))
    if not found:
        raise NotFound("This environment has no deployment yet.")
    return json(_item(found[0]))


@router.get("/api/v1/deployments/{deployment}")
async def retrieve(deployment: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """A deployment, by its id or its version, as it is or was."""
    then = await _all(reader, caller, await moment_asked(as_of, reader))
    return json(_item(deployment_among(then, deployment)))


@router.post("/api/v1/deployments/{deployment}/promote")
async def promote(deployment: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Make a deployment, by its version or its id, the current one. Safe to repeat."""
    found = deployment_among(await _all(service, caller), deployment)
    command = commands.PromoteVersion(
        environment=caller.environment.id,
        actor=caller.actor,
        cause=caller.cause,
        at=service.clock.now().wall,
        version=found.version,
    )
    await service.loop.submit(command)
    return json(_item(deployment_among(await _all(service, caller), found.id)))


async def _all(reader: Reader, caller: Caller, then: Moment | None = None) -> list[Deployment]:
    history = await reader.history(caller.environment.id)
    return deployments_in(history if then is None else [each for each in history if each.position <= then.position])


def _item(deployment: Deployment) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": deployment.id,
        "version": deployment.version,
        "shortCode": deployment.id.partition("_")[2][:_SHORT],
        "status": "DEPLOYED",
        "isCurrent": deployment.is_current,
        "contentHash": deployment.digest,
        "createdAt": iso(deployment.created_at),
        "deployedAt": iso(deployment.created_at),
        "tasks": [task.id for task in deployment.tasks],
        # The official client requires them, and workers do not say.
        "runtime": "python",
        "runtimeVersion": "unknown",
    }
    return item | ({} if deployment.promoted_at is None else {"promotedAt": iso(deployment.promoted_at)})


def _span(period: str | None, created_from: str | None, created_to: str | None, now: int) -> tuple[float, float]:
    try:
        first = float("-inf") if created_from is None else moment(created_from)
        last = float("inf") if created_to is None else moment(created_to)
        return max(first, now - durations.parse_duration(period)) if period else first, last
    except InvalidInput as error:
        raise Malformed(str(error)) from error


def _cursor_of(deployment: Deployment) -> str:
    return base64.urlsafe_b64encode(deployment.version.encode()).decode().rstrip("=")


def _index_behind(cursor: str | None, deployments: Sequence[Deployment]) -> int:
    """Where the page behind a cursor begins."""
    if not cursor:
        return 0
    try:
        version = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        version = ""
    found = next((index for index, each in enumerate(deployments) if each.version == version), None)
    if found is None:
        raise Malformed("This cursor was not given out by a list.")
    return found + 1
