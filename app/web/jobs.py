"""HTTP jobs: save, list, change, delete, pause, resume, run now, and start by a webhook."""

import hashlib
import hmac
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import Response
from msgspec import Raw

from adapters.calendar import CronCalendar
from app.engine.reader import Reader
from app.http_jobs import jobs
from app.service import Service
from app.web import bodies, crontab, job_specs, job_times
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, origin_of, public_url_of, read_body
from app.web.docs import ANY_BODY, TRIGGER_PATH, body_of
from app.web.errors import Malformed, Unauthorized
from app.web.history import AsOf, position_asked
from app.web.job_shapes import job_item
from app.web.routing import room
from app.web.triggering import json, request_of
from domain import commands
from domain.durations import iso
from domain.errors import Busy, InvalidInput
from domain.events import MANUAL, NOTHING
from domain.job import JOB, Job, JobState

router = room("jobs")
BODY_MAX_BYTES = 524_288
INPUT_MAX_BYTES = 262_144
CREATED = 201
PAGE_MAX = 100
PAGE_DEFAULT = 50
ID_LENGTH = 32
SECRET_HEADER = "x-webhook-secret"  # noqa: S105 (the name of a header)
WEBHOOK = "webhook"
"""The actor of what a webhook starts: nobody knows who calls."""


