"""The bodies of requests, as msgspec reads them: the hot routes spend no time on anything else."""

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from app.web.errors import Malformed
from domain.events import JSON_TYPE, NOTHING, OUT_OF_MEMORY, Entry, RunError, TaskSettings

T = TypeVar("T")
RETRY_IN_MS_MAX = 7 * 86_400_000

# JSON knows no end of numbers; what is reckoned with here, and stored, stays where every client can read it.
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Moment: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)]
MediaType: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[ -~]+$")]
"""Visible ASCII: it may be sent in a header."""


def _absent() -> Raw:
    # A factory, because the schema of a body would have to show a default, and this one is no JSON.
    return NOTHING


class QueueOption(Struct):
    """The queue of a trigger."""

    name: str


class KeyOptions(Struct):
    """What the user called an idempotency key that arrives hashed."""

    key: str | list[str] | None = None
    scope: str | None = None
    on_failure: str | None = msgspec.field(default=None, name="onFailure")
    """What a later trigger gets when the run failed: a new run ("free", as it is without), or that one ("return")."""

    def text(self) -> str | None:
        """The key as the user wrote it; the parts of one are joined as the official client does."""
        return self.key if self.key is None or isinstance(self.key, str) else "-".join(self.key) or None


class DebounceOption(Struct, rename="camel"):
    """Triggers with the same key within the delay are one run."""

    key: str
    delay: str
    mode: str | None = None
    max_delay: str | None = None


class TriggerOptions(Struct, rename="camel"):
    """Options of a trigger; null is the same as absent. Fields that nobody knows are ignored, as the peer does."""

    queue: QueueOption | None = None
    concurrency_key: str | int | None = None
    delay: str | None = None
    ttl: str | int | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    idempotency_key_options: KeyOptions | None = None
    max_attempts: int | None = None
    max_duration: float | None = None
    metadata: Raw = msgspec.field(default_factory=_absent)
    payload_type: MediaType | None = None
    priority: float | None = None
    tags: str | list[str] | None = None
    test: bool | None = None
    lock_to_version: str | None = None
    debounce: DebounceOption | None = None
    machine: str | None = None
    parent_run_id: str | None = None
    resume_parent_on_completion: bool | None = None
    region: str | None = None
    external_deployment_id: str | None = None
    gates: Raw = msgspec.field(default_factory=_absent)
    concurrency: Raw = msgspec.field(default_factory=_absent)


class TriggerBody(Struct):
    """A trigger of one run."""

    payload: Raw = msgspec.field(default_factory=_absent)
    options: TriggerOptions | None = None


class BatchBody(Struct):
    """A trigger of several runs of one task."""

    items: list[TriggerBody]


class TaskItem(Struct):
    """A trigger of one run among several; the fields are looked at one by one, so that a bad one spoils no other."""

    task: str
    payload: Raw = msgspec.field(default_factory=_absent)
    options: Raw = msgspec.field(default_factory=_absent)


class TasksBatchBody(Struct):
    """A trigger of runs of several tasks."""

    items: list[TaskItem]


class BatchItem(TaskItem, kw_only=True):
    """One line of the items of a batch."""

    index: Count


class CreateBatchBody(Struct, rename="camel"):
    """A batch, whose items come next."""

    run_count: int
    task_identifiers: list[str] | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    idempotency_key_options: KeyOptions | None = None
    parent_run_id: str | None = None
    resume_parent_on_completion: bool | None = None


class CreateTokenBody(Struct, rename="camel"):
    """A new token; null is the same as absent. `timeout` is a duration or a date."""

    timeout: str | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    tags: str | list[str] | None = None


class CompleteTokenBody(Struct, rename="camel"):
    """What those who wait for a token are given: any JSON, and the media type that it is kept with."""

    data: Raw = msgspec.field(default_factory=_absent)
    output_type: MediaType | None = None


