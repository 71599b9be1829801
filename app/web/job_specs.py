"""From the body of an HTTP job to what is saved of it."""

import hashlib

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.events import subscription_of
from app.hosts import parsed_rate
from app.http_jobs.executions import asked_of
from app.names import named
from app.requests import check_policy, check_request
from app.values import INLINE_MAX_BYTES
from app.web import bodies
from app.web.channel_specs import callbacks_of
from app.web.job_times import timing_of
from app.web.registering import RATE_PERIOD_MAX_MS
from domain import schedule as schedules
from domain.calendar import Calendar
from domain.errors import InvalidInput
from domain.events import NOTHING, JobSpec, RateLimit, Subscription
from domain.job import JobKind, plan_of
from domain.requests import Asked, HttpRequest, RetryPolicy, needs_input


def spec_of(body: bodies.CreateJobBody, now: int) -> JobSpec:
    """What a new job is to do. Raises InvalidInput."""
    kind, secret = JobKind(body.kind), body.webhook_secret
    if secret is not None:
        _check_kind(kind)
    asked = Asked(_request_of(body.request), _policy_of(body.retry_policy or bodies.RetryBody(), RetryPolicy()))
    timing = timing_of(kind, body.schedule, now)
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
    timing = spec.timing if body.schedule is None else timing_of(kind, body.schedule, now)
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


def check(body: bodies.CreateJobBody, now: int, calendar: Calendar) -> None:
    """See to it that the job could be saved. Raises InvalidInput."""
    plan = plan_of("", spec_of(body, now))
    if plan is not None:
        schedules.create("", schedules.IMPERATIVE, plan, now, calendar)


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
