"""HTTP jobs: from what a user asks for to what is saved, and from what is saved to an execution."""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.engine.reader import Reader
from app.events import subscription_of
from app.hosts import parsed_rate
from app.http_jobs.alerts import callbacks_of
from app.http_jobs.executions import asked_of
from app.names import named
from app.requests import check_policy, check_request
from app.service import Service
from app.values import INLINE_MAX_BYTES, json_of, stored
from app.web import bodies
from app.web.registering import RATE_PERIOD_MAX_MS
from domain import commands, durations, states
from domain import schedule as schedules
from domain.builtin import HTTP_TASK
from domain.calendar import UTC_ZONE, Calendar, Tick
from domain.errors import InvalidInput, NotFound
from domain.events import (
    NOTHING,
    JobChanged,
    JobCreated,
    JobRef,
    JobSpec,
    JobTiming,
    RateLimit,
    ScheduleCreated,
    Subscription,
)
from domain.job import JOB, Job, JobKind, JobState, plan_of, queue_of, schedule_of
from domain.lifecycle import NewRun
from domain.requests import Asked, HttpRequest, RetryPolicy, needs_input
from domain.schedule import Schedule
from domain.timing import tick_after
from projections.executions import has_part

EVERY_MAX_MINUTES = 1_440
PAYLOAD_MAX_BYTES = 1_048_576
TOKEN_BYTES = 16
MANUAL = "manual"
WEBHOOK = "webhook"


class NamedJobs(NamedTuple):
    """Jobs that have, or once had, a name that is looked for; `always` if none of them ever had another one."""

    jobs: tuple[str, ...]
    always: bool


async def jobs_of(reader: Reader, environment: str, *, upto: int | None = None) -> list[Job]:
    """Every job that an environment has or had, newest first, as they are or were; deleted ones are among them."""
    histories = await reader.read(reader.ledger.read_kind, JOB)
    here = [history for history in histories.values() if history[0].environment == environment]
    found = [states.fold([each for each in history if upto is None or each.position <= upto]) for history in here]
    return sorted((each for each in found if isinstance(each, Job)), key=lambda job: job.id, reverse=True)


async def job_of(reader: Reader, environment: str, job: str, *, upto: int | None = None) -> Job:
    """A job that is, or was, there. Raises NotFound."""
    history = await reader.history(job) if job.startswith(f"{JOB}_") else ()
    if not history or history[0].environment != environment:
        raise NotFound(f"Job {job[:60]} not found.")
    then = history if upto is None else [each for each in history if each.position <= upto]
    found = states.fold(then)
    if not isinstance(found, Job):
        raise NotFound(f"Job {job[:60]} did not exist yet.")
    if found.state is JobState.DELETED:
        raise NotFound(f"Job {job[:60]} not found." if upto is None else f"Job {job[:60]} was deleted by then.")
    return found


def spec_of(body: bodies.CreateJobBody, now: int) -> JobSpec:
    """What a new job is to do. Raises InvalidInput."""
    kind, secret = JobKind(body.kind), body.webhook_secret
    if secret is not None:
        _check_kind(kind)
    asked = Asked(_request_of(body.request), _policy_of(body.retry_policy or bodies.RetryBody(), RetryPolicy()))
    timing = _timing_of(kind, body.schedule, now)
    return JobSpec(
        named(body.name, "job name"),
        kind.value,
        _payload_of(asked, kind),
        asked.retry.max_attempts,
        timing,
        None if secret is None else _digest_of(secret),
        _event_of(kind, body.event),
        body.pause_after_failures or None,
        body.pause_on_gone,
        callbacks_of(body.callbacks),
        _rate_of(body.rate_limit or ""),
    )


def changed(spec: JobSpec, body: bodies.ChangeJobBody, now: int) -> JobSpec:
    """What a job is to do from now on. Raises InvalidInput."""
    kind, secret, asked = JobKind(spec.kind), body.webhook_secret, asked_of(spec.payload)
    if secret is not None:
        _check_kind(kind)
    if body.request is not None:
        asked = replace(asked, request=_request_of(body.request))
    if body.retry_policy is not None:
        asked = replace(asked, retry=_policy_of(body.retry_policy, asked.retry))
    timing = spec.timing if body.schedule is None else _timing_of(kind, body.schedule, now)
    return JobSpec(
        spec.name if body.name is None else named(body.name, "job name"),
        spec.kind,
        _payload_of(asked, kind),
        asked.retry.max_attempts,
        timing,
        spec.trigger_sha256 if secret is None else _digest_of(secret),
        spec.event if body.event is None else _event_of(kind, body.event),
        spec.pause_after_failures if body.pause_after_failures is None else body.pause_after_failures or None,
        spec.pause_on_gone if body.pause_on_gone is None else body.pause_on_gone,
        spec.callbacks if body.callbacks is None else callbacks_of(body.callbacks),
        spec.rate_limit if body.rate_limit is None else _rate_of(body.rate_limit),
    )


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


def check(body: bodies.CreateJobBody, now: int, calendar: Calendar) -> None:
    """See to it that the job could be saved. Raises InvalidInput."""
    plan = plan_of("", spec_of(body, now))
    if plan is not None:
        schedules.create("", schedules.IMPERATIVE, plan, now, calendar)


