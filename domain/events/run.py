"""A run is triggered, with where it comes from, and what is written about it later."""

from msgspec import Raw, Struct

from domain.events.base import JSON_TYPE, NOTHING, BlobRef, RunEvent

API = "api"
"""The source of a run that a program triggered; one object too."""

SCHEDULE = "schedule"
"""The source of a run that a schedule triggered."""

MANUAL = "manual"
"""The source of a run that somebody started by hand."""

EVENT_SOURCE = "event"
"""The source of a run that a named event started."""


class Edit(Struct, frozen=True, gc=False, omit_defaults=True):
    """Another result for a step that a run takes over, named by its index in the journal."""

    index: int
    result: Raw = NOTHING
    result_blob: BlobRef | None = None


class Prefix(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a replay takes over: the first entries of the journal of a run, as that was at its `version`-th event."""

    run: str
    version: int
    entries: int
    edits: tuple[Edit, ...] = ()


class JobRef(Struct, frozen=True, gc=False):
    """Whose execution a run is, what the job was called then, and the time for which it was planned."""

    id: str
    name: str
    scheduled_for: int


class Scheduled(Struct, frozen=True, gc=False):
    """For which tick of a schedule a run is: `at` is the moment that was planned, in that revision of the schedule.

    That of a run whose source is manual is no tick: it is when somebody asked for the run.
    """

    schedule: str
    revision: int
    at: int


class EventRef(Struct, frozen=True, gc=False, omit_defaults=True):
    """The named event that started a run, as it was sent, but for its payload."""

    id: str
    name: str
    timestamp: int
    source: str
    context: Raw = NOTHING


class About(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a run is to tell of: the end of another run, and of what `type` that news is.

    `channel` is the alert channel by which it goes; what goes by none is a callback of a job. What tells of several at
    once names the channel as `run`, and its event of this `version`, which sums them up.
    """

    run: str
    type: str
    channel: str | None = None
    version: int | None = None


class RunTriggered(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A run was accepted. Limits that are None come from the task's version when an attempt needs them.

    `traceparent` is the span in which the caller asked for it, as W3C's Trace Context writes it. `source` is what
    started it: api, manual, schedule, webhook, event, replay, callback or alert. `delay_until` is for a run that an
    earlier gate holds. `prefix` is what its journal begins with, if that is not empty. `schedule` is the tick that a
    run is for. A run of a `job` is an execution of it. `event` is the named event that started it. One that is `about`
    another run tells of its end.
    """

    task: str
    queue: str
    payload: Raw = NOTHING
    payload_blob: BlobRef | None = None
    payload_type: str = JSON_TYPE
    payload_size: int = 0
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    priority: int = 0
    concurrency_key: str | None = None
    ttl_ms: int | None = None
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    is_test: bool = False
    batch: str | None = None
    idempotency_key: str | None = None
    replay_of: str | None = None
    traceparent: str | None = None
    source: str = API
    version: str | None = None
    machine: str | None = None
    parent: str | None = None
    root: str | None = None
    depth: int = 0
    delay_until: int | None = None
    prefix: Prefix | None = None
    schedule: Scheduled | None = None
    job: JobRef | None = None
    event: EventRef | None = None
    about: About | None = None


class LogLine(Struct, frozen=True, gc=False, omit_defaults=True):
    """A line that the code of a run logged: `level` is debug, info, warning or error, `attributes` an object."""

    at: int
    level: str
    message: str
    attributes: Raw = NOTHING


class RunLogged(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The code of the run logged these lines. One that `is_full` is the last: it says that more were dropped."""

    lines: tuple[LogLine, ...]
    is_full: bool = False


class TagsAdded(RunEvent, frozen=True, gc=False):
    """The run got further tags."""

    tags: tuple[str, ...]


class MetadataUpdated(RunEvent, frozen=True, gc=False):
    """The run's metadata is now this."""

    metadata: Raw


class RunReplayed(RunEvent, frozen=True, gc=False):
    """Another run was made from this one."""

    run: str
