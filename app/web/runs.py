"""Routes about runs that exist: list, retrieve, result, events, cancel, reschedule."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from msgspec.structs import replace
from starlette.datastructures import QueryParams

from app.engine.reader import Reader
from app.engine.triggered import asked_of
from app.event_formats import event_items
from app.history.endings import why_ended
from app.history.moments import Moment
from app.history.outcomes import output_of, result_of, run_row_of
from app.history.past import explained_then
from app.history.touched import narrowed
from app.history.walking import runs_then
from app.keeping.archived import told_of
from app.superjson import plain
from app.web import bodies, shapes
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, VisitorDep, history_of, origin_of, read_body
from app.web.docs import LIST_PARAMETERS, PROJECT_LIST_PARAMETERS, VOCABULARY_PARAMETER, body_of
from app.web.errors import Malformed
from app.web.event_shapes import event_of
from app.web.grants import must, resources_of
from app.web.history import AS_OF, AsOf, history_at, history_until, moment_asked, up_to
from app.web.listing import each_once, query_of
from app.web.paging import be_there, page_of, page_then
from app.web.plans import schedule_of
from app.web.routing import room
from app.web.triggering import json
from domain import commands, durations, keys
from domain.errors import Archived, InvalidInput, NotFound
from domain.events import NOTHING, Recorded, RunArchived, RunTriggered
from domain.explanation import Explanation
from domain.status import FINAL, Status
from projections import attempts
from projections.attempts import AttemptRow
from projections.journal import journal_of
from projections.run_row import RunRow

router = room("runs")
RESET = "POST /api/v1/idempotencyKeys/{key}/reset"
BODY_MAX_BYTES = 65_536
ENVIRONMENTS = "filter[env]"
CHILDREN_MAX = 100
"""Of how many children a run tells; the trace tells of more."""


@router.get("/api/v1/projects/{project}/runs", openapi_extra=PROJECT_LIST_PARAMETERS)
async def list_runs_of_project(
    project: str,  # noqa: ARG001 (a key opens one environment, whatever its project is called)
    request: Request,
    reader: ReaderDep,
    caller: VisitorDep,
) -> Response:
    """The same as `GET /api/v1/runs`: a key opens one environment, which `filter[env]` names; any project will do."""
    parameters = each_once(request.query_params)
    wanted, slug = parameters.get(ENVIRONMENTS), caller.environment.slug
    if wanted is not None and slug not in wanted.split(","):
        raise Malformed(f"{ENVIRONMENTS}: this key opens the environment {slug} only.")
    rest = QueryParams([(name, value) for name, value in parameters.items() if name != ENVIRONMENTS])
    return await _list(rest, reader, caller)


@router.get("/api/v1/runs", openapi_extra=LIST_PARAMETERS)
async def list_runs(request: Request, reader: ReaderDep, caller: VisitorDep) -> Response:
    """The runs of the environment, newest first, the caller's own writes included: as they are, or as they were."""
    return await _list(each_once(request.query_params), reader, caller)


async def _list(parameters: QueryParams, reader: Reader, caller: Caller) -> Response:
    moment = await moment_asked(parameters.get(AS_OF), reader)
    query = query_of(parameters, moment.wall if moment else reader.clock.now().wall, caller.vocabulary)
    for task in query.filter.tasks or ("",):
        must(caller, "read", ("runs", ""), ("tasks", task))

    def item(row: RunRow) -> dict[str, Any]:
        return shapes.run_item(row, caller.environment, caller.vocabulary)

    environment, size, read_models = caller.environment.id, query.size, reader.read_models
    wanted = await narrowed(reader, environment, query.filter, moment)
    if moment is None:
        return await page_of(
            reader,
            query,
            lambda after, before: read_models.list_runs(environment, wanted, size, after=after, before=before),
            item,
        )
    return await page_then(
        reader,
        moment,
        query,
        lambda after, before: runs_then(reader.ledger, read_models, environment, wanted, size, moment, after, before),
        item,
    )


