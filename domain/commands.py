"""What can be asked of the engine. Every command says for which environment, by whom, why and when it arrived."""

from msgspec import Raw, Struct

from domain.attempts import Report
from domain.calendar import Tick
from domain.events import (
    JSON_TYPE,
    NOTHING,
    ApiKeyCreated,
    BlobRef,
    ChannelSpec,
    EventSent,
    ItemError,
    JobSpec,
    Plan,
    TaskSettings,
    WaitCompleted,
)
from domain.gates import Verdict
from domain.lifecycle import NewRun
from domain.metadata import Operation


class Command(Struct, frozen=True, kw_only=True):
    """`actor` is who asks, `cause` names the request or the timer, `at` is when it arrived (milliseconds)."""

    environment: str
    actor: str
    cause: str
    at: int


class TriggerRuns(Command, frozen=True, kw_only=True):
    """Accept all these runs or none. Answer: list[Accepted], in the same order.

    `request` is the stream of the request's own key: the same request sent again gets the same answer. `once` is that
    of a token for one use, which is good until `once_until`.
    """

    runs: list[NewRun]
    batch: str | None = None
    request: str | None = None
    request_until: int = 0
    once: str | None = None
    once_until: int = 0
    blobs: dict[str, bytes] = {}


class CreateBatch(Command, frozen=True, kw_only=True):
    """Announce a batch, whose items come next. Answer: CreatedBatch.

    `key` is the stream of its idempotency key, `request` that of the request's own, `once` that of a
    token for one use, which is good until `once_until`.
    """

    batch: str
    run_count: int
    expires_at: int
    parent: str | None = None
    idempotency_key: str | None = None
    key: str | None = None
    key_until: int = 0
    request: str | None = None
    request_until: int = 0
    once: str | None = None
    once_until: int = 0


class CreatedBatch(Struct, frozen=True, gc=False):
    """The batch that there is now; `cached` if its key stood for it already."""

    batch: str
    run_count: int
    cached: bool = False


class AddItems(TriggerRuns, frozen=True, kw_only=True):
    """Give a batch items: the run of each index, and those that can become none. Answer: TakenItems.

    An index that is known already is passed over. `batch` is never None here.
    """

    indexes: tuple[int, ...] = ()
    """Of the runs, in their order."""
    errors: tuple[ItemError, ...] = ()


class TakenItems(Struct, frozen=True, gc=False):
    """What became of the items, and how many of those that are expected are known now."""

    accepted: int
    known: int
    expected: int
    sealed: bool


class StartBulk(Command, frozen=True, kw_only=True):
    """Begin a bulk action. Answer: the id of the one that the request began, now or when it was sent before."""

    bulk: str
    action: str
    name: str | None = None
    runs: tuple[str, ...] = ()
    filter: Raw = NOTHING
    request: str | None = None
    request_until: int = 0


class AdvanceBulk(TriggerRuns, frozen=True, kw_only=True):
    """Do the next chunk of a bulk action: cancel some runs, or make `runs`. Answer: whether it was done.

    It is not when the action has ended, or is no longer at the cursor `after`. `success` and `failure` count the
    runs with which there is nothing to do.
    """

    bulk: str
    after: str | None
    cursor: str | None
    is_last: bool
    cancels: tuple[str, ...] = ()
    success: int = 0
    failure: int = 0


class AbortBulk(Command, frozen=True, kw_only=True):
    """Leave a bulk action at what it has done. Answer: None."""

    bulk: str


class Accepted(Struct, frozen=True, gc=False):
    """The run that an item of a trigger got; `cached` if a key already stood for it.

    `differs` says that the key came with another payload then.
    """

    run: str
    cached: bool = False
    differs: bool = False


class CancelRun(Command, frozen=True, kw_only=True):
    """Stop a run. Answer: None."""

    run: str
    reason: str | None = None


