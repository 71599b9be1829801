"""The row of a run: all that lists, filters and a run's page show of it."""

from msgspec import Raw, Struct

from domain.events import API, JobRef, RunError
from domain.status import Status


class RunRow(Struct, gc=False):
    """One run as its latest event left it. Times are when things occurred, in milliseconds."""

    id: str
    environment: str
    task: str
    queue: str
    status: Status
    events: int
    """How many events the run has."""
    position: int
    """The last of them in the ledger."""
    created_at: int
    updated_at: int
    """When the last event was recorded, pushed on where need be so that it grows with every event."""
    queued_at: int | None
    """When it last entered its queue; a run that is handed back keeps its place."""
    started_at: int | None = None
    """When its first attempt started."""
    finished_at: int | None = None
    delayed_until: int | None = None
    expired_at: int | None = None
    ttl_ms: int | None = None
    tags: tuple[str, ...] = ()
    """Sorted, each once."""
    version: str | None = None
    """The version of the worker that started the last attempt."""
    worker: str | None = None
    attempts: int = 0
    """How many have started."""
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    priority: int = 0
    concurrency_key: str | None = None
    is_test: bool = False
    batch: str | None = None
    schedule: str | None = None
    """The schedule that made it by one of its ticks."""
    idempotency_key: str | None = None
    replay_of: str | None = None
    metadata: Raw | None = None
    error: RunError | None = None
    """What ended the run, or its last attempt; none once an attempt succeeds or takes too long."""
    payload_size: int = 0
    duration_ms: int = 0
    """How long its attempts executed, all together; not counting the one that executes now."""
    executing_since: int | None = None
    source: str = API
    lock: str | None = None
    machine: str | None = None
    parent: str | None = None
    root: str | None = None
    depth: int = 0
    replays: tuple[str, ...] = ()
    """The runs that were made from this one."""
    job: JobRef | None = None
    """Whose execution it is."""
    born: int = 0
    """The first of its events in the ledger."""
    ended: int | None = None
    """The one with which it was over."""
    is_erased: bool = False
    """Whether what users gave it is gone."""
    tells_state: bool = False
    """Whether the run was only triggered and this row tells all of its state, so that the checkpoint has none."""