@router.get("/api/v1/runs/{run}", openapi_extra=VOCABULARY_PARAMETER)
@router.get("/api/v3/runs/{run}", openapi_extra=VOCABULARY_PARAMETER)
async def retrieve(run: str, reader: ReaderDep, caller: VisitorDep, as_of: AsOf = None) -> Response:
    """A run with its attempts, payload and output: as it is, or as it was. `archivedIn` names its segment, if any."""
    moment = await moment_asked(as_of, reader)
    told = await told_of(run, caller.environment.id, reader)
    history = up_to(moment, told.history, f"Run {run}")
    body = await whole(history, reader, caller, moment)
    if children := await _children(history, reader, caller, moment):
        body["relatedRuns"]["children"] = children
    return json(body if told.segment is None else body | {"archivedIn": told.segment})


@router.get("/api/v1/runs/{run}/result")
async def result(run: str, reader: ReaderDep, caller: VisitorDep, as_of: AsOf = None) -> Response:
    """What a finished run came to. 404 while it is, or was, not finished."""
    history = await history_until(as_of, run, reader, caller)
    must(caller, "read", *resources_of(run_row_of(history)))
    body = await reader.read(result_of, reader.ledger, history)
    if body is None:
        verb = "is" if as_of is None else "was"
        raise NotFound(f"Run {run} {verb} not finished: it {verb} {run_row_of(history).status}.")
    return json(body)