class RescheduleRun(Command, frozen=True, kw_only=True):
    """Give a delayed run another time. Answer: None."""

    run: str
    until: int


class JudgePayloads(Command, frozen=True, kw_only=True):
    """What the schemas of versions say of the payloads of held runs. Answer: None."""

    verdicts: dict[str, Verdict]


class ExplainRun(Command, frozen=True, kw_only=True):
    """Why the run is where it is. It changes nothing. Answer: Explanation."""

    run: str


class AddTags(Command, frozen=True, kw_only=True):
    """Give a run further tags; those that it has are passed over. Answer: None."""

    run: str
    tags: tuple[str, ...]


class UpdateMetadata(Command, frozen=True, kw_only=True):
    """Change the metadata of a run, of its parent and of the root of its family. Answer: Raw, the run's after it.

    `replaces` takes the place of the run's metadata before its operations. A run that has no parent stands for it.
    """

    run: str
    replaces: Raw | None = None
    operations: tuple[Operation, ...] = ()
    parent_operations: tuple[Operation, ...] = ()
    root_operations: tuple[Operation, ...] = ()


class GiveUpRun(Command, frozen=True, kw_only=True):
    """End a run with which the engine cannot go on. Answer: None."""

    run: str
    message: str


class ReturnRun(Command, frozen=True, kw_only=True):
    """Put a run back that could not be handed out after all, if its attempt has not started. Answer: None."""

    run: str
    token: int


class ResetKey(Command, frozen=True, kw_only=True):
    """Free an idempotency key. Answer: None."""

    key: str


class CreateEnvironment(Command, frozen=True, kw_only=True):
    """Make an environment, with a key if one is given; one that is there stays as it is. Answer: None."""

    slug: str
    type: str
    project: str = "default"
    organization: str = "default"
    concurrency_limit: int | None = None
    first_key: ApiKeyCreated | None = None


class AddKey(Command, frozen=True, kw_only=True):
    """Let a secret key, told by its SHA-256 in hex, open the environment. Answer: None."""

    sha256: str
    hint: str
    sealed: str | None = None


class SaveVariables(Command, frozen=True, kw_only=True):
    """Keep variables of the environment, each as (name, sealed value, is secret). Answer: None.

    Without `replaces` those that are there stay as they are.
    """

    variables: tuple[tuple[str, str, bool], ...]
    replaces: bool = True


class RemoveVariable(Command, frozen=True, kw_only=True):
    """Forget a variable of the environment. Answer: None."""

    name: str


class SealKey(Command, frozen=True, kw_only=True):
    """Keep a key that opens the environment, sealed, in the place of what was kept. Answer: None."""

    sha256: str
    sealed: str


class RevokeKey(Command, frozen=True, kw_only=True):
    """Take a secret key back. Answer: None."""

    sha256: str


class RegisterVersion(Command, frozen=True, kw_only=True):
    """Make these tasks a version; `day` is YYYYMMDD. Answer: Registered."""

    digest: str
    tasks: tuple[TaskSettings, ...]
    day: str
    promote: bool | None = None
    """Whether it becomes the current version; if left out, that of new tasks does, and in development any."""


class Registered(Struct, frozen=True, gc=False):
    """The version that tasks are, and whether new runs get it."""

    version: str
    is_current: bool


class PromoteVersion(Command, frozen=True, kw_only=True):
    """Make a version the current one. Answer: None."""

    version: str


class SaveConnection(Command, frozen=True, kw_only=True):
    """Make a connection ready with these sealed credentials; if `replaces` is given, only in their place.

    Answer: the Connection, None if others than those to replace are there.
    """

    name: str
    sealed: str
    key_name: str
    replaces: str | None = None


class RemoveConnection(Command, frozen=True, kw_only=True):
    """Forget the credentials of a connection. Answer: None."""

    name: str


class CreateJob(TriggerRuns, frozen=True, kw_only=True):
    """Save a job, and start the `runs` of one that runs at once. Answer: the Job."""

    job: str
    spec: JobSpec
    state: str
    token: str | None = None


