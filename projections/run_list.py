"""The list of runs: one row for each run, with all that lists, filters and a run's page show of it."""

from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import NOTHING, Event, Recorded, RunError, RunEvent
from domain.redacting import without_words
from domain.run import Run
from domain.status import Status
from domain.transitions import TRANSITIONS, target_of


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
    source: str = e.API
    lock: str | None = None
    machine: str | None = None
    parent: str | None = None
    root: str | None = None
    depth: int = 0
    replays: tuple[str, ...] = ()
    """The runs that were made from this one."""
    job: e.JobRef | None = None
    """Whose execution it is."""
    born: int = 0
    """The first of its events in the ledger."""
    ended: int | None = None
    """The one with which it was over."""
    is_erased: bool = False
    """Whether what users gave it is gone."""
    tells_state: bool = False
    """Whether the run was only triggered and this row tells all of its state, so that the checkpoint has none."""


def project(row: RunRow | None, recorded: Recorded) -> RunRow | None:
    """The row after one event. Raises LedgerCorrupt for an event that does not follow the row."""
    if not isinstance(recorded.event, RunEvent):
        return row
    return begin(recorded) if row is None else advance(replace(row), recorded)


def begin(recorded: Recorded) -> RunRow:
    """The row of a new run. Raises LedgerCorrupt when the event is not the first of one."""
    event = recorded.event
    if not isinstance(event, e.RunTriggered) or recorded.version != 1:
        raise LedgerCorrupt(f"There is no run {recorded.stream}, and its event {recorded.version} is to follow.")
    # By their places: for each of so many names msgspec would search the fields, and take five times as long.
    return RunRow(
        recorded.stream,
        recorded.environment,
        event.task,
        event.queue,
        Status.QUEUED,
        1,
        recorded.position,
        recorded.occurred_at,
        recorded.recorded_at,
        recorded.occurred_at,
        None,  # started_at
        None,  # finished_at
        None,  # delayed_until
        None,  # expired_at
        event.ttl_ms or None,
        tuple(sorted(set(event.tags))) if event.tags else (),
        None,  # version
        None,  # worker
        0,  # attempts
        event.max_attempts,
        event.max_duration_ms,
        event.priority,
        event.concurrency_key,
        event.is_test,
        event.batch,
        event.schedule.schedule if event.schedule else None,
        event.idempotency_key,
        event.replay_of,
        None if event.metadata == NOTHING else event.metadata,
        None,  # error
        event.payload_size,
        0,  # duration_ms
        None,  # executing_since
        event.source,
        event.version,
        event.machine,
        event.parent,
        event.root,
        event.depth,
        (),  # replays
        event.job,
        recorded.position,
        None,  # ended
        False,  # is_erased
        _tells_state(event),
    )


def advance(row: RunRow, recorded: Recorded) -> RunRow:
    """`project` in place, for whom the row belongs to: a batch of events is folded at half the cost of many copies."""
    event: Any = recorded.event
    kind = type(recorded.event)
    # `isinstance` says the same in four times the time, once for each event of a batch.
    if recorded.version != row.events + 1 or kind not in TRANSITIONS:
        raise LedgerCorrupt(f"Run {row.id} has {row.events} events, and event {recorded.version} is to follow.")
    before = row.status
    row.status = target_of(before, event)
    row.events = recorded.version
    row.position = recorded.position
    row.tells_state = False
    updated_at, recorded_at = row.updated_at, recorded.recorded_at
    row.updated_at = recorded_at if recorded_at > updated_at else updated_at + 1
    change = _CHANGES.get(kind)
    if change:
        change(row, event, recorded, before)
    return row


def _tells_state(event: e.RunTriggered) -> bool:
    if event.prefix is not None or event.delay_until is not None or event.ttl_ms == 0:
        return False
    # A row has its tags sorted, each once.
    return not event.tags or len(event.tags) == 1 or event.tags == tuple(sorted(set(event.tags)))


def state_of(row: RunRow) -> Run:
    """The state of a run of which the row `tells_state`: what `domain.run.evolve` makes of its first event."""
    return Run(
        row.id,
        row.environment,
        row.task,
        row.queue,
        row.status,
        row.events,
        row.created_at,
        row.created_at,
        row.updated_at,
        row.payload_size,
        row.priority,
        row.concurrency_key,
        row.ttl_ms,
        row.updated_at + row.ttl_ms if row.ttl_ms else None,
        None,  # due_at
        None,  # delay_until
        row.max_attempts,
        row.max_duration_ms,
        row.lock,
        None,  # last_version
        row.machine,
        row.parent,
        row.root,
        row.depth,
        row.batch,
        None,  # auth
        row.tags,
        NOTHING if row.metadata is None else row.metadata,
        None if row.source == e.MANUAL else row.schedule,
        row.job.id if row.job else None,
    )


def _queue(row: RunRow, _event: e.RunEnqueued, recorded: Recorded, before: Status) -> None:
    if before in {Status.DEQUEUED, Status.EXECUTING, Status.FROZEN}:
        _pause(row, recorded.occurred_at)
    else:
        row.queued_at = recorded.occurred_at


def _hold(row: RunRow, _event: RunEvent, _recorded: Recorded, _before: Status) -> None:
    row.queued_at = None


