"""HTTP jobs, and the channels that are told of failures."""

from typing import Literal

from msgspec import Raw, Struct

from domain.calendar import UTC_ZONE
from domain.events.base import Event
from domain.events.deployments import RateLimit, Subscription


class JobTiming(Struct, frozen=True, gc=False, omit_defaults=True):
    """When a job runs: by a cron expression in a time zone, every so many minutes, or once at a moment."""

    cron: str | None = None
    every_n_minutes: int | None = None
    run_at: int | None = None
    timezone: str = UTC_ZONE
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] = "allow"


class Callback(Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a job tells of its executions: `on` success, failure, completion, recovery or auto_pause.

    `secret` is the name of the secret that its messages are signed with.
    """

    on: tuple[str, ...]
    url: str
    headers: dict[str, str] = {}
    secret: str | None = None


class JobSpec(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a job does and when: `kind` is recurring, cron, scheduled, one_time, webhook_trigger or event.

    `payload` is what its executions are given: the request, and when it is tried again. `trigger_sha256` is that of the
    secret that whoever triggers it by its URL has to know. `event` is what starts one of the kind event. It pauses
    itself after so many failed executions in a row, or at once when its target says that it is gone for good (410), if
    asked to. With a `rate_limit` no more attempts of it start within some time.
    """

    name: str
    kind: str
    payload: Raw
    max_attempts: int
    timing: JobTiming | None = None
    trigger_sha256: str | None = None
    event: Subscription | None = None
    pause_after_failures: int | None = None
    pause_on_gone: bool = False
    callbacks: tuple[Callback, ...] = ()
    rate_limit: RateLimit | None = None


class JobCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """An HTTP job was saved, active or as a draft. Whoever knows the `token` may trigger one that waits for that."""

    spec: JobSpec
    state: str
    token: str | None = None


class JobChanged(Event, frozen=True, gc=False):
    """The job does something else from now on, or at other times."""

    spec: JobSpec


class JobPaused(Event, frozen=True, gc=False):
    """The job no longer starts by itself."""


class JobFailed(Event, frozen=True, gc=False):
    """An execution of the job failed: one more in a row, until one succeeds or the job is resumed."""

    execution: str


class JobRecovered(Event, frozen=True, gc=False):
    """An execution of the job succeeded after one or more that failed."""

    execution: str


class JobPausedByFailures(Event, frozen=True, gc=False):
    """The job no longer starts by itself because of this execution.

    `reason` is FAILURES (too many in a row) or GONE (its target is gone for good).
    """

    execution: str
    reason: str


class JobResumed(Event, frozen=True, gc=False):
    """The job starts by itself (again)."""


class JobCompleted(Event, frozen=True, gc=False):
    """The one execution of the job was started: none follows by itself."""


class JobDeleted(Event, frozen=True, gc=False):
    """The job is no longer there; its executions are."""


class ChannelSpec(Struct, frozen=True, gc=False, omit_defaults=True):
    """How somebody is told of failures: by webhook to a `url`, or by email `to` some addresses.

    `on` is some of success, failure, completion, recovery, auto_pause and certificate. Without `tasks` and `jobs` it is
    about all of them. One that does not `repeat` tells of the first failure of each task or job until that has
    recovered. With a `digest_ms` it tells of one thing at once, and of what follows within that time together.
    """

    name: str
    kind: str
    on: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    url: str = ""
    headers: dict[str, str] = {}
    secret: str | None = None
    to: tuple[str, ...] = ()
    repeat: bool = True
    digest_ms: int | None = None
    certificate_days: int = 14
    """So many days before a certificate ends the channel tells of it."""


class ChannelSaved(Event, frozen=True, gc=False):
    """Somebody is told of failures from now on."""

    spec: ChannelSpec


class ChannelRemoved(Event, frozen=True, gc=False):
    """Nobody is told by this channel any more."""


class AlertTold(Event, frozen=True, gc=False):
    """The channel told of something at once. What follows waits until this moment, and is then told together."""

    until: int


class AlertHeld(Event, frozen=True, gc=False):
    """News of this `type` waits to be told together with others: what ran, what that is called, and the run."""

    type: str
    subject: str
    name: str
    run: str


class AlertsSummed(Event, frozen=True, gc=False):
    """So many alerts, all that waited, are told together by this run. What follows waits until this moment."""

    run: str
    alerts: int
    until: int


class CertificateEnding(Event, frozen=True, gc=False):
    """A job, of which the channel tells, calls a server whose certificate ends soon: this execution saw it."""

    subject: str
    run: str
    ends_at: int


class SubjectFailed(Event, frozen=True, gc=False):
    """A task or a job, of which the channel tells, fails from this run on."""

    subject: str
    run: str


class SubjectRecovered(Event, frozen=True, gc=False):
    """A task or a job, of which the channel tells, no longer fails: this run succeeded."""

    subject: str
    run: str
