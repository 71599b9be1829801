"""Routes that add to what is known of a run: tags and metadata."""

from fastapi import Request
from fastapi.responses import Response
from msgspec import Raw

from app.names import tags_of
from app.web import bodies
from app.web.caller import CallerDep, ReaderDep, ServiceDep, history_of, origin_of, read_body
from app.web.docs import body_of
from app.web.history import AsOf, moment_asked, up_to
from app.web.routing import room
from app.web.triggering import json, request_of
from domain import commands
from domain import metadata as objects
from domain import run as runs
from domain.events import JSON_TYPE
from domain.metadata import Operation

router = room("runs")
TAGS_BODY_MAX_BYTES = 65_536
METADATA_BODY_MAX_BYTES = 2_097_152


@router.post("/api/v1/runs/{run}/tags", openapi_extra=body_of("TagsRequest"))
async def add_tags(run: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Give a run further tags, ten in all at most."""
    body = bodies.decode(await read_body(request, TAGS_BODY_MAX_BYTES), bodies.TagsBody)
    tags = tags_of(body.tags)
    await service.loop.submit(commands.AddTags(run=run, tags=tags, **origin_of(service, caller)))
    return json({"message": f"Successfully set {len(tags)} tags."})


@router.get("/api/v1/runs/{run}/metadata")
async def metadata(run: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """The metadata of a run, as it is or was, an empty object if it has none."""
    then = await moment_asked(as_of, reader)
    state = runs.fold(up_to(then, await history_of(run, reader, caller), f"Run {run}"))
    assert state is not None, "a run has a history"
    return json({"metadata": state.metadata if bytes(state.metadata) else {}, "metadataType": JSON_TYPE})


@router.put("/api/v1/runs/{run}/metadata", openapi_extra=body_of("MetadataRequest"))
async def update_metadata(run: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Change the metadata of a run, of its parent and of the root of its family; answers the run's after it.

    The same request sent again, by its `x-trigger-request-idempotency-key`, within an hour changes nothing.
    """
    origin = origin_of(service, caller)
    body = bodies.decode(await read_body(request, METADATA_BODY_MAX_BYTES), bodies.MetadataBody)
    after: Raw = await service.loop.submit(
        commands.UpdateMetadata(
            run=run,
            request=request_of(caller, f"metadata {run}"),
            replaces=None if body.metadata is None else objects.encode(body.metadata),
            operations=_operations(body.operations),
            parent_operations=_operations(body.parent_operations),
            root_operations=_operations(body.root_operations),
            **origin,
        )
    )
    return json({"metadata": after if bytes(after) else {}})


def _operations(given: list[bodies.OperationBody]) -> tuple[Operation, ...]:
    return tuple(Operation(each.type, each.key, each.value) for each in given)
