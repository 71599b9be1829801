"""The journal of a run as people read it: one row for each entry, from the run's own events."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Raw, Struct
from msgspec.structs import replace

from domain import events as e
from domain.events import NOTHING, BlobRef, Entry, Recorded, RunError
from domain.status import FINAL
from domain.transitions import TRANSITIONS


class EntryKind(StrEnum):
    """What the code of the run asked for."""

    STEP = "step"
    TRY = "try"
    """A try of a step that failed and was not the last one: the step itself comes behind it."""
    CHILDREN = "children"
    WAIT = "wait"


class EntryStatus(StrEnum):
    """What came of it."""

    COMPLETED = "COMPLETED"
    """The step returned, or what was waited for is over."""
    FAILED = "FAILED"
    TRIGGERED = "TRIGGERED"
    WAITING = "WAITING"
    TIMED_OUT = "TIMED_OUT"
    """The time of the wait was over before what it waited for."""
    CLEARED = "CLEARED"
    """The attempt failed, or the run ended, before the wait did."""


class EntryRow(Struct, frozen=True, gc=False):
    """One entry, which `attempt` made. Large results stay where they are."""

    entry: Entry
    attempt: int
    at: int
    kind: EntryKind
    status: EntryStatus
    result: Raw = NOTHING
    result_blob: BlobRef | None = None
    error: RunError | None = None
    runs: tuple[str, ...] = ()
    batch: str | None = None
    started: e.WaitStarted | None = None
    completed: e.WaitCompleted | None = None
    until: int | None = None
    """Until when a wait lasts at most, and behind a failed try the one for the next."""
    ended_at: int | None = None
    """When the wait ended."""


def journal_of(history: Iterable[Recorded]) -> list[EntryRow]:
    """All entries that the run itself made, in their order: the first one stands behind what it took over."""
    rows: dict[int, EntryRow] = {}
    waiting: dict[int, None] = {}
    attempt = 0
    for recorded in history:
        match recorded.event:
            case e.AttemptStarted(number=number):
                attempt = number
            case e.WaitStarted() | e.StepTryFailed() as event:
                rows[event.entry.index] = _row(event, attempt, recorded.occurred_at)
                waiting[event.entry.index] = None
            case e.StepSucceeded() | e.StepFailed() | e.ChildrenTriggered() as event:
                rows[event.entry.index] = _row(event, attempt, recorded.occurred_at)
            case e.WaitCompleted() as event:
                del waiting[event.wait]
                rows[event.wait] = _over(rows[event.wait], event, recorded.occurred_at)
            case event if waiting and _clears(event):
                for index in waiting:
                    rows[index] = _ended(rows[index], EntryStatus.CLEARED, recorded.occurred_at)
                waiting = {}
            case _:
                pass
    return list(rows.values())


def _over(row: EntryRow, event: e.WaitCompleted, at: int) -> EntryRow:
    status = EntryStatus.TIMED_OUT if event.is_timed_out else EntryStatus.COMPLETED
    return replace(_ended(row, status, at), completed=event)


def _ended(row: EntryRow, status: EntryStatus, at: int) -> EntryRow:
    """The row when its wait is over: a try has failed all the same."""
    return replace(row, status=row.status if row.kind is EntryKind.TRY else status, ended_at=at)


def _clears(event: e.Event) -> bool:
    if isinstance(event, e.AttemptFailed):
        return True
    return isinstance(event, e.RunEvent) and TRANSITIONS[type(event)].target in FINAL


def _row(
    event: e.StepSucceeded | e.StepFailed | e.StepTryFailed | e.ChildrenTriggered | e.WaitStarted, attempt: int, at: int
) -> EntryRow:
    made = event.entry, attempt, at
    match event:
        case e.StepSucceeded(result=result, result_blob=blob):
            return EntryRow(*made, EntryKind.STEP, EntryStatus.COMPLETED, result, blob)
        case e.StepFailed(error=error):
            return EntryRow(*made, EntryKind.STEP, EntryStatus.FAILED, error=error)
        case e.StepTryFailed(error=error, until=until):
            return EntryRow(*made, EntryKind.TRY, EntryStatus.FAILED, error=error, until=until)
        case e.ChildrenTriggered(runs=runs, batch=batch):
            return EntryRow(*made, EntryKind.CHILDREN, EntryStatus.TRIGGERED, runs=runs, batch=batch)
        case e.WaitStarted():
            return EntryRow(*made, EntryKind.WAIT, EntryStatus.WAITING, started=event, until=event.until)