class JobCommand(Command, frozen=True, kw_only=True):
    """A command about a job. Answer: the Job as it is then."""

    job: str


class ChangeJob(JobCommand, frozen=True, kw_only=True):
    """Let a job do something else, or at other times."""

    spec: JobSpec


class PauseJob(JobCommand, frozen=True, kw_only=True):
    """Let a job start no more by itself."""


class ResumeJob(TriggerRuns, frozen=True, kw_only=True):
    """Let a job start by itself (again), and start the `runs` of a draft that runs at once. Answer: the Job."""

    job: str


class DeleteJob(JobCommand, frozen=True, kw_only=True):
    """Take a job away; its executions stay."""


class SaveSecret(Command, frozen=True, kw_only=True):
    """Give a secret this sealed value; if `replaces` is given, only in its place.

    Answer: the Secret, None if another value than that to replace is there.
    """

    name: str
    sealed: str
    key_name: str
    replaces: str | None = None


class RemoveSecret(Command, frozen=True, kw_only=True):
    """Forget the value of a secret. Answer: None."""

    name: str


class SaveChannel(Command, frozen=True, kw_only=True):
    """Let somebody be told of failures. Answer: the Channel."""

    channel: str
    spec: ChannelSpec


class RemoveChannel(Command, frozen=True, kw_only=True):
    """Let nobody be told by a channel any more. Answer: None."""

    channel: str


class QueueCommand(Command, frozen=True, kw_only=True):
    """A command about a queue, told by its whole name."""

    queue: str


class PauseQueue(QueueCommand, frozen=True, kw_only=True):
    """Let nothing of a queue start. Answer: None."""


class ResumeQueue(QueueCommand, frozen=True, kw_only=True):
    """Let a queue go on. Answer: None."""


class OverrideQueueLimit(QueueCommand, frozen=True, kw_only=True):
    """Let another concurrency limit count than that of the tasks. Answer: None."""

    concurrency_limit: int


class ResetQueueLimit(QueueCommand, frozen=True, kw_only=True):
    """Let the concurrency limit of the tasks count again. Answer: None."""


class LimitEnvironment(Command, frozen=True, kw_only=True):
    """Bound the open attempts of the whole environment; None: no bound. Answer: None."""

    concurrency_limit: int | None


class Turn(Command, frozen=True, kw_only=True):
    """One turn of a worker (docs/reference/worker-protocol.md). Answer: TurnAnswer."""

    session: str
    version: str
    sequence: int
    received: int = 0
    want: int = 0
    patient: bool = True
    """Whether the answer may wait until there is something to say."""
    holds: tuple[tuple[str, int], ...] | None = None
    reports: tuple[Report, ...] = ()
    machines: tuple[str, ...] | None = None
    """The machines for which the worker takes runs, None: all."""
    waits: tuple[tuple[str, int, tuple[int, ...]], ...] = ()
    """The runs, by token, whose code waits as far as the worker knows, and for which waits, by their indexes."""
    blobs: dict[str, bytes] = {}


class CreateWaitpoint(Command, frozen=True, kw_only=True):
    """Make a token, or find the one that its idempotency key stands for. Answer: CreatedWaitpoint.

    `key` is the stream of the idempotency key, which stands for the token until `key_until`. `secret` completes the
    token without a key.
    """

    waitpoint: str
    secret: str = ""
    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    key: str | None = None
    key_until: int = 0


class CreatedWaitpoint(Struct, frozen=True, gc=False):
    """The token that there is now; `cached` if its key stood for it already."""

    waitpoint: str
    cached: bool = False


class CompleteWaitpoint(Command, frozen=True, kw_only=True):
    """Complete a token; one that is over stays as it is. Answer: None."""

    waitpoint: str
    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    output_type: str = JSON_TYPE
    blobs: dict[str, bytes] = {}


