"""Everything that can happen, in the past tense, and the envelope in which it is recorded.

Events are never edited. A changed shape gets a new class and an upcaster in the codec.
"""

from typing import Any, Literal

from msgspec import Raw, Struct

from domain.calendar import UTC_ZONE, Tick
from domain.retry import Retry
from domain.timing import Timetable

NOTHING = Raw()
"""The value that is absent: left out of the JSON, and so unlike `null`."""


API = "api"
"""The source of a run that a program triggered; one object too."""
SCHEDULE = "schedule"
"""The source of a run that a schedule triggered."""
EVENT_SOURCE = "event"
"""The source of a run that a named event started."""
JSON_TYPE = "application/json"
"""The type of a payload or output of which nothing is said. One object: msgspec leaves defaults out by identity."""


class BlobRef(Struct, frozen=True, gc=False):
    """Where a large value is kept beside the ledger, and the SHA-256 that it must have."""

    key: str
    sha256: str
    size: int


class RunError(Struct, frozen=True, gc=False, omit_defaults=True):
    """What went wrong in an attempt, as its worker or the engine tells it; `code` names causes known to the engine."""

    message: str
    name: str = "Error"
    stack_trace: str | None = None
    code: str | None = None
    exit_code: int | None = None
    """With which the process of the attempt ended by itself."""
    signal: str | None = None
    """The name of the signal that ended it."""


WORKER_LOST = "WORKER_LOST"
PROCESS_DIED = "PROCESS_DIED"
OUT_OF_MEMORY = "OUT_OF_MEMORY"