class EventBody(Struct, rename="camel"):
    """A named event: `id` is its sender's, and used once; `timestamp` is an ISO 8601 date, `context` an object."""

    name: str | None = None
    payload: Raw = msgspec.field(default_factory=_absent)
    id: str | None = None
    timestamp: str | None = None
    source: str | None = None
    context: Raw = msgspec.field(default_factory=_absent)


class EventOptions(Struct, rename="camel"):
    """When an event is delivered: at a date, or after a while (seconds, or a duration)."""

    deliver_at: str | None = None
    deliver_after: str | int | None = None
    account_id: str | None = None


class SendEventBody(EventBody):
    """An event, by itself or in Trigger.dev v2's envelope under `event`."""

    event: EventBody | None = None
    options: EventOptions | None = None


class SendEventsBody(Struct):
    """Several events."""

    events: list[EventBody]
    options: EventOptions | None = None


class BulkBody(Struct, rename="camel"):
    """What to do with which runs: `runIds`, or those that `filter` finds, which has the filters of the list of runs."""

    action: Literal["cancel", "replay"]
    name: str | None = None
    run_ids: list[str] | None = None
    filter: dict[str, Any] | None = None


class ScheduleBody(Struct, rename="camel"):
    """All of a schedule that can be said; null is the same as absent. One of `cron`, `every` and `at` is its timing.

    Durations are written like `30s`, moments as ISO 8601 dates.
    """

    task: str
    cron: str | None = None
    timezone: str | None = None
    every: int | None = None
    every_from: Literal["epoch", "creation"] | None = None
    at: str | None = None
    deduplication_key: str | None = None
    external_id: str | None = None
    start_at: str | None = None
    end_at: str | None = None
    jitter: str | None = None
    dst_gap: Literal["run_after", "skip"] | None = None
    dst_fold: Literal["first", "both"] | None = None
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] | None = None
    catch_up: Literal["latest", "all", "none"] | None = None
    catch_up_window: str | None = None
    catch_up_max: int | None = None
    payload: Raw = msgspec.field(default_factory=_absent)
    options: TriggerOptions | None = None


class BackfillBody(Struct, rename="camel"):
    """Between which moments, both included, the ticks that have no run are to get one."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class PublicTokenBody(Struct, rename="camel"):
    """A public token; `expirationTime` is a duration, or a moment in seconds since 1970."""

    scopes: list[str]
    expiration_time: str | Annotated[int, Meta(ge=0, le=2**33)] | None = None
    one_time_use: bool = False
    realtime: dict[str, Any] | None = None


class CreateVariableBody(Struct, rename="camel"):
    """A variable of an environment."""

    name: str
    value: str
    is_secret: bool = False


class UpdateVariableBody(Struct, rename="camel"):
    """Another value of a variable; it stays as secret as it is."""

    value: str


class ImportVariablesBody(Struct, rename="camel"):
    """Many variables at once; without `override` those that are there stay as they are."""

    variables: dict[str, str]
    override: bool = False
    is_secret: bool = False


class RescheduleBody(Struct):
    """A new time for a delayed run."""

    delay: str


class ResetKeyBody(Struct, rename="camel"):
    """Whose idempotency key to free."""

    task_identifier: str


class ReplayBody(Struct, rename="camel"):
    """What a replay does otherwise than the run it replays."""

    payload: Raw = msgspec.field(default_factory=_absent)
    payload_type: MediaType | None = None
    metadata: Raw = msgspec.field(default_factory=_absent)
    tags: str | list[str] | None = None
    queue: str | None = None
    concurrency_key: str | int | None = None
    delay: str | None = None
    ttl: str | int | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    max_attempts: int | None = None
    max_duration: float | None = None
    priority: float | None = None
    machine: str | None = None
    version: str | None = None
    region: str | None = None
    from_step: Annotated[str, Meta(min_length=1, max_length=280)] | None = None
    step_results: dict[str, Raw] | None = None


class TagsBody(Struct):
    """Further tags of a run."""

    tags: str | list[str]


class OperationBody(Struct):
    """One change of metadata: `type` is set, delete, append, remove, increment or update."""

    type: str
    key: str = ""
    value: Any = None


class MetadataBody(Struct, rename="camel"):
    """Changes of the metadata of a run, of its parent, of the root of its family."""

    metadata: dict[str, Any] | None = None
    operations: list[OperationBody] = []
    parent_operations: list[OperationBody] = []
    root_operations: list[OperationBody] = []


QueueType: TypeAlias = Literal["id", "task", "custom"]


class PauseQueueBody(Struct):
    """Whether a queue pauses or goes on; `type` says how the path names it."""

    action: Literal["pause", "resume"]
    type: QueueType = "id"


class OverrideQueueBody(Struct, rename="camel"):
    """Another concurrency limit for a queue."""

    concurrency_limit: Annotated[int, Meta(ge=0, le=100_000)]
    type: QueueType = "id"


class ResetQueueBody(Struct):
    """Which queue is to have the limit of its tasks again."""

    type: QueueType = "id"


class ConcurrencyBody(Struct, rename="camel"):
    """The limit of a whole environment; null: none."""

    concurrency_limit: Annotated[int, Meta(ge=0, le=100_000)] | None


class RegisterBody(Struct):
    """The tasks of a worker's code."""

    tasks: list[TaskSettings]
    sdk: str = "unknown"
    promote: bool | None = None


