"""Executions of jobs, as the executions document has them: list, page, look at one with its attempts, replay."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from fastapi import Request
from fastapi.responses import Response

from app.engine.reader import Reader
from app.engine.triggered import asked_of
from app.history.executions_then import Executed, executions_then, place_of
from app.history.moments import Moment, present
from app.history.outcomes import run_row_of
from app.http_jobs import jobs
from app.http_jobs.told import attempts_of, execution_item
from app.newruns.replaying import replayed
from app.web import bodies
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, history_of, origin_of
from app.web.docs import EXECUTION_PARAMETERS, JOB_EXECUTION_PARAMETERS
from app.web.errors import Malformed
from app.web.execution_shapes import about_item, input_of, is_execution, request_of
from app.web.history import AS_OF, AsOf, moment_asked, up_to
from app.web.listing import each_once, moment, refuse_unknown
from app.web.paging import lag_of, told_lag
from app.web.routing import room
from app.web.triggering import json, submit_runs
from domain.errors import InvalidInput, NotFound
from domain.events import Recorded
from domain.job import JOB
from projections.executions import STATUSES, ExecutionFilter, Order, Place

router = room("executions")
PAGE_MAX = 100
PAGE_DEFAULT = 50
OFFSET_MAX = 2**31
CREATED = 201
SORTS = {"scheduled_for": True, "created_at": False}
ORDERS = {"asc": True, "desc": False}
PARAMETERS = frozenset({"status", "from", "to", "sort", "order", "limit", "offset", "cursor", AS_OF})


class Asked(NamedTuple):
    """The query of a list."""

    filter: ExecutionFilter
    order: Order
    limit: int
    offset: int
    after: Place | None
    name: str | None
    """A part of what the job was called when the execution was made."""


@router.get("/v1/executions", openapi_extra=EXECUTION_PARAMETERS)
async def list_executions(request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The executions of the environment, the caller's own writes included, or as they were."""
    query = _parameters(request, PARAMETERS | {"job_name"})
    then = await moment_asked(query.get(AS_OF), reader)
    part = query.get("job_name")
    if not part:
        return await _page(reader, caller, _asked(query, None), then)
    upto = None if then is None else then.position
    named = await jobs.named_with(reader, caller.environment.id, part, upto=upto)
    if named.always:
        return await _page(reader, caller, _asked(query, named.jobs), then)
    # What a job was called tells only which of its executions have to be looked at.
    return await _page(reader, caller, _asked(query, named.jobs, part), then or await present(reader))


@router.get("/v1/jobs/{job}/executions", openapi_extra=JOB_EXECUTION_PARAMETERS)
async def list_executions_of_job(job: str, request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The executions of a job, also of one that was deleted, as they are or were."""
    query = _parameters(request, PARAMETERS)
    then = await moment_asked(query.get(AS_OF), reader)
    history = await reader.history(job) if job.startswith(f"{JOB}_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Job {job[:60]} not found.")
    up_to(then, history, f"Job {job}")
    return await _page(reader, caller, _asked(query, (job,)), then)


@router.get("/v1/executions/{execution}")
async def retrieve(execution: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """An execution with all its attempts: always current, or as it was."""
    then = await moment_asked(as_of, reader)
    history = up_to(then, await _history_of(execution, reader, caller), f"Execution {execution}")
    item = execution_item(run_row_of(history))
    item |= {"request": await reader.read(request_of, reader.ledger, history), "about": about_item(history)}
    item |= await reader.read(input_of, reader.ledger, history)
    return json(item | {"attempts": await reader.read(attempts_of, reader.ledger, history)})


@router.post("/v1/executions/{execution}/replay", status_code=CREATED)
async def replay(execution: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Send the same request again, in a new execution that is planned for now. The one before stays as it is."""
    history = await _history_of(execution, service, caller)
    now = origin_of(service, caller)["at"]
    new, blobs = await replayed(history, bodies.ReplayBody(), service, now)
    accepted = await submit_runs(service, caller, f"replay {execution}", [new], blobs, None, now)
    response = json(execution_item(run_row_of(await _history_of(accepted[0].run, service, caller))))
    response.status_code = CREATED
    return response


async def _page(reader: Reader, caller: Caller, asked: Asked, then: Moment | None) -> Response:
    lag = await lag_of(reader, None if then is None else then.position)
    rows, following = await reader.read(_read, reader, caller.environment.id, asked, then)
    pagination: dict[str, Any] = {"limit": asked.limit, "offset": asked.offset, "has_more": following is not None}
    pagination["next_cursor"] = following and _cursor_of(following)
    return told_lag(json({"data": [execution_item(row) for row in rows], "pagination": pagination}), lag)


def _read(reader: Reader, environment: str, asked: Asked, then: Moment | None) -> Executed:
    wanted, order, limit, read_models = asked.filter, asked.order, asked.limit, reader.read_models
    if then is not None:
        ledger, offset, after = reader.ledger, asked.offset, asked.after
        return executions_then(
            ledger, read_models, environment, wanted, order, limit, then, offset=offset, after=after, name=asked.name
        )
    rows, has_more = read_models.list_executions(
        environment, wanted, order, limit, offset=asked.offset, after=asked.after
    )
    return Executed(rows, place_of(rows[-1]) if has_more else None)


async def _history_of(execution: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    try:
        history = await history_of(execution, reader, caller)
    except NotFound:
        history = ()
    if not history or not is_execution(asked_of(history)):
        raise NotFound(f"Execution {execution[:60]} not found.")
    return history


def _parameters(request: Request, known: frozenset[str]) -> Mapping[str, str]:
    parameters = each_once(request.query_params, joins=False)
    refuse_unknown(parameters, known)
    return parameters


def _asked(query: Mapping[str, str], of_jobs: tuple[str, ...] | None, name: str | None = None) -> Asked:
    status = query.get("status") or None
    if status is not None and status not in STATUSES:
        raise Malformed(f"There is no status {status[:40]!r} of an execution; there are {', '.join(STATUSES)}.")
    wanted = ExecutionFilter(of_jobs, status, _moment(query, "from"), _moment(query, "to"))
    order = Order(_one_of(query, "sort", SORTS, "scheduled_for"), _one_of(query, "order", ORDERS, "desc"))
    limit = _number(query, "limit", 1, PAGE_MAX, PAGE_DEFAULT)
    offset = _number(query, "offset", 0, OFFSET_MAX, 0)
    return Asked(wanted, order, limit, offset, _place_at(query.get("cursor")), name)


def _one_of(query: Mapping[str, str], name: str, known: Mapping[str, bool], default: str) -> bool:
    value = query.get(name) or default
    if value not in known:
        raise Malformed(f"{name} is {' or '.join(known)}, not {value[:40]!r}.")
    return known[value]


def _number(query: Mapping[str, str], name: str, least: int, most: int, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 12 and least <= int(value) <= most):
        raise Malformed(f"{name} is {least} to {most}, not {value[:40]!r}.")
    return int(value)


def _moment(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    try:
        return None if not value else moment(value)
    except InvalidInput:
        raise Malformed(f"{name} is an ISO 8601 date such as 2027-01-15T08:00:00Z, not {value!r:.40}.") from None


def _cursor_of(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _place_at(cursor: str | None) -> Place | None:
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place: Place = msgspec.json.decode(text, type=Place)
    except (binascii.Error, ValueError) as error:
        raise Malformed("This cursor was not given out by a list.") from error
    if not abs(place.scheduled_for) < 2**53 or not place.id.isascii():
        raise Malformed("This cursor was not given out by a list.")
    return place
