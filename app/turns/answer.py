"""The answer to a turn, as workers and executors read it (docs/reference/worker-protocol.md)."""

from msgspec import UNSET, Raw, Struct, UnsetType

from app.history.journal import JournalEntry
from domain.commands import Cancel, RefusedReport
from domain.events import API, NOTHING, EventRef, JobRef


class TickBody(Struct):
    """For which tick of which schedule a run is: its moment in milliseconds."""

    id: str
    timestamp: int


class RunBody(Struct, rename="camel", omit_defaults=True):
    """A run as a worker is given it."""

    id: str
    token: int
    task: str
    attempt: int
    payload_type: str
    queue: str
    created_at: int
    environment: dict[str, str]
    is_test: bool
    tags: tuple[str, ...]
    max_attempts: int
    payload: Raw = NOTHING
    max_duration: int | None = None
    idempotency_key: str | None = None
    batch_id: str | None = None
    traceparent: str | None = None
    kind: str = "attempt"
    """Or auth: the worker is to ask the task's auth resolver."""
    auth: Raw = NOTHING
    connections: dict[str, Raw] = {}
    machine: str | None = None
    priority: int = 0
    concurrency_key: str | None = None
    metadata: Raw = NOTHING
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    source: str = API
    replay_of: str | None = None
    schedule: TickBody | None = None
    journal_size: int = 0
    """How many entries the run's journal has; those that are not here can be asked for."""
    journal: list[JournalEntry] = []
    job: JobRef | None = None
    """Whose execution it is; only Runfold itself executes those."""
    event: EventRef | None = None
    """The named event that started it: its `timestamp` is in milliseconds."""
    input: Raw = NOTHING
    """The payload of that event, for an execution."""
    secrets: dict[str, str] = {}
    """The values of the secrets to which the request of an execution refers, for an executor of another process."""


class WokenBody(Struct, rename="camel"):
    """A wait of a run that is over: the code that waited may go on."""

    run: str
    token: int
    wait: int
    done: tuple[str, ...]
    timed_out: bool
    unknown: tuple[str, ...]
    results: dict[str, Raw] | UnsetType = UNSET
    """How those that are done came out, as far as it is told along."""


class AnswerBody(Struct):
    """What a turn is answered."""

    sequence: int
    runs: list[RunBody]
    cancels: tuple[Cancel, ...]
    refused: tuple[RefusedReport, ...]
    woken: tuple[WokenBody, ...]