class CredentialsBody(Struct):
    """The credentials of a connection: any JSON."""

    credentials: Raw


class TimingBody(Struct):
    """When a job runs. `run_at` is an ISO 8601 date."""

    cron: str | None = None
    every_n_minutes: int | None = None
    run_at: str | None = None
    timezone: str | None = None
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] = "allow"
    """What becomes of an execution that is due while the one before goes on."""


class RequestBody(Struct):
    """What a job sends."""

    url: str
    method: str = "GET"
    headers: dict[str, str] | None = None
    body: Raw = msgspec.field(default_factory=_absent)
    timeout_seconds: int = 30
    success_statuses: tuple[int, ...] | None = None
    max_redirects: int = 0
    sign_with: tuple[str, ...] = ()


class JobEventBody(Struct):
    """The named events that start a job: those of this name whose payload fits the filter."""

    name: str
    filter: dict[str, Any] | None = None


class RetryBody(Struct):
    """When a job tries again; what is left out is as the document says."""

    max_attempts: int | None = None
    retry_on_statuses: tuple[int, ...] | None = None
    backoff_ms: int | None = None
    backoff_factor: float | None = None
    backoff_max_ms: int | None = None


class CallbackBody(Struct):
    """Where a job tells of its executions, and on what occasions."""

    on: tuple[Literal["success", "failure", "completion", "recovery", "auto_pause"], ...]
    url: str
    headers: dict[str, str] | None = None
    secret: str | None = None


FailuresMax: TypeAlias = Annotated[int, Meta(ge=0, le=1_000)]


class CreateJobBody(Struct):
    """A new job. It pauses itself after so many failed executions in a row (0: never), or at a 410, if asked to."""

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


class ChangeJobBody(Struct):
    """What is to be otherwise about a job; what is left out stays."""

    name: str | None = None
    request: RequestBody | None = None
    schedule: TimingBody | None = None
    retry_policy: RetryBody | None = None
    webhook_secret: str | None = None
    event: JobEventBody | None = None
    pause_after_failures: FailuresMax | None = None
    pause_on_gone: bool | None = None
    callbacks: tuple[CallbackBody, ...] | None = None


class ChannelBody(Struct):
    """A new alert channel: a webhook with a `url`, or e-mails `to` some addresses."""

    name: str
    kind: Literal["webhook", "email"]
    on: tuple[Literal["failure", "recovery", "auto_pause"], ...] = ("failure", "recovery", "auto_pause")
    tasks: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    url: str | None = None
    headers: dict[str, str] | None = None
    secret: str | None = None
    to: tuple[str, ...] = ()
    repeat: bool = True