class SaveSchedule(Command, frozen=True, kw_only=True):
    """Make a schedule, or let the one that its deduplication key stands for follow this plan. Answer: its id.

    `key` is the stream of the deduplication key, or of the request's own, which stands for it until `key_until`.
    """

    schedule: str
    plan: Plan
    deduplication_key: str | None = None
    key: str | None = None
    key_until: int = 0


class ChangeSchedule(Command, frozen=True, kw_only=True):
    """Let a schedule follow another plan. Answer: None."""

    schedule: str
    plan: Plan


class ActivateSchedule(Command, frozen=True, kw_only=True):
    """Let a schedule go on. Answer: None."""

    schedule: str


class DeactivateSchedule(Command, frozen=True, kw_only=True):
    """Let a schedule pause. Answer: None."""

    schedule: str


class DeleteSchedule(Command, frozen=True, kw_only=True):
    """Let there be no such schedule any more. Answer: None."""

    schedule: str
    key: str | None = None


class BackfillTicks(Command, frozen=True, kw_only=True):
    """Make the runs of these ticks of a schedule, each unless it has one. Answer: list[Accepted], in the same order.

    `keys` are the streams of the keys that the runs claim.
    """

    schedule: str
    ticks: tuple[Tick, ...]
    keys: tuple[str, ...]


class SendEvent(Command, frozen=True, kw_only=True):
    """Send a named event, whose stream this is. Answer: whether it is new; one that is known starts nothing.

    `payload` is the whole, also where `sent` refers to a blob.
    """

    event: str
    sent: EventSent
    payload: Raw = NOTHING
    blobs: dict[str, bytes] = {}


class DeliverEvent(Command, frozen=True, kw_only=True):
    """Deliver an event that is due, as it was `sent`, to those behind the subscriber `after`.

    Answer: whether that was done. It is not when the event is over, not due, or delivered to another point.
    """

    event: str
    sent: EventSent
    payload: Raw
    after: str


class CancelEvent(Command, frozen=True, kw_only=True):
    """Let an event start nothing. Only the engine has a `reason`, and may stop a delivery half-way. Answer: None."""

    event: str
    reason: str | None = None


class StorePacket(Command, frozen=True, kw_only=True):
    """Keep what was uploaded. Answer: None."""

    packet: str
    blob: BlobRef
    content_type: str
    blobs: dict[str, bytes] = {}


class EndTurn(Command, frozen=True, kw_only=True):
    """Answer a waiting turn now: its time is up or its caller has gone. Answer: None."""

    session: str
    sequence: int


class HandOut(Struct, frozen=True, gc=False):
    """A run for a worker: `attempt` is the number the attempt will have."""

    run: str
    token: int
    attempt: int
    task: str
    queue: str
    max_attempts: int
    max_duration_ms: int | None
    machine: str | None = None
    auth: str | None = None
    """What the auth resolver said, sealed."""
    connections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    """Both as they are now, which may be more than what the run was triggered with."""
    journal: int = 0
    """How many entries the run's journal has, by which its code goes on."""
    is_for_auth: bool = False
    """Whether the worker is to ask the task's auth resolver, and not to execute the run."""


class Cancel(Struct, frozen=True, gc=False):
    """An attempt that the worker must stop: CANCELED, TIMED_OUT or GONE."""

    run: str
    token: int
    reason: str


class RefusedReport(Struct, frozen=True, gc=False):
    """A report that did not count, and why."""

    run: str
    token: int
    error: str


class Woken(Struct, frozen=True, gc=False):
    """A wait that is over, of a run that the worker holds: its code may go on."""

    run: str
    token: int
    completed: WaitCompleted


class TurnAnswer(Struct, frozen=True):
    """What a worker is told in return."""

    sequence: int
    runs: tuple[HandOut, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    refused: tuple[RefusedReport, ...] = ()
    woken: tuple[Woken, ...] = ()
