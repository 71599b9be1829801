"""The attempts of runs: one row for each, and only the last one of a run can still change."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.events import Event, Recorded, RunError
from domain.redacting import without_words
from domain.status import Status


class Outcome(StrEnum):
    """How an attempt ended, or that it has not."""

    EXECUTING = "EXECUTING"
    """It is open, though its run may wait at a waitpoint."""
    COMPLETED = "COMPLETED"
    """Its code returned."""
    FAILED = "FAILED"
    """Its code raised an error, or its result or payload was refused. A retry is another attempt."""
    CRASHED = "CRASHED"
    """Its process died."""
    LOST = "LOST"
    """Its worker was not heard of any more, or did not hold it."""
    RELEASED = "RELEASED"
    """The worker gave the run back unfinished."""
    CANCELED = "CANCELED"
    """Its run was canceled."""
    TIMED_OUT = "TIMED_OUT"
    """It executed for longer than the max duration; its waits are not counted."""
    INTERRUPTED = "INTERRUPTED"
    """The development worker that had it was lost."""
    SYSTEM_FAILURE = "SYSTEM_FAILURE"
    """The engine could not go on with the run."""


class AttemptRow(Struct, frozen=True, gc=False):
    """One attempt: the `number`-th of its run, behind the fencing token `token`."""

    run: str
    number: int
    token: int
    worker: str
    version: str
    started_at: int
    position: int
    """The event after which the row last changed."""
    finished_at: int | None = None
    outcome: Outcome = Outcome.EXECUTING
    error: RunError | None = None

    @property
    def id(self) -> str:
        """What names it among the attempts of all runs."""
        return attempt_id(self.run, self.number)


def attempt_id(run: str, number: int) -> str:
    """The id of the `number`-th attempt of a run, which is that of its span too."""
    return f"{run}.{number}"


OPEN = frozenset({Status.EXECUTING, Status.WAITING, Status.FROZEN})
"""The statuses of a run whose last attempt may still be open."""

_OUTCOMES: dict[type[Event], Outcome] = {
    e.AttemptSucceeded: Outcome.COMPLETED,
    e.AttemptFailed: Outcome.FAILED,
    e.RunEnqueued: Outcome.RELEASED,
    e.RunFailed: Outcome.FAILED,
    e.RunCanceled: Outcome.CANCELED,
    e.RunTimedOut: Outcome.TIMED_OUT,
    e.RunCrashed: Outcome.CRASHED,
    e.RunInterrupted: Outcome.INTERRUPTED,
    e.RunSystemFailed: Outcome.SYSTEM_FAILURE,
}
_OPENINGS = frozenset({e.AttemptStarted, e.AttemptResumed})
_TELLING = frozenset({e.AttemptFailed, e.RunEnqueued})
"""Events that say more of the outcome than that they happened."""
CHANGED_BY = frozenset({*_OPENINGS, e.RunErased, *_OUTCOMES})
"""All other events change no attempt."""


def project(last: AttemptRow | None, recorded: Recorded) -> AttemptRow | None:
    """The last attempt of a run after one event, given the one before it, which is kept if its number differs.

    One that goes on is open again, in the hands of whom it goes on with.
    """
    event: Any = recorded.event
    # `isinstance` says the same in four times the time, for most events of a batch.
    kind = type(recorded.event)
    if kind in _OPENINGS:
        began_at = recorded.occurred_at if kind is e.AttemptStarted else event.began_at
        position, stream = recorded.position, recorded.stream
        return AttemptRow(stream, event.number, event.token, event.worker, event.version, began_at, position)
    if last is None:
        return None
    if kind is e.RunErased:
        return erased(last)
    outcome = _OUTCOMES.get(kind)
    if outcome is None or last.finished_at is not None:
        return last
    return replace(
        last,
        finished_at=recorded.occurred_at,
        outcome=_outcome_of(event, outcome) if kind in _TELLING else outcome,
        error=getattr(event, "error", None),
        position=recorded.position,
    )


def rows_of(history: Iterable[Recorded]) -> list[AttemptRow]:
    """The rows of all attempts in the events of one run, the first one first."""
    last: AttemptRow | None = None
    rows: dict[int, AttemptRow] = {}
    for recorded in history:
        last = project(last, recorded)
        if last is not None:
            rows[last.number] = last
    return [rows[number] for number in sorted(rows)]


def erased(row: AttemptRow) -> AttemptRow:
    """The attempt of a run that was erased."""
    return replace(row, error=without_words(row.error)) if row.error else row


def _outcome_of(event: Event, outcome: Outcome) -> Outcome:
    match event:
        case e.AttemptFailed(error=RunError(code=e.WORKER_LOST)) | e.RunEnqueued(reason="lost"):
            return Outcome.LOST
        case e.AttemptFailed(error=RunError(code=e.PROCESS_DIED)) | e.RunEnqueued(reason="crashed"):
            return Outcome.CRASHED
        case _:
            return outcome
