"""HTTP jobs: from what a user asks for to what is saved, and from what is saved to an execution."""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from app.executions import payload_of
from app.reader import Reader
from app.requests import check_policy, check_request
from app.service import Service
from app.web import bodies
from app.web.newruns import named, stored
from domain import commands, durations, states
from domain.builtin import HTTP_TASK
from domain.errors import InvalidInput, NotFound
from domain.events import NOTHING, JobRef, JobSpec, JobTiming
from domain.job import JOB, Job, JobKind, JobState
from domain.lifecycle import NewRun
from domain.requests import HttpRequest, RetryPolicy

EVERY_MAX_MINUTES = 1_440
PAYLOAD_MAX_BYTES = 1_048_576
TOKEN_BYTES = 16
MANUAL = "manual"
WEBHOOK = "webhook"


async def jobs_of(reader: Reader, environment: str) -> list[Job]:
    """Every job that an environment has or had, newest first; those that were deleted are among them."""
    histories = await reader.read(reader.ledger.read_kind, JOB)
    found = [states.fold(history) for history in histories.values() if history[0].environment == environment]
    return sorted((each for each in found if isinstance(each, Job)), key=lambda job: job.id, reverse=True)


async def job_of(reader: Reader, environment: str, job: str) -> Job:
    """A job that is there. Raises NotFound."""
    found = states.fold(await reader.history(job)) if job.startswith(f"{JOB}_") else None
    if not isinstance(found, Job) or found.environment != environment or found.state is JobState.DELETED:
        raise NotFound(f"Job {job[:60]} not found.")
    return found


def spec_of(body: bodies.CreateJobBody, now: int) -> JobSpec:
    """What a new job is to do. Raises InvalidInput."""
    secret = body.webhook_secret
    if secret is not None and body.kind != JobKind.WEBHOOK_TRIGGER:
        raise InvalidInput("webhook_secret is for jobs of the kind webhook_trigger.")
    return JobSpec(
        named(body.name, "job name"),
        body.kind,
        _request_of(body.request),
        _retry_of(body.retry_policy or bodies.RetryBody(), RetryPolicy()),
        _timing_of(JobKind(body.kind), body.schedule, now),
        None if secret is None else _digest_of(secret),
    )


def changed(spec: JobSpec, body: bodies.ChangeJobBody, now: int) -> JobSpec:
    """What a job is to do from now on. Raises InvalidInput."""
    if body.webhook_secret is not None and spec.kind != JobKind.WEBHOOK_TRIGGER:
        raise InvalidInput("webhook_secret is for jobs of the kind webhook_trigger.")
    retry = msgspec.json.decode(spec.retry, type=RetryPolicy)
    return JobSpec(
        spec.name if body.name is None else named(body.name, "job name"),
        spec.kind,
        spec.request if body.request is None else _request_of(body.request),
        spec.retry if body.retry_policy is None else _retry_of(body.retry_policy, retry),
        spec.timing if body.schedule is None else _timing_of(JobKind(spec.kind), body.schedule, now),
        spec.trigger_sha256 if body.webhook_secret is None else _digest_of(body.webhook_secret),
    )


def execution_of(service: Service, job: str, spec: JobSpec, source: str, now: int) -> tuple[NewRun, dict[str, bytes]]:
    """The run that is one execution of a job, planned for now, and the large values to keep beside it."""
    payload, retry = payload_of(spec)
    run = service.ids.new("run", now)
    inline, blob, blobs = stored(payload, f"{run}/payload", PAYLOAD_MAX_BYTES, "payload")
    new = NewRun(
        id=run,
        task=HTTP_TASK,
        payload=inline,
        payload_blob=blob,
        payload_size=len(payload),
        max_attempts=retry.max_attempts,
        source=source,
        job=JobRef(job, spec.name, now),
    )
    return new, blobs