async def create(service: Service, body: bodies.CreateJobBody, origin: dict[str, Any]) -> Job:
    """Save a job, and start one that runs at once. Raises InvalidInput."""
    now = origin["at"]
    spec, job = spec_of(body, now), service.ids.new(JOB, now)
    runs, blobs = _at_once(service, job, spec, now) if JobState(body.state) is JobState.ACTIVE else ([], {})
    token = None
    if spec.kind == JobKind.WEBHOOK_TRIGGER:
        # With the id of the job in it, so that it is found without an index of tokens.
        token = f"{job.partition('_')[2]}{service.vault.randbytes(TOKEN_BYTES).hex()}"
    command = commands.CreateJob(job=job, spec=spec, state=body.state, token=token, runs=runs, blobs=blobs, **origin)
    created: Job = await service.loop.submit(command)
    return created


def upcoming(body: bodies.PreviewBody, now: int, calendar: Calendar) -> list[Tick]:
    """The next times at which a job with such a schedule would run. Raises InvalidInput."""
    timing = _timing_of(JobKind(body.kind), body.schedule, now)
    plan = plan_of("", JobSpec("preview", body.kind, NOTHING, 1, timing))
    assert plan is not None, "these kinds have times"
    (created,) = schedules.create("", schedules.IMPERATIVE, plan, now, calendar)
    assert isinstance(created, ScheduleCreated), "a schedule begins so"
    found: list[Tick] = []
    tick = created.next
    while tick is not None and len(found) < body.count:
        found.append(tick)
        tick = tick_after(created.plan.timetable, tick.at, "", calendar)
    return found


async def resume(service: Service, job: Job, origin: dict[str, Any]) -> Job:
    """Let a job start by itself (again)."""
    runs, blobs = _at_once(service, job.id, job.spec, origin["at"])
    resumed: Job = await service.loop.submit(commands.ResumeJob(job=job.id, runs=runs, blobs=blobs, **origin))
    return resumed


async def run_now(service: Service, job: Job, source: str, origin: dict[str, Any], given: Raw = NOTHING) -> str:
    """Start an execution of a job, whatever its state; returns its id."""
    new, blobs = execution_of(service, job.id, job.spec, source, origin["at"], given)
    accepted: list[commands.Accepted] = await service.loop.submit(
        commands.TriggerRuns(runs=[new], blobs=blobs, **origin)
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
        then = [each.event for each in history if upto is None or each.position <= upto]
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


def _check_kind(kind: JobKind) -> None:
    if kind is not JobKind.WEBHOOK_TRIGGER:
        raise InvalidInput("webhook_secret is for jobs of the kind webhook_trigger.")


def _event_of(kind: JobKind, body: bodies.JobEventBody | None) -> Subscription | None:
    if (body is not None) is not (kind is JobKind.EVENT):
        needs = "an event with a name" if kind is JobKind.EVENT else "no event: that is for the kind event"
        raise InvalidInput(f"A job of the kind {kind.value} has {needs}.")
    return None if body is None else subscription_of(body.name, body.filter or {})


def _payload_of(asked: Asked, kind: JobKind) -> Raw:
    if kind not in {JobKind.WEBHOOK_TRIGGER, JobKind.EVENT} and needs_input(asked.request):
        raise InvalidInput(
            f"The request refers to {{{{input}}}} or {{{{event}}}}, and a job of the kind {kind.value} is given"
            " nothing: jobs of the kinds webhook_trigger and event are."
        )
    payload = Raw(msgspec.json.encode(asked))
    # What the engine starts by itself carries what it is given in its own events.
    if kind not in {JobKind.ONE_TIME, JobKind.WEBHOOK_TRIGGER} and len(payload) > INLINE_MAX_BYTES:
        raise InvalidInput(
            f"The request of a job that runs at times or by events has {len(payload)} bytes with its headers and body;"
            f" at most {INLINE_MAX_BYTES} are taken."
        )
    return payload


def _request_of(body: bodies.RequestBody) -> HttpRequest:
    defaults = HttpRequest(body.url)
    request = HttpRequest(
        body.url,
        body.method.upper(),
        body.headers or {},
        NOTHING if bytes(body.body) in {b"", b"null"} else body.body,
        body.timeout_seconds,
        defaults.success_statuses if body.success_statuses is None else body.success_statuses,
        body.max_redirects,
        body.sign_with,
    )
    check_request(request)
    return request


def _policy_of(body: bodies.RetryBody, before: RetryPolicy) -> RetryPolicy:
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
    policy = replace(before, **given)
    check_policy(policy)
    return policy


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
    if asked.timezone is not None and asked.cron is None:
        raise InvalidInput("schedule.timezone is for cron expressions: other times need none.")
    return JobTiming(asked.cron, asked.every_n_minutes, run_at, asked.timezone or UTC_ZONE, asked.overlap)


def _rate_of(text: str) -> RateLimit | None:
    try:
        rate = parsed_rate(text)
    except InvalidInput as error:
        raise InvalidInput(f"The rate_limit {text[:40]!r} is none: {error}.") from None
    if rate is not None and rate.period_ms > RATE_PERIOD_MAX_MS:
        raise InvalidInput(f"The time of a rate_limit is at most 30 days, not as long as in {text[:40]!r}.")
    return rate


def _digest_of(secret: str) -> str:
    if not 1 <= len(secret) <= 1_024:
        raise InvalidInput("A webhook_secret has 1 to 1024 characters.")
    return hashlib.sha256(secret.encode()).hexdigest()
