"""A run as a tree of spans: the run, its attempts, what their code did, and the runs that this triggered."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.history.endings import why_ended
from app.history.outcomes import run_row_of
from domain.events import Recorded, RunError
from domain.status import FINAL, Status
from projections import attempts
from projections.attempts import AttemptRow, Outcome, attempt_id
from projections.journal import EntryKind, EntryRow, EntryStatus, journal_of
from projections.run_row import RunRow

FAILED_ENTRIES = frozenset({EntryStatus.FAILED, EntryStatus.TIMED_OUT})


class Span(NamedTuple):
    """A part of a trace: times are in milliseconds, `ended_at` is None while it lasts, `error` what it failed with."""

    id: str
    parent: str | None
    row: RunRow
    message: str
    started_at: int
    ended_at: int | None
    error: str | None = None
    is_canceled: bool = False
    attempt: int | None = None
    runs: tuple[str, ...] = ()
    """The runs that it triggered."""

    @property
    def is_failure(self) -> bool:
        """Whether it is an attempt that failed."""
        return self.error is not None and self.id == attempt_id(self.row.id, self.attempt or 0)


def spans_of(histories: dict[str, Sequence[Recorded]], run: str, parent: str | None = None) -> Iterator[Span]:
    """The spans of a run and of the runs below it as far as `histories` has them, each behind its parent.

    They are taken out of it: a run that was triggered twice, by its idempotency key, is told once.
    """
    history = histories.pop(run)
    row = run_row_of(history)
    error = row.error.message if row.error and row.status in FINAL else why_ended(row)
    is_canceled = row.status is Status.CANCELED
    yield Span(run, parent, row, row.task, row.created_at, row.finished_at, error, is_canceled)
    rows = {each.number: each for each in attempts.rows_of(history)}
    for attempt in rows.values():
        yield _of_attempt(attempt, row)
    for entry in journal_of(history):
        span = _of_entry(entry, row, rows.get(entry.attempt))
        yield span
        for child in entry.runs:
            if child in histories:
                yield from spans_of(histories, child, span.id)


def _of_attempt(attempt: AttemptRow, row: RunRow) -> Span:
    is_over = attempt.outcome not in {Outcome.EXECUTING, Outcome.COMPLETED, Outcome.RELEASED, Outcome.CANCELED}
    error = attempt.error.message if attempt.error else f"The attempt ended as {attempt.outcome}" if is_over else None
    return Span(
        attempt.id,
        row.id,
        row,
        f"Attempt {attempt.number}",
        attempt.started_at,
        attempt.finished_at,
        error,
        attempt.outcome is Outcome.CANCELED,
        attempt.number,
    )


def _of_entry(entry: EntryRow, row: RunRow, attempt: AttemptRow | None) -> Span:
    """A step and a trigger are told when they are done, so that they take no time; a wait lasts until it is over."""
    ended_at = entry.ended_at if entry.kind is EntryKind.WAIT else entry.at
    failed: RunError | None = entry.error
    error = (
        failed.message if failed else f"The {entry.kind} is {entry.status}" if entry.status in FAILED_ENTRIES else None
    )
    return Span(
        f"{row.id}.{entry.attempt}.{entry.entry.index}",
        attempt.id if attempt else row.id,
        row,
        entry.entry.name,
        entry.at,
        ended_at,
        error,
        entry.status is EntryStatus.CLEARED,
        entry.attempt,
        entry.runs,
    )
