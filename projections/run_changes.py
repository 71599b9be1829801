"""What each event changes in the row of its run, beside what every event does."""

from collections.abc import Callable
from typing import Any

from domain import events as e
from domain.events import NOTHING, Event, Recorded, RunEvent
from domain.redacting import without_words
from domain.status import Status
from domain.transitions import TRANSITIONS
from projections.run_row import RunRow


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


CHANGES: dict[type[Event], Callable[[RunRow, Any, Recorded, Status], None]] = {
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
assert CHANGES.keys() <= TRANSITIONS.keys()