class Event(Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that happened to one aggregate."""


class RunEvent(Event, frozen=True, gc=False, omit_defaults=True):
    """Something that happened to a run."""


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
    """For which tick of a schedule a run is: `at` is the moment that was planned, in that revision of the schedule."""

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

    `channel` is the alert channel by which it goes; what goes by none is a callback of a job.
    """

    run: str
    type: str
    channel: str | None = None


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


class RunHeldForVersion(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """No version knows the task, or the one asked for is not there, or the payload has to be checked first."""

    version: str | None = None


class VersionArrived(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A version knows the task: what the trigger left open (None: stays as it is) is settled by it."""

    version: str
    queue: str | None = None
    ttl_ms: int | None = None
    machine: str | None = None


class RunHeldForAuth(RunEvent, frozen=True, gc=False):
    """The task's auth resolver has to answer first."""


class AuthResolved(RunEvent, frozen=True, gc=False):
    """The auth resolver answered; what it said is sealed."""

    sealed: str


class RunHeldForConnections(RunEvent, frozen=True, gc=False):
    """These connections have to become ready first."""

    connections: tuple[str, ...]


class RunDelayed(RunEvent, frozen=True, gc=False):
    """The run enters its queue at `until`."""

    until: int


class RunRescheduled(RunEvent, frozen=True, gc=False):
    """A delayed run got another time."""

    until: int


class RunDebounced(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A further trigger with the same debounce key put the delayed run off, and replaced what it is to work on.

    Without `replaces` (the leading mode) only the time changes.
    """

    until: int
    replaces: bool = False
    payload: Raw = NOTHING
    payload_blob: BlobRef | None = None
    payload_type: str = JSON_TYPE
    payload_size: int = 0
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    machine: str | None = None


class RunEnqueued(RunEvent, frozen=True, gc=False):
    """The run is in its queue (again): `reason` says what it waited for or who gave it back.

    version, auth, connections, delay, backoff, released, lost, crashed or resumed.
    """

    reason: str


class RunDequeued(RunEvent, frozen=True, gc=False):
    """The run was handed to a worker. `token` fences the attempt: only reports that name it count."""

    token: int
    worker: str
    version: str


class AttemptStarted(RunEvent, frozen=True, gc=False):
    """The worker began to execute."""

    number: int
    token: int
    worker: str
    version: str


class AttemptSucceeded(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The task returned."""

    number: int
    token: int
    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    output_type: str = JSON_TYPE


class AttemptFailed(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The attempt ended without a result. What follows is the retry process manager's to say.

    `output` is what it found all the same. `retry_in_ms` is after how long it asks for another attempt.
    """

    number: int
    token: int
    error: RunError
    retryable: bool = True
    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    retry_in_ms: int | None = None


class RetryScheduled(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """Another attempt may start at `at`, on another machine if one is named."""

    at: int
    machine: str | None = None


class RunFailed(RunEvent, frozen=True, gc=False):
    """No attempt is left."""

    error: RunError


class RunCanceled(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """Someone asked to stop the run."""

    reason: str | None = None


class RunExpired(RunEvent, frozen=True, gc=False):
    """The run was not started before its TTL was over."""

    ttl_ms: int


class RunTimedOut(RunEvent, frozen=True, gc=False):
    """The attempt ran longer than its max duration."""

    max_duration_ms: int


class RunCrashed(RunEvent, frozen=True, gc=False):
    """The process of the attempt died, or its worker was lost, and no attempt is left."""

    error: RunError


class RunInterrupted(RunEvent, frozen=True, gc=False):
    """A development worker left in the middle of the attempt."""

    error: RunError


class RunSystemFailed(RunEvent, frozen=True, gc=False):
    """The engine cannot go on with the run."""

    error: RunError


class PayloadRejected(RunEvent, frozen=True, gc=False):
    """The payload does not fit the task's schema."""

    error: RunError


class AuthUnresolved(RunEvent, frozen=True, gc=False):
    """The auth resolver found no one to act for."""

    error: RunError


class Entry(Struct, frozen=True, gc=False, omit_defaults=True):
    """Where something stands in the journal of a run: the `index`-th of what its code asked for (0-based).

    Several of one name are numbered. `after` is the entry that the same branch of the code made before (None: the
    branch begins with this one), `forked` says that the branch began there. `digest` tells the arguments.
    """

    index: int
    name: str
    number: int = 1
    after: int | None = None
    forked: bool = False
    digest: str | None = None


class StepSucceeded(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A step's result was journaled: it is never called again."""

    entry: Entry
    result: Raw = NOTHING
    result_blob: BlobRef | None = None


class StepFailed(RunEvent, frozen=True, gc=False):
    """A step failed for good within this attempt."""

    entry: Entry
    error: RunError


class ChildrenTriggered(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The code of the run triggered these."""

    entry: Entry
    runs: tuple[str, ...]
    batch: str | None = None


class WaitStarted(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """The code waits for runs, batches or waitpoints (all of them or any), for a time, or at most until then."""

    entry: Entry
    targets: tuple[str, ...] = ()
    is_any: bool = False
    until: int | None = None


class WaitCompleted(RunEvent, frozen=True, gc=False, omit_defaults=True):
    """A wait, named by its index, is over: these targets are, or its time has come. `unknown` never were there."""

    wait: int
    done: tuple[str, ...] = ()
    is_timed_out: bool = False
    unknown: tuple[str, ...] = ()


class RunBlocked(RunEvent, frozen=True, gc=False):
    """Nothing goes on in the code but its waits: the slot is free, the process is still there."""


class RunFrozen(RunEvent, frozen=True, gc=False):
    """The process of a waiting run was given up."""


class RunResumed(RunEvent, frozen=True, gc=False):
    """A waiting run has a slot again, and goes on in the process that kept it."""


class AttemptResumed(RunEvent, frozen=True, gc=False):
    """An attempt, which began at `began_at`, goes on in another process, by the journal of the run."""

    number: int
    token: int
    worker: str
    version: str
    began_at: int


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


class LateResultRefused(RunEvent, frozen=True, gc=False):
    """A report named an attempt that was no longer open. Recorded once for each token."""

    token: int
    kind: str
    worker: str


class RateLimit(Struct, frozen=True, gc=False, rename="camel"):
    """At most `limit` starts within any `period_ms` milliseconds."""

    limit: int
    period_ms: int


class Queue(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A queue as a task names it. `concurrency_limit` bounds the open attempts."""

    name: str
    concurrency_limit: int | None = None
    rate_limit: RateLimit | None = None


class TaskSchedule(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """When a task is to run by itself, as its code says: by `cron`, or `every` so many minutes. Durations are in ms."""

    cron: str | None = None
    timezone: str = UTC_ZONE
    every: int | None = None
    dst_gap: Literal["run_after", "skip"] = "run_after"
    dst_fold: Literal["first", "both"] = "first"
    jitter: int = 0
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] = "allow"
    catch_up: Literal["latest", "all", "none"] = "latest"
    catch_up_window: int | None = None
    catch_up_max: int = 100


class Subscription(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """The named events that start something: those of this name whose payload fits the filter."""

    name: str
    filter: dict[str, Any] = {}


class TaskSettings(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """What a worker says about one of its tasks. `ttl` and `max_duration` are milliseconds."""

    id: str
    queue: Queue | None = None
    retry: Retry | None = None
    ttl: int | None = None
    max_duration: int | None = None
    retry_on_crash: bool = False
    machine: str | None = None
    payload_schema: dict[str, Any] | None = None
    """JSON Schema of the payload; none takes every payload."""
    auth_resolver: bool = False
    """Whether the worker has to say first for whom a run acts."""
    connections: tuple[str, ...] = ()
    """The names of the connections that a run needs."""
    schedule: TaskSchedule | None = None
    """When it is to run by itself."""
    event: Subscription | None = None
    """The named events that start it."""


class EnvironmentCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A tenant was made: `type` is DEVELOPMENT, STAGING, PRODUCTION or PREVIEW."""

    slug: str
    type: str
    project: str = "default"
    organization: str = "default"


class EnvironmentLimited(Event, frozen=True, gc=False, omit_defaults=True):
    """At most so many attempts of the whole environment are open at once; None: no limit."""

    concurrency_limit: int | None = None


class VariableSaved(Event, frozen=True, gc=False, omit_defaults=True):
    """Workers that start from now on have this variable; its value is sealed. A secret one is shown to nobody."""

    name: str
    sealed: str
    is_secret: bool = False


class VariableRemoved(Event, frozen=True, gc=False):
    """Workers that start from now on do not have it any more."""

    name: str


class ApiKeyCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A secret key with this SHA-256 opens the environment; sealed, it verifies what is signed with it."""

    sha256: str
    hint: str
    sealed: str | None = None


class ApiKeySealed(Event, frozen=True, gc=False):
    """A key that opens the environment is kept, sealed, from now on, or sealed with another encryption key."""

    sha256: str
    sealed: str


class ApiKeyRevoked(Event, frozen=True, gc=False):
    """The key opens nothing any more."""

    sha256: str


class VersionRegistered(Event, frozen=True, gc=False, omit_defaults=True):
    """A new set of tasks arrived, and it is the current one unless it is not promoted yet."""

    version: str
    digest: str
    tasks: tuple[TaskSettings, ...]
    is_promoted: bool = True


class VersionPromoted(Event, frozen=True, gc=False):
    """A version known before is the current one."""

    version: str


class KeyClaimed(Event, frozen=True, gc=False, omit_defaults=True):
    """A key stands for a run, or for a batch, until a time; it replaces what the key stood for before.

    `payload` tells the payload that it came with (the beginning of its SHA-256). One that `keeps_failed` stands for
    a run that failed, too.
    """

    target: str
    until: int
    payload: str | None = None
    keeps_failed: bool = False


class KeyFreed(Event, frozen=True, gc=False):
    """Someone reset the key: it stands for nothing."""


class QueuePaused(Event, frozen=True, gc=False):
    """Nothing of the queue starts any more."""

    queue: str


class QueueResumed(Event, frozen=True, gc=False):
    """The queue goes on."""

    queue: str


class QueueLimitOverridden(Event, frozen=True, gc=False):
    """This limit counts in place of the one that the tasks give the queue."""

    queue: str
    concurrency_limit: int


class QueueLimitReset(Event, frozen=True, gc=False):
    """The limit that the tasks give the queue counts again."""

    queue: str


class QueueStartsCounted(Event, frozen=True, gc=False):
    """So many runs of a queue were handed out just now, where a rate limit of this period bounds them."""

    queue: str
    starts: int
    period_ms: int


class ConnectionSaved(Event, frozen=True, gc=False):
    """A connection is ready: its credentials are sealed with the key of this name."""

    name: str
    sealed: str
    key: str


class ConnectionRemoved(Event, frozen=True, gc=False):
    """The connection is ready no longer."""

    name: str


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
    asked to.
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


class SecretSaved(Event, frozen=True, gc=False):
    """A secret for requests has a value, sealed with the key of this name; it is its `revision`-th."""

    name: str
    sealed: str
    key: str
    revision: int


class SecretRemoved(Event, frozen=True, gc=False):
    """The secret has no value any more."""

    name: str


class ChannelSpec(Struct, frozen=True, gc=False, omit_defaults=True):
    """How somebody is told of failures: by webhook to a `url`, or by email `to` some addresses.

    `on` is failure, recovery and auto_pause, or some of these. Without `tasks` and `jobs` it is about all of them. One
    that does not `repeat` tells of the first failure of each task or job until that has recovered.
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


class ChannelSaved(Event, frozen=True, gc=False):
    """Somebody is told of failures from now on."""

    spec: ChannelSpec


class ChannelRemoved(Event, frozen=True, gc=False):
    """Nobody is told by this channel any more."""


class SubjectFailed(Event, frozen=True, gc=False):
    """A task or a job, of which the channel tells, fails from this run on."""

    subject: str
    run: str


class SubjectRecovered(Event, frozen=True, gc=False):
    """A task or a job, of which the channel tells, no longer fails: this run succeeded."""

    subject: str
    run: str


class BatchTriggered(Event, frozen=True, gc=False):
    """Several runs were accepted together; those that a key already stood for are among them.

    `cached` tells the places of these: they may belong to another batch.
    """

    runs: tuple[str, ...]
    cached: tuple[int, ...] = ()


class ItemError(Struct, frozen=True, gc=False):
    """Why an item of a batch became no run."""

    index: int
    task: str
    error: str
    code: str


class BatchCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A batch was announced: its items come in a stream, until `expires_at`; their runs are the parent's."""

    run_count: int
    expires_at: int
    idempotency_key: str | None = None
    parent: str | None = None


class BatchItemsAccepted(Event, frozen=True, gc=False, omit_defaults=True):
    """Items of the batch came: the runs that they got by their index, and those that became none.

    `cached` tells the indexes of runs that a key stood for before.
    """

    runs: dict[int, str] = {}
    cached: tuple[int, ...] = ()
    errors: tuple[ItemError, ...] = ()


class BatchSealed(Event, frozen=True, gc=False):
    """All items of the batch are known."""


class BatchExpired(Event, frozen=True, gc=False):
    """Not all items of the batch came in time, and no more are taken."""


class BatchCompleted(Event, frozen=True, gc=False):
    """All runs of the batch are finished."""


class BatchAborted(Event, frozen=True, gc=False):
    """No item of the batch became a run."""


class WaitpointCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A token was made, which runs may wait for until somebody completes it, or its time is over.

    Whoever knows the `secret` may complete it without a key.
    """

    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    key_until: int | None = None
    secret: str = ""


class WaitpointCompleted(Event, frozen=True, gc=False, omit_defaults=True):
    """Somebody completed the token, with what those who wait for it are given."""

    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    output_type: str = JSON_TYPE


class WaitpointTimedOut(Event, frozen=True, gc=False):
    """Nobody completed the token in time."""


class EventSent(Event, frozen=True, gc=False, omit_defaults=True):
    """A named event was sent, to be delivered at once or at `deliver_at`. Its id is its sender's, and used once."""

    id: str
    name: str
    timestamp: int
    source: str
    payload: Raw = NOTHING
    payload_blob: BlobRef | None = None
    context: Raw = NOTHING
    deliver_at: int | None = None


class EventPartlyDelivered(Event, frozen=True, gc=False):
    """The event has started these runs, in the same commit, and is subscribed to by more: by those `after` this one."""

    runs: tuple[str, ...]
    after: str


class EventDelivered(Event, frozen=True, gc=False):
    """The event has started these runs, in the same commit, and will start no more."""

    runs: tuple[str, ...]


class EventCanceled(Event, frozen=True, gc=False, omit_defaults=True):
    """Someone stopped the event before it was delivered; a `reason` says why the engine did."""

    reason: str | None = None


class PacketStored(Event, frozen=True, gc=False):
    """A payload was uploaded, which a trigger may name."""

    blob: BlobRef
    content_type: str


class BulkStarted(Event, frozen=True, gc=False, omit_defaults=True):
    """Someone asked to CANCEL or REPLAY many runs: these, or those that a filter finds among the runs there were."""

    action: str
    name: str | None = None
    runs: tuple[str, ...] = ()
    filter: Raw = NOTHING


class BulkAdvanced(Event, frozen=True, gc=False):
    """A part of a bulk action is done, up to the cursor: so many runs more, and so many with which it could not be."""

    cursor: str
    success: int
    failure: int


class BulkCompleted(Event, frozen=True, gc=False):
    """The bulk action is done."""


class BulkAborted(Event, frozen=True, gc=False):
    """Someone stopped the bulk action; what it did remains."""


class Target(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a schedule triggers. Without a payload its runs are given what there is to say of the tick."""

    task: str
    payload: Raw = NOTHING
    payload_type: str = JSON_TYPE
    queue: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    priority: int = 0
    concurrency_key: str | None = None
    ttl_ms: int | None = None
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    is_test: bool = False
    machine: str | None = None
    job: str | None = None
    """The HTTP job whose executions its runs are."""
    job_name: str = ""


class Plan(Struct, frozen=True, gc=False, omit_defaults=True):
    """All of a schedule that can be changed: what it triggers and when, and what becomes of a tick that is in the way.

    `overlap` is allow, skip, buffer_one or cancel_other, `catch_up` latest, all or none. A tick that is later than the
    window is skipped; without one that is the time to the next tick, at most an hour.
    """

    target: Target
    timetable: Timetable
    overlap: str = "allow"
    catch_up: str = "latest"
    catch_up_window_ms: int | None = None
    catch_up_max: int = 100
    external_id: str | None = None


class ScheduleCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A schedule was made, by the API (IMPERATIVE) or the code of its task (DECLARATIVE). `next` is its first tick."""

    type: str
    plan: Plan
    next: Tick | None = None
    deduplication_key: str | None = None


class ScheduleChanged(Event, frozen=True, gc=False, omit_defaults=True):
    """The schedule has another plan: no tick of the former one that has not come to anything comes to something now."""

    revision: int
    plan: Plan
    next: Tick | None = None


class ScheduleActivated(Event, frozen=True, gc=False):
    """The schedule goes on: what was due while it was paused is skipped."""


class ScheduleDeactivated(Event, frozen=True, gc=False):
    """The schedule pauses."""


class ScheduleDeleted(Event, frozen=True, gc=False):
    """There is no such schedule any more."""


class TicksFired(Event, frozen=True, gc=False, omit_defaults=True):
    """These consecutive ticks have become these runs, in the same commit. `last` is absent where there is one tick.

    `fate` is FIRED, LATE, or CAUGHT_UP where a later one was due as well. `late_ms` is how late the first one is.
    """

    first: Tick
    runs: tuple[str, ...]
    next: Tick | None = None
    last: Tick | None = None
    fate: str = "FIRED"
    late_ms: int = 0


class TicksSkipped(Event, frozen=True, gc=False, omit_defaults=True):
    """These consecutive ticks became no runs. `last` is absent where there is one tick.

    `reason` is PAUSED, WINDOW (too late), CATCH_UP (others were fired in their place) or OVERLAP (a run still went on).
    """

    first: Tick
    reason: str
    next: Tick | None = None
    last: Tick | None = None
    count: int = 1


class TickBuffered(Event, frozen=True, gc=False, omit_defaults=True):
    """The tick waits for the end of the run before it."""

    tick: Tick
    next: Tick | None = None


class BufferedTickFired(Event, frozen=True, gc=False):
    """The tick that waited has become this run, in the same commit."""

    tick: Tick
    run: str
    late_ms: int


class BufferedTickDropped(Event, frozen=True, gc=False):
    """The tick that waited becomes no run: the schedule was PAUSED, CHANGED or DELETED meanwhile."""

    tick: Tick
    reason: str


class TicksBackfilled(Event, frozen=True, gc=False):
    """Someone asked for the runs of ticks that had none: the moment of each, and its run, in the same commit."""

    runs: dict[int, str]


class WriterStarted(Event, frozen=True, gc=False):
    """A writer claimed the head of the ledger; what former writers had in flight can never land behind this."""

    epoch: int


RUN_EVENTS: tuple[type[RunEvent], ...] = tuple(RunEvent.__subclasses__())
EVENTS: tuple[type[Event], ...] = (
    *RUN_EVENTS,
    EnvironmentCreated,
    ApiKeyCreated,
    ApiKeySealed,
    ApiKeyRevoked,
    VersionRegistered,
    EnvironmentLimited,
    VariableSaved,
    VariableRemoved,
    VersionPromoted,
    KeyClaimed,
    KeyFreed,
    QueuePaused,
    QueueResumed,
    QueueLimitOverridden,
    QueueLimitReset,
    QueueStartsCounted,
    ConnectionSaved,
    ConnectionRemoved,
    JobCreated,
    JobChanged,
    JobPaused,
    JobFailed,
    JobRecovered,
    JobPausedByFailures,
    JobResumed,
    JobCompleted,
    JobDeleted,
    SecretSaved,
    SecretRemoved,
    ChannelSaved,
    ChannelRemoved,
    SubjectFailed,
    SubjectRecovered,
    BatchTriggered,
    BatchCreated,
    BatchItemsAccepted,
    BatchSealed,
    BatchExpired,
    BatchCompleted,
    BatchAborted,
    WaitpointCreated,
    WaitpointCompleted,
    WaitpointTimedOut,
    EventSent,
    EventPartlyDelivered,
    EventDelivered,
    EventCanceled,
    PacketStored,
    BulkStarted,
    BulkAdvanced,
    BulkCompleted,
    BulkAborted,
    ScheduleCreated,
    ScheduleChanged,
    ScheduleActivated,
    ScheduleDeactivated,
    ScheduleDeleted,
    TicksFired,
    TicksSkipped,
    TickBuffered,
    BufferedTickFired,
    BufferedTickDropped,
    TicksBackfilled,
    WriterStarted,
)


class Recorded(Struct, frozen=True, gc=False):
    """An event with its place in the ledger: the `version`-th of its `stream`, the `position`-th of all (both 1-based).

    `actor` is who did it, `cause` the command, timer or event that it answers.
    `occurred_at` and `recorded_at` are milliseconds; `recorded_at` never decreases with the position.
    """

    position: int
    stream: str
    version: int
    environment: str
    occurred_at: int
    recorded_at: int
    actor: str
    cause: str
    event: Event