async def create(service: Service, body: bodies.CreateJobBody, origin: dict[str, Any]) -> Job:
    """Save a job, and start one that runs at once. Raises InvalidInput."""
    now = origin["at"]
    spec = spec_of(body, now)
    job = service.ids.new(JOB, now)
    runs: list[NewRun] = []
    blobs: dict[str, bytes] = {}
    if spec.kind == JobKind.ONE_TIME and body.state == JobState.ACTIVE:
        new, blobs = execution_of(service, job, spec, MANUAL, now)
        runs = [new]
    token = None
    if spec.kind == JobKind.WEBHOOK_TRIGGER:
        # With the id of the job in it, so that it is found without an index of tokens.
        token = f"{job.partition('_')[2]}{service.vault.randbytes(TOKEN_BYTES).hex()}"
    command = commands.CreateJob(job=job, spec=spec, state=body.state, token=token, runs=runs, blobs=blobs, **origin)
    created: Job = await service.loop.submit(command)
    return created


async def run_now(service: Service, job: Job, source: str, origin: dict[str, Any]) -> str:
    """Start an execution of a job, whatever its state; returns its id."""
    new, blobs = execution_of(service, job.id, job.spec, source, origin["at"])
    accepted: list[commands.Accepted] = await service.loop.submit(
        commands.TriggerRuns(runs=[new], blobs=blobs, **origin)
    )
    return accepted[0].run


def matching(jobs: Iterable[Job], part: str) -> list[str]:
    """The jobs whose names have this part, in any case."""
    wanted = part.casefold()
    return [job.id for job in jobs if wanted in job.spec.name.casefold()]


def request_of(spec: JobSpec) -> HttpRequest:
    """What a job sends."""
    return msgspec.json.decode(spec.request, type=HttpRequest)


def policy_of(spec: JobSpec) -> RetryPolicy:
    """When a job tries again."""
    return msgspec.json.decode(spec.retry, type=RetryPolicy)


def _request_of(body: bodies.RequestBody) -> Raw:
    defaults = HttpRequest(body.url)
    request = HttpRequest(
        body.url,
        body.method.upper(),
        body.headers or {},
        NOTHING if bytes(body.body) in {b"", b"null"} else body.body,
        body.timeout_seconds,
        defaults.success_statuses if body.success_statuses is None else body.success_statuses,
        body.max_redirects,
    )
    check_request(request)
    return Raw(msgspec.json.encode(request))


def _retry_of(body: bodies.RetryBody, before: RetryPolicy) -> Raw:
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
    policy = msgspec.structs.replace(before, **given)
    check_policy(policy)
    return Raw(msgspec.json.encode(policy))


def _timing_of(kind: JobKind, body: bodies.TimingBody | None, now: int) -> JobTiming | None:
    asked = body or bodies.TimingBody()
    fields = {
        JobKind.RECURRING: "every_n_minutes",
        JobKind.CRON: "cron",
        JobKind.SCHEDULED: "run_at",
    }
    wanted = fields.get(kind)
    given = [name for name in fields.values() if getattr(asked, name) is not None]
    if given != ([wanted] if wanted else []):
        needs = f"schedule.{wanted} and no other time" if wanted else "no schedule"
        raise InvalidInput(f"A job of the kind {kind.value} has {needs}.")
    if wanted is None:
        return None
    if asked.every_n_minutes is not None and not 1 <= asked.every_n_minutes <= EVERY_MAX_MINUTES:
        raise InvalidInput(f"schedule.every_n_minutes is 1 to {EVERY_MAX_MINUTES}, not {asked.every_n_minutes}.")
    run_at = None if asked.run_at is None else durations.parse_date(asked.run_at)
    if run_at is not None and run_at <= now:
        raise InvalidInput("schedule.run_at has passed: name a time to come, or use the kind one_time.")
    return JobTiming(asked.cron, asked.every_n_minutes, run_at, asked.timezone or "UTC")


def _digest_of(secret: str) -> str:
    if not 1 <= len(secret) <= 1_024:
        raise InvalidInput("A webhook_secret has 1 to 1024 characters.")
    return hashlib.sha256(secret.encode()).hexdigest()