class PreviewBody(Struct):
    """When a job would run."""

    kind: Literal["recurring", "cron", "scheduled"]
    schedule: TimingBody
    count: Annotated[int, Meta(ge=1, le=100)] = 10


class ImportBody(Struct):
    """A crontab. `dry_run` tells what would become of its lines, and saves nothing."""

    crontab: str
    timezone: str = "UTC"
    state: Literal["active", "draft"] = "active"
    dry_run: bool = False


class SecretBody(Struct):
    """The value of a secret."""

    value: str


class NewSecretBody(SecretBody):
    """A secret with its name."""

    name: str = ""


class CreateEnvironmentBody(Struct, rename="camel"):
    """A new environment."""

    slug: str
    type: str
    project: str = "default"
    organization: str = "default"
    concurrency_limit: Count | None = None


class ErrorBody(Struct, rename="camel"):
    """What a worker says of a failure."""

    message: str
    name: str = "Error"
    stack_trace: str | None = None
    code: str | None = None
    exit_code: int | None = None
    signal: str | None = None

    def as_error(self) -> RunError:
        """In the domain's terms. Of the codes, which the engine reacts to, a worker can tell one."""
        return RunError(
            self.message[:8_192],
            self.name[:256],
            self.stack_trace and self.stack_trace[:32_768],
            OUT_OF_MEMORY if self.code == OUT_OF_MEMORY else None,
            self.exit_code,
            self.signal and self.signal[:32],
        )


class EntryBody(Struct, rename="camel"):
    """The place of something in the journal of a run."""

    index: Count
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    number: Annotated[int, Meta(ge=1, le=2**53)] = 1
    after: Count | None = None
    forked: bool = False
    digest: Annotated[str, Meta(max_length=64)] | None = None

    def as_entry(self) -> Entry:
        """In the domain's terms."""
        return Entry(self.index, self.name, self.number, self.after, self.forked, self.digest)


class LineBody(Struct):
    """A line that the code of a run logged."""

    at: Moment
    level: Literal["debug", "info", "warning", "error"]
    message: str
    attributes: Raw = msgspec.field(default_factory=_absent)


class ReportBody(Struct, rename="camel"):
    """One report of a worker (docs/reference/worker-protocol.md)."""

    run: str
    token: Count
    kind: str
    at: Moment
    output: Raw = msgspec.field(default_factory=_absent)
    output_type: MediaType = JSON_TYPE
    error: ErrorBody | None = None
    retryable: bool = True
    retry_in_ms: Annotated[int, Meta(ge=0, le=RETRY_IN_MS_MAX)] | None = None
    entry: EntryBody | None = None
    runs: tuple[str, ...] = ()
    batch: str | None = None
    targets: tuple[str, ...] = ()
    is_any: bool = msgspec.field(default=False, name="any")
    until: Moment | None = None
    for_ms: Count | None = msgspec.field(default=None, name="for")
    waits: tuple[Count, ...] = ()
    lines: tuple[LineBody, ...] = ()
    first: Count = 0


class TurnBody(Struct, rename="camel"):
    """One turn of a worker."""

    session: str
    version: str
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    received: Count = 0
    want: Count = 0
    wait_ms: Count = 0
    holds: list[tuple[str, Count]] | None = None
    machines: list[str] | None = None
    waits: tuple[tuple[str, Count, tuple[Count, ...]], ...] = ()
    reports: list[ReportBody] = []


def text_as_json(text: str) -> Raw:
    """A text as a JSON string."""
    return Raw(msgspec.json.encode(text))


def decode(body: bytes, shape: type[T]) -> T:
    """A body of this shape. Raises Malformed with a sentence that names the place."""
    try:
        if not body.isascii():
            # What stays undecoded would take any bytes along, into the ledger and to every reader.
            body.decode()
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Malformed(f"The body is not of the right shape: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"Invalid JSON: {error}.") from error
    except RecursionError as error:
        raise Malformed("Invalid JSON: it is nested too deeply.") from error