@router.post("/v1/jobs", status_code=CREATED, openapi_extra=body_of("CreateJobRequest"))
async def create(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Save a job. One of the kind one_time runs at once."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.CreateJobBody)
    created = await _save(body, service, caller)
    return await _answer(created, service, request, CREATED)


@router.post("/v1/jobs/preview", openapi_extra=body_of("PreviewRequest"))
async def preview(request: Request, reader: ReaderDep, _caller: CallerDep) -> Response:
    """The next times at which a job would run, and what the clocks show there; nothing is saved."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.PreviewBody)
    ticks = job_times.upcoming(body, reader.clock.now().wall, CronCalendar())
    runs = [{"at": iso(tick.at), "local": tick.local, "timezone": tick.zone, "rule": tick.rule} for tick in ticks]
    return json({"runs": runs})


@router.post("/v1/jobs/import", openapi_extra=body_of("ImportRequest"))
async def import_crontab(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Save a job for each line of a crontab that calls a URL, and say why the others become none."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ImportBody)
    saved: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    fit: list[tuple[dict[str, Any], bodies.CreateJobBody]] = []
    # All of them first: what nobody expected must not leave some saved of which the answer does not tell.
    for line in crontab.lines_of(body.crontab, body.timezone):
        place = {"line": line.number, "text": line.text}
        try:
            if line.job is None:
                raise InvalidInput(line.reason)
            line.job.state = body.state
            job_specs.check(line.job, service.clock.now().wall, CronCalendar())
            fit.append((place, line.job))
        except InvalidInput as error:
            skipped.append(place | {"reason": str(error)})
    for place, job in fit:
        if body.dry_run:
            saved.append(place | {"name": job.name})
            continue
        try:
            made = await _save(job, service, caller)
            saved.append(place | {"id": made.id, "name": made.spec.name})
        except (InvalidInput, Busy) as error:
            # Time went on since it was looked at, and others have come. Some are saved already: the answer has to tell.
            skipped.append(place | {"reason": str(error)})
    return json({"jobs": saved, "skipped": skipped})


@router.get("/v1/jobs")
async def list_jobs(
    request: Request,
    reader: ReaderDep,
    caller: CallerDep,
    state: Annotated[str | None, Query(description="active, paused, draft or completed.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="1 to 100; 50 if left out.")] = PAGE_DEFAULT,
    offset: Annotated[int, Query(ge=0, le=2**31, description="How many to skip.")] = 0,
    as_of: AsOf = None,
) -> Response:
    """The jobs of the environment, newest first, as they are or were."""
    upto = await position_asked(as_of, reader)
    every = await jobs.jobs_of(reader, caller.environment.id, upto=upto)
    there = [job for job in every if job.state is not JobState.DELETED]
    if state is not None:
        wanted = _state(state)
        there = [job for job in there if job.state is wanted]
    page = there[offset : offset + limit]
    url = public_url_of(request)
    schedules = await jobs.schedules_of(reader, page, upto=upto)
    return json({"data": [job_item(job, schedules.get(job.id), url) for job in page], "total": len(there)})


@router.get("/v1/jobs/{job}")
async def retrieve(job: str, request: Request, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """A job as it is, or as it was."""
    upto = await position_asked(as_of, reader)
    found = await jobs.job_of(reader, caller.environment.id, job, upto=upto)
    return await _answer(found, reader, request, upto=upto)


@router.patch("/v1/jobs/{job}", openapi_extra=body_of("ChangeJobRequest"))
async def change(job: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a job do something else, or at other times. What is left out stays; its kind always does."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ChangeJobBody)
    found = await jobs.job_of(service, caller.environment.id, job)
    origin = origin_of(service, caller)
    spec = job_specs.changed(found.spec, body, origin["at"])
    after = await service.loop.submit(commands.ChangeJob(job=job, spec=spec, **origin))
    return await _answer(after, service, request)


@router.delete("/v1/jobs/{job}")
async def delete(job: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Take a job away. Its executions stay, and those that are under way go on."""
    await service.loop.submit(commands.DeleteJob(job=job, **origin_of(service, caller)))
    return json({"id": job, "deleted": True})


@router.post("/v1/jobs/{job}/pause")
async def pause(job: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a job start no more by itself."""
    after = await service.loop.submit(commands.PauseJob(job=job, **origin_of(service, caller)))
    return await _answer(after, service, request)


@router.post("/v1/jobs/{job}/resume")
async def resume(job: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a job start by itself again, from now on; so a draft is activated."""
    found = await jobs.job_of(service, caller.environment.id, job)
    return await _answer(await jobs.resume(service, found, origin_of(service, caller)), service, request)


@router.post("/v1/jobs/{job}/run-now", status_code=CREATED)
async def run_now(job: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Start an execution of a job, whatever its state and its times. Answers `{"execution_id"}`."""
    found = await jobs.job_of(service, caller.environment.id, job)
    key = request_of(caller, f"run {job}")
    execution = await jobs.run_now(service, found, MANUAL, origin_of(service, caller), request=key)
    return _created({"execution_id": execution, "job_id": job})


@router.post(TRIGGER_PATH, openapi_extra=ANY_BODY)
async def trigger(token: str, request: Request, service: ServiceDep) -> Response:
    """Start an execution of a job of the kind webhook_trigger, which is given the body: JSON, or else a text.

    Strangers are answered as if there were one.
    """
    given = _given(await read_body(request, INPUT_MAX_BYTES))
    found = await _triggered_by(token, service)
    if found is None:
        return json({"received": True})
    wanted = found.spec.trigger_sha256
    said = request.headers.get(SECRET_HEADER, "")
    if wanted is not None and not hmac.compare_digest(hashlib.sha256(said.encode()).hexdigest(), wanted):
        raise Unauthorized(f"The header {SECRET_HEADER} does not hold the secret of this webhook.")
    if found.state is JobState.ACTIVE:
        at = service.clock.now().wall
        origin: dict[str, Any] = {"environment": found.environment, "actor": WEBHOOK, "cause": WEBHOOK, "at": at}
        await jobs.run_now(service, found, jobs.WEBHOOK, origin, given)
    return json({"received": True})


async def _save(body: bodies.CreateJobBody, service: Service, caller: Caller) -> Job:
    origin = origin_of(service, caller)
    return await jobs.create(service, job_specs.spec_of(body, origin["at"]), JobState(body.state), origin)


def _given(body: bytes) -> Raw:
    """The body as JSON, which may be a text. Raises Malformed for bytes that are neither."""
    if not body.strip():
        return NOTHING
    try:
        return bodies.decode(body, Raw)
    except Malformed:
        pass
    try:
        return bodies.text_as_json(body.decode())
    except UnicodeDecodeError:
        raise Malformed("The body is neither JSON nor a text in UTF-8.") from None


async def _triggered_by(token: str, service: ServiceDep) -> Job | None:
    stream = f"{JOB}_{token[:ID_LENGTH]}"
    await service.loop.settled(stream)
    state = service.loop.engine.memory.states.get(stream)
    if not isinstance(state, Job) or state.token is None:
        return None
    return state if hmac.compare_digest(state.token.encode(), token.encode()) else None


def _state(name: str) -> JobState:
    if name not in set(JobState) - {JobState.DELETED}:
        raise Malformed(f"There is no state {name[:40]!r} of a job; there are active, paused, draft, completed.")
    return JobState(name)


async def _answer(
    job: Job, reader: Reader, request: Request, status: int = 200, *, upto: int | None = None
) -> Response:
    schedules = await jobs.schedules_of(reader, [job], upto=upto)
    response = json(job_item(job, schedules.get(job.id), public_url_of(request)))
    response.status_code = status
    return response


def _created(content: object) -> Response:
    response = json(content)
    response.status_code = CREATED
    return response