def _find_version(row: RunRow, event: e.VersionArrived, _recorded: Recorded, _before: Status) -> None:
    row.queue = event.queue or row.queue
    row.ttl_ms = row.ttl_ms if event.ttl_ms is None else event.ttl_ms or None
    row.machine = event.machine or row.machine


def _delay(row: RunRow, event: e.RunDelayed | e.RunRescheduled, _recorded: Recorded, _before: Status) -> None:
    row.queued_at = None
    row.delayed_until = event.until


def _debounce(row: RunRow, event: e.RunDebounced, _recorded: Recorded, _before: Status) -> None:
    row.delayed_until = event.until
    if event.replaces:
        row.tags = tuple(sorted(set(event.tags)))
        row.metadata = None if event.metadata == NOTHING else event.metadata
        row.max_attempts = event.max_attempts
        row.max_duration_ms = event.max_duration_ms
        row.payload_size = event.payload_size
        row.machine = event.machine


def _start(row: RunRow, event: e.AttemptStarted, recorded: Recorded, _before: Status) -> None:
    row.attempts = event.number
    row.version = event.version
    row.worker = event.worker
    row.executing_since = recorded.occurred_at
    if row.started_at is None:
        row.started_at = recorded.occurred_at


def _stand_still(row: RunRow, _event: e.RunBlocked | e.RunFrozen, recorded: Recorded, _before: Status) -> None:
    _pause(row, recorded.occurred_at)


def _resume(row: RunRow, _event: e.RunResumed, recorded: Recorded, _before: Status) -> None:
    row.executing_since = recorded.occurred_at


def _go_on(row: RunRow, event: e.AttemptResumed, recorded: Recorded, _before: Status) -> None:
    row.version = event.version
    row.worker = event.worker
    row.executing_since = recorded.occurred_at


def _fail_attempt(row: RunRow, event: e.AttemptFailed, recorded: Recorded, _before: Status) -> None:
    row.error = event.error
    _pause(row, recorded.occurred_at)


def _retry(row: RunRow, event: e.RetryScheduled, _recorded: Recorded, _before: Status) -> None:
    row.machine = event.machine or row.machine


def _end(row: RunRow, _event: RunEvent, recorded: Recorded, _before: Status) -> None:
    row.finished_at = recorded.occurred_at
    row.ended = recorded.position
    _pause(row, recorded.occurred_at)


def _end_without_error(row: RunRow, event: RunEvent, recorded: Recorded, before: Status) -> None:
    row.error = None
    _end(row, event, recorded, before)


def _end_with_error(row: RunRow, event: Any, recorded: Recorded, before: Status) -> None:
    row.error = event.error
    _end(row, event, recorded, before)


def _expire(row: RunRow, event: e.RunExpired, recorded: Recorded, before: Status) -> None:
    row.expired_at = recorded.occurred_at
    _end(row, event, recorded, before)


def _tag(row: RunRow, event: e.TagsAdded, _recorded: Recorded, _before: Status) -> None:
    row.tags = tuple(sorted({*row.tags, *event.tags}))


def _annotate(row: RunRow, event: e.MetadataUpdated, _recorded: Recorded, _before: Status) -> None:
    row.metadata = event.metadata


def _replay(row: RunRow, event: e.RunReplayed, _recorded: Recorded, _before: Status) -> None:
    row.replays = (*row.replays, event.run)


def _erase(row: RunRow, event: e.RunErased, _recorded: Recorded, _before: Status) -> None:
    row.is_erased = True
    row.metadata = None
    row.error = without_words(row.error) if row.error else None
    if event.with_names:
        row.tags = ()
        row.idempotency_key = row.concurrency_key = None


def _pause(row: RunRow, at: int) -> None:
    """The attempt that executes, if there is one, does so no longer."""
    if row.executing_since is not None:
        # The start is told by the worker's clock, the end maybe by another one.
        row.duration_ms += max(0, at - row.executing_since)
        row.executing_since = None


_CHANGES: dict[type[Event], Callable[[RunRow, Any, Recorded, Status], None]] = {
    e.RunHeldForVersion: _hold,
    e.VersionArrived: _find_version,
    e.RunHeldForAuth: _hold,
    e.RunHeldForConnections: _hold,
    e.RunDelayed: _delay,
    e.RunRescheduled: _delay,
    e.RunDebounced: _debounce,
    e.RunEnqueued: _queue,
    e.AttemptStarted: _start,
    e.AttemptSucceeded: _end_without_error,
    e.AttemptFailed: _fail_attempt,
    e.RetryScheduled: _retry,
    e.RunFailed: _end_with_error,
    e.RunCanceled: _end,
    e.RunExpired: _expire,
    # The error of an attempt before is not what ended this run.
    e.RunTimedOut: _end_without_error,
    e.RunCrashed: _end_with_error,
    e.RunInterrupted: _end_with_error,
    e.RunSystemFailed: _end_with_error,
    e.PayloadRejected: _end_with_error,
    e.AuthUnresolved: _end_with_error,
    e.RunBlocked: _stand_still,
    e.RunFrozen: _stand_still,
    e.RunResumed: _resume,
    e.AttemptResumed: _go_on,
    e.TagsAdded: _tag,
    e.MetadataUpdated: _annotate,
    e.RunReplayed: _replay,
    e.RunErased: _erase,
    # There is no row behind it.
    e.RunArchived: lambda _row, _event, _recorded, _before: None,
}
assert _CHANGES.keys() <= TRANSITIONS.keys()
