"""HTTP jobs as they are saved, as they were, and what starts executions of them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.engine.aggregates import states_of, until
from app.engine.reader import Reader
from app.http_jobs.executions import asked_of
from app.service import Service
from app.values import json_of, stored
from domain import commands, states
from domain.builtin import HTTP_TASK
from domain.errors import NotFound
from domain.events import MANUAL, NOTHING, JobChanged, JobCreated, JobRef, JobSpec
from domain.job import JOB, Job, JobKind, JobState, queue_of, schedule_of
from domain.lifecycle import NewRun
from domain.schedule import Schedule
from projections.executions import has_part

PAYLOAD_MAX_BYTES = 1_048_576
TOKEN_BYTES = 16
WEBHOOK = "webhook"


class NamedJobs(NamedTuple):
    """Jobs that have, or once had, a name that is looked for; `always` if none of them ever had another one."""

    jobs: tuple[str, ...]
    always: bool


async def jobs_of(reader: Reader, environment: str, *, upto: int | None = None) -> list[Job]:
    """Every job that an environment has or had, newest first, as they are or were; deleted ones are among them."""
    found = await states_of(reader, JOB, environment, upto=upto)
    return sorted((each for each in found if isinstance(each, Job)), key=lambda job: job.id, reverse=True)


async def job_of(reader: Reader, environment: str, job: str, *, upto: int | None = None) -> Job:
    """A job that is, or was, there. Raises NotFound."""
    history = await reader.history(job) if job.startswith(f"{JOB}_") else ()
    if not history or history[0].environment != environment:
        raise NotFound(f"Job {job[:60]} not found.")
    found = states.fold(until(upto, history))
    if not isinstance(found, Job):
        raise NotFound(f"Job {job[:60]} did not exist yet.")
    if found.state is JobState.DELETED:
        raise NotFound(f"Job {job[:60]} not found." if upto is None else f"Job {job[:60]} was deleted by then.")
    return found


def execution_of(
    service: Service, job: str, spec: JobSpec, source: str, now: int, given: Raw = NOTHING
) -> tuple[NewRun, dict[str, bytes]]:
    """The run that is one execution of a job, planned for now, and the large values to keep beside it.

    It sends, or fills its request with, what it is `given`.
    """
    run = service.ids.new("run", now)
    payload = spec.payload
    if bytes(given):
        json_of(bytes(given), "input")
        payload = Raw(msgspec.json.encode(replace(asked_of(payload), input=given)))
    inline, blob, blobs = stored(payload, f"{run}/payload", PAYLOAD_MAX_BYTES, "payload")
    new = NewRun(
        id=run,
        task=HTTP_TASK,
        payload=inline,
        payload_blob=blob,
        payload_size=len(payload),
        queue=queue_of(job, spec),
        max_attempts=spec.max_attempts,
        source=source,
        job=JobRef(job, spec.name, now),
    )
    return new, blobs


async def create(service: Service, spec: JobSpec, state: JobState, origin: dict[str, Any]) -> Job:
    """Save a job, active or as a draft, and start one that runs at once. Raises InvalidInput."""
    now = origin["at"]
    job = service.ids.new(JOB, now)
    runs, blobs = _at_once(service, job, spec, now) if state is JobState.ACTIVE else ([], {})
    token = None
    if spec.kind == JobKind.WEBHOOK_TRIGGER:
        # With the id of the job in it, so that it is found without an index of tokens.
        token = f"{job.partition('_')[2]}{service.vault.randbytes(TOKEN_BYTES).hex()}"
    command = commands.CreateJob(job=job, spec=spec, state=state.value, token=token, runs=runs, blobs=blobs, **origin)
    created: Job = await service.loop.submit(command)
    return created


async def resume(service: Service, job: Job, origin: dict[str, Any]) -> Job:
    """Let a job start by itself (again)."""
    runs, blobs = _at_once(service, job.id, job.spec, origin["at"])
    resumed: Job = await service.loop.submit(commands.ResumeJob(job=job.id, runs=runs, blobs=blobs, **origin))
    return resumed


async def run_now(
    service: Service, job: Job, source: str, origin: dict[str, Any], given: Raw = NOTHING, request: str | None = None
) -> str:
    """Start an execution of a job, whatever its state; returns its id. `request` is the name of the request's key."""
    new, blobs = execution_of(service, job.id, job.spec, source, origin["at"], given)
    accepted: list[commands.Accepted] = await service.loop.submit(
        commands.TriggerRuns(runs=[new], blobs=blobs, request=request, **origin)
    )
    return accepted[0].run


async def schedules_of(reader: Reader, jobs: Iterable[Job], *, upto: int | None = None) -> dict[str, Schedule]:
    """The schedules of those of the jobs that have one, or had one then, by the job."""
    streams = {schedule_of(job.id): job.id for job in jobs if job.spec.timing is not None}
    histories = await reader.read(lambda: reader.ledger.read_streams(list(streams), upto=upto)) if streams else {}
    found = {streams[stream]: states.fold(history) for stream, history in histories.items()}
    return {job: state for job, state in found.items() if isinstance(state, Schedule)}


async def named_with(reader: Reader, environment: str, part: str, *, upto: int | None = None) -> NamedJobs:
    """The jobs of which a name, now or earlier, has this part, in any case."""
    histories = await reader.read(reader.ledger.read_kind, JOB)
    found: list[str] = []
    always = True
    for job, history in histories.items():
        then = [each.event for each in until(upto, history)]
        fits = {has_part(each.spec.name, part) for each in then if isinstance(each, JobCreated | JobChanged)}
        if history[0].environment == environment and True in fits:
            found.append(job)
            always = always and fits == {True}
    return NamedJobs(tuple(found), always)


def _at_once(service: Service, job: str, spec: JobSpec, now: int) -> tuple[list[NewRun], dict[str, bytes]]:
    if spec.kind != JobKind.ONE_TIME:
        return [], {}
    new, blobs = execution_of(service, job, spec, MANUAL, now)
    return [new], blobs
