"""Bodies about HTTP jobs, their secrets and the channels that are told of failures."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw

from app.values import absent
from app.web.bodies.reading import StrictBody


class TimingBody(StrictBody):
    """When a job runs. `run_at` is an ISO 8601 date."""

    cron: str | None = None
    every_n_minutes: int | None = None
    run_at: str | None = None
    timezone: str | None = None
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] = "allow"
    """What becomes of an execution that is due while the one before goes on."""


class RequestBody(StrictBody):
    """What a job sends."""

    url: str
    method: str = "GET"
    headers: dict[str, str] | None = None
    body: Raw = msgspec.field(default_factory=absent)
    timeout_seconds: int = 30
    success_statuses: tuple[int, ...] | None = None
    max_redirects: int = 0
    sign_with: tuple[str, ...] = ()


class JobEventBody(StrictBody):
    """The named events that start a job: those of this name, or one of these, whose payload fits the filter."""

    name: str | tuple[str, ...]
    filter: dict[str, Any] | None = None


class RetryBody(StrictBody):
    """When a job tries again; what is left out is as the document says."""

    max_attempts: int | None = None
    retry_on_statuses: tuple[int, ...] | None = None
    backoff_ms: int | None = None
    backoff_factor: float | None = None
    backoff_max_ms: int | None = None


class CallbackBody(StrictBody):
    """Where a job tells of its executions, and on what occasions."""

    on: tuple[Literal["success", "failure", "completion", "recovery", "auto_pause"], ...]
    url: str
    headers: dict[str, str] | None = None
    secret: str | None = None


FailuresMax: TypeAlias = Annotated[int, Meta(ge=0, le=1_000)]


class CreateJobBody(StrictBody):
    """A new job. It pauses itself after so many failed executions in a row (0: never), or at a 410, if asked to.

    With a `rate_limit` such as `10/1m` no more attempts of it start within that time; the others wait.
    """

    name: str
    kind: Literal["recurring", "cron", "scheduled", "one_time", "webhook_trigger", "event"]
    request: RequestBody
    schedule: TimingBody | None = None
    retry_policy: RetryBody | None = None
    state: Literal["active", "draft"] = "active"
    webhook_secret: str | None = None
    event: JobEventBody | None = None
    pause_after_failures: FailuresMax | None = None
    pause_on_gone: bool = False
    callbacks: tuple[CallbackBody, ...] = ()
    rate_limit: str | None = None


class ChangeJobBody(StrictBody):
    """What is to be otherwise about a job; what is left out stays. An empty `rate_limit` takes it back."""

    name: str | None = None
    request: RequestBody | None = None
    schedule: TimingBody | None = None
    retry_policy: RetryBody | None = None
    webhook_secret: str | None = None
    event: JobEventBody | None = None
    pause_after_failures: FailuresMax | None = None
    pause_on_gone: bool | None = None
    callbacks: tuple[CallbackBody, ...] | None = None
    rate_limit: str | None = None


class ChannelBody(StrictBody):
    """A new alert channel: a webhook with a `url`, or e-mails `to` some addresses.

    With a `digest` such as `5m` what follows the first alert within that time is told together.
    """

    name: str
    kind: Literal["webhook", "email"]
    on: tuple[Literal["success", "failure", "completion", "recovery", "auto_pause", "certificate"], ...] = (
        *("failure", "recovery"),
        *("auto_pause", "certificate"),
    )
    tasks: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    url: str | None = None
    headers: dict[str, str] | None = None
    secret: str | None = None
    to: tuple[str, ...] = ()
    repeat: bool = True
    digest: str | None = None
    certificate_days: Annotated[int, Meta(ge=1, le=365)] = 14


class PreviewBody(StrictBody):
    """When a job would run."""

    kind: Literal["recurring", "cron", "scheduled"]
    schedule: TimingBody
    count: Annotated[int, Meta(ge=1, le=100)] = 10


class ImportBody(StrictBody):
    """A crontab. `dry_run` tells what would become of its lines, and saves nothing."""

    crontab: str
    timezone: str = "UTC"
    state: Literal["active", "draft"] = "active"
    dry_run: bool = False


class SecretBody(StrictBody):
    """The value of a secret."""

    value: str


class NewSecretBody(SecretBody):
    """A secret with its name."""

    name: str = ""
