"""Executions of jobs, as the executions document has them: list, page, look at one with its attempts, replay."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from fastapi import Request
from fastapi.responses import Response

from app import jobs
from app.reader import Reader
from app.triggered import asked_of
from app.web import bodies
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, history_of, origin_of
from app.web.docs import EXECUTION_PARAMETERS, JOB_EXECUTION_PARAMETERS
from app.web.errors import Malformed
from app.web.execution_shapes import (
    about_item,
    attempts_of,
    execution_item,
    input_of,
    is_execution,
    request_of,
)
from app.web.listing import each_once, moment, refuse_unknown
from app.web.outcomes import run_row_of
from app.web.paging import LAG_HEADER, LIST_WAIT_SECONDS
from app.web.replaying import replayed
from app.web.routing import room
from app.web.triggering import json, submit_runs
from domain.errors import InvalidInput, NotFound
from domain.events import Recorded
from domain.job import JOB
from projections.executions import STATUSES, ExecutionFilter, Order, Place
from projections.run_list import RunRow

router = room("executions")
PAGE_MAX = 100
PAGE_DEFAULT = 50
OFFSET_MAX = 2**31
CREATED = 201
SORTS = {"scheduled_for": True, "created_at": False}
ORDERS = {"asc": True, "desc": False}
PARAMETERS = frozenset({"status", "from", "to", "sort", "order", "limit", "offset", "cursor"})


class Asked(NamedTuple):
    """The query of a list."""

    filter: ExecutionFilter
    order: Order
    limit: int
    offset: int
    after: Place | None


@router.get("/v1/executions", openapi_extra=EXECUTION_PARAMETERS)
async def list_executions(request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The executions of the environment, the caller's own writes included."""
    query = _parameters(request, PARAMETERS | {"job_name"})
    part = query.get("job_name")
    of_jobs = None
    if part:
        of_jobs = tuple(jobs.matching(await jobs.jobs_of(reader, caller.environment.id), part))
    return await _page(reader, caller, _asked(query, of_jobs))


@router.get("/v1/jobs/{job}/executions", openapi_extra=JOB_EXECUTION_PARAMETERS)
async def list_executions_of_job(job: str, request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The executions of a job, also of one that was deleted."""
    query = _parameters(request, PARAMETERS)
    history = await reader.history(job) if job.startswith(f"{JOB}_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Job {job[:60]} not found.")
    return await _page(reader, caller, _asked(query, (job,)))


@router.get("/v1/executions/{execution}")
async def retrieve(execution: str, reader: ReaderDep, caller: CallerDep) -> Response:
    """An execution with all its attempts, always current."""
    history = await _history_of(execution, reader, caller)
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


async def _page(reader: Reader, caller: Caller, asked: Asked) -> Response:
    head = await reader.head()
    position = await reader.followed(head, LIST_WAIT_SECONDS)
    rows, has_more = await reader.read(
        lambda: reader.read_models.list_executions(
            caller.environment.id, asked.filter, asked.order, asked.limit, offset=asked.offset, after=asked.after
        )
    )
    pagination: dict[str, Any] = {"limit": asked.limit, "offset": asked.offset, "has_more": has_more}
    pagination["next_cursor"] = _cursor_of(rows[-1]) if has_more else None
    response = json({"data": [execution_item(row) for row in rows], "pagination": pagination})
    if position < head:
        response.headers[LAG_HEADER] = str(head - position)
    return response


async def _history_of(execution: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    try:
        history = await history_of(execution, reader, caller)
    except NotFound:
        history = ()
    if not history or not is_execution(asked_of(history)):
        raise NotFound(f"Execution {execution[:60]} not found.")
    return history


def _parameters(request: Request, known: frozenset[str]) -> Mapping[str, str]:
    parameters = each_once(request.query_params)
    refuse_unknown(parameters, known)
    return parameters


def _asked(query: Mapping[str, str], of_jobs: tuple[str, ...] | None) -> Asked:
    status = query.get("status") or None
    if status is not None and status not in STATUSES:
        raise Malformed(f"There is no status {status[:40]!r} of an execution; there are {', '.join(STATUSES)}.")
    wanted = ExecutionFilter(of_jobs, status, _moment(query, "from"), _moment(query, "to"))
    order = Order(_one_of(query, "sort", SORTS, "scheduled_for"), _one_of(query, "order", ORDERS, "desc"))
    limit = _number(query, "limit", 1, PAGE_MAX, PAGE_DEFAULT)
    offset = _number(query, "offset", 0, OFFSET_MAX, 0)
    return Asked(wanted, order, limit, offset, _place_at(query.get("cursor")))


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


def _cursor_of(row: RunRow) -> str:
    assert row.job is not None, "an execution is of a job"
    return base64.urlsafe_b64encode(msgspec.json.encode(Place(row.job.scheduled_for, row.id))).decode().rstrip("=")


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