@router.get("/api/v1/runs/{run}/events")
async def events(run: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """Everything that happened to the run, ever or by then, in order; what left the database is read from its segment.

    A value that was erased since is gone from what happened by then, too.
    """
    moment = await moment_asked(as_of, reader)
    told = await told_of(run, caller.environment.id, reader, with_values=False)
    archived = () if told.segment is None else (await reader.history(run))[len(told.history) :]
    return json({"events": event_items(up_to(moment, [*told.history, *archived], f"Run {run}"))})


@router.get("/api/v1/runs/{run}/explain")
async def explain(run: str, service: ServiceDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """Why the run is, or was, where it is, and what it waits for: a word, a sentence and data."""
    moment = await moment_asked(as_of, service)
    archived = await told_of(run, caller.environment.id, service)
    if moment is None and archived.segment is not None:
        moment = Moment(archived.history[-1].position, archived.history[-1].recorded_at)
    if moment is None:
        told: Explanation = await service.loop.submit(commands.ExplainRun(run=run, **origin_of(service, caller)))
        history = await history_of(run, service, caller)
    else:
        history = up_to(moment, archived.history, f"Run {run}")
        await be_there(service, moment.position)
        told = await service.read(explained_then, service.ledger, service.read_models, history, moment)
    row = run_row_of(history)
    if event := asked_of(history).event:
        sentence = f"{told.sentence} Event {event.id} ({event.name}) started it."
        told = replace(told, sentence=sentence, data=told.data | {"event": {"id": event.id, "name": event.name}})
    if row.is_erased:
        sentence = f"{told.sentence} What it was given and came to is erased."
        return json(replace(told, sentence=sentence, data=told.data | {"isErased": True}))
    if row.error is None:
        return json(told)
    cause = f"{row.error.name}: {row.error.message.partition(chr(10))[0]}"
    sentence = f"{told.sentence} {'Its' if row.status in FINAL else 'The last'} error was {cause.rstrip('.')}."
    return json(replace(told, sentence=sentence, data=told.data | {"error": cause}))


@router.post("/api/v2/runs/{run}/cancel")
async def cancel(run: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Stop a run. Safe to repeat: an ended run stays as it ended."""
    await service.loop.submit(commands.CancelRun(run=run, **origin_of(service, caller)))
    return json({"id": run})


@router.post("/api/v1/runs/{run}/reschedule", openapi_extra=body_of("RescheduleRequest") | VOCABULARY_PARAMETER)
async def reschedule(run: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Give a delayed run another time; answers the run."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.RescheduleBody)
    origin = origin_of(service, caller)
    try:
        until = durations.parse_delay(body.delay, origin["at"])
    except InvalidInput as error:
        raise Malformed(str(error)) from error
    await service.loop.submit(commands.RescheduleRun(run=run, until=until, **origin))
    return json(await whole(await history_of(run, service, caller), service, caller))


@router.post("/api/v1/idempotencyKeys/{key:path}/reset", openapi_extra=body_of("ResetKeyRequest"))
async def reset_key(key: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Free an idempotency key of a task, so that the next trigger with it makes a new run."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ResetKeyBody)
    stream = keys.stream_of(caller.environment.id, "run", body.task_identifier, key)
    origin = origin_of(service, caller)
    # Without the key itself, which may be erased with its run: causes are not.
    origin["cause"] = RESET
    await service.loop.submit(commands.ResetKey(key=stream, **origin))
    return json({"id": key})


async def _related(row: RunRow, reader: Reader, caller: Caller, moment: Moment | None) -> dict[str, Any]:
    """The run's parent and the root of its family, as far as it has one."""
    related: dict[str, Any] = {}
    for name, run in (("root", row.root), ("parent", row.parent)):
        if run is not None:
            try:
                of_relative = run_row_of(await history_at(moment, run, reader, caller))
            except Archived:
                continue
            if caller.grant is None or caller.grant.allows("read", resources_of(of_relative)):
                related[name] = shapes.run_item(of_relative, caller.environment, caller.vocabulary)
    return related


async def _children(
    history: Sequence[Recorded], reader: Reader, caller: Caller, moment: Moment | None
) -> list[dict[str, Any]]:
    """The first runs that the code of this one triggered, as far as the caller may see them."""
    named = dict.fromkeys(chain.from_iterable(entry.runs for entry in journal_of(history)))
    if not named:
        return []
    histories = await reader.read(reader.ledger.read_streams, list(islice(named, CHILDREN_MAX)))
    parent, found = history[0].stream, list[RunRow]()
    for run in (each for each in named if each in histories):
        known = [each for each in histories[run] if moment is None or each.position <= moment.position]
        first = known[0].event if known else None
        # What has the same idempotency key was triggered, and is no child.
        if isinstance(first, RunTriggered) and first.parent == parent and not isinstance(known[-1].event, RunArchived):
            found.append(run_row_of(known))
    may_see = (row for row in found if caller.grant is None or caller.grant.allows("read", resources_of(row)))
    return [shapes.run_item(row, caller.environment, caller.vocabulary) for row in may_see]


def _fold(history: Sequence[Recorded]) -> tuple[RunRow, list[AttemptRow]]:
    """The same folds that the lists are made of, over one run's own events: always current."""
    return run_row_of(history), attempts.rows_of(history)


async def whole(
    history: Sequence[Recorded], reader: Reader, caller: Caller, moment: Moment | None = None
) -> dict[str, Any]:
    """A run with its attempts, payload and output; its relatives and its schedule are those of the moment.

    Raises NotGranted for a public token that does not open it.
    """
    row, attempt_rows = _fold(history)
    must(caller, "read", *resources_of(row))
    triggered = asked_of(history)
    payload = await reader.value(triggered.payload, triggered.payload_blob)
    body = shapes.run_item(row, caller.environment, caller.vocabulary)
    body |= {
        "relatedRuns": await _related(row, reader, caller, moment),
        "attempts": [shapes.attempt_item(each) for each in attempt_rows],
    }
    if payload is not NOTHING:
        payload, kind = plain(payload, triggered.payload_type)
        body |= {"payload": payload, "payloadType": kind}
    if sentence := why_ended(row):
        body["error"] = {"message": sentence}
    if row.is_erased:
        body |= {"payload": None, "output": None}
    body |= shapes.taken_over(triggered)
    body |= await schedule_of(triggered, reader, moment)
    body |= event_of(triggered)
    if row.status is Status.COMPLETED and not row.is_erased:
        output, output_type = await output_of(history, reader)
        if output is not NOTHING:
            body |= {"output": output, "outputType": output_type}
    return body
