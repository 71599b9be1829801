"""The state of a bulk action: one wish for many runs, carried out chunk by chunk.

How far it is stands in the same commit as what was done, so nothing is done twice and nothing left out.
"""

from enum import StrEnum

from msgspec import Raw, Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt, NotAllowed
from domain.events import NOTHING, Recorded

CANCEL = "CANCEL"
REPLAY = "REPLAY"


class BulkStatus(StrEnum):
    """How far a bulk action is."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"


class Bulk(Struct, frozen=True, gc=False, omit_defaults=True):
    """`cursor` says where it goes on: a place among its runs, or the last run that its filter found."""

    id: str
    version: int
    environment: str
    action: str
    began_at: int
    """The position of its first event: the read models must have come so far before it looks for runs."""
    name: str | None = None
    runs: tuple[str, ...] = ()
    filter: Raw = NOTHING
    status: BulkStatus = BulkStatus.PENDING
    cursor: str | None = None
    success: int = 0
    failure: int = 0
    error: str | None = None
    """Why it was aborted, if nobody asked for that."""

    @property
    def total(self) -> int:
        """How many runs it is about; of a filter, how many it found so far."""
        return len(self.runs) or self.success + self.failure


def advance(cursor: str | None, success: int, failure: int, runs: tuple[str, ...], *, is_last: bool) -> list[e.Event]:
    """A chunk is done, which touched these runs. Of the last one the cursor may be None, when nothing was found."""
    events: list[e.Event] = []
    if cursor is not None:
        events.append(e.BulkAdvanced(cursor, success, failure, runs))
    return [*events, e.BulkCompleted()] if is_last else events


def abort(bulk: Bulk, error: str | None = None) -> list[e.Event]:
    """Leave it at what was done, because of an error if nobody asked for it. Safe to repeat."""
    if bulk.status is BulkStatus.COMPLETED:
        raise NotAllowed(f"Cannot abort bulk action {bulk.id}: it is COMPLETED.")
    return [e.BulkAborted(error)] if bulk.status is BulkStatus.PENDING else []


def evolve(bulk: Bulk | None, recorded: Recorded) -> Bulk:
    """The bulk action after one event."""
    event, stream = recorded.event, recorded.stream
    if bulk is None:
        if not isinstance(event, e.BulkStarted):
            raise LedgerCorrupt(f"{type(event).__name__} stands first in the stream of bulk action {stream}.")
        return Bulk(
            stream,
            recorded.version,
            recorded.environment,
            event.action,
            recorded.position,
            event.name,
            event.runs,
            event.filter,
        )
    version = recorded.version
    match event:
        case e.BulkAdvanced():
            done = {"success": bulk.success + event.success, "failure": bulk.failure + event.failure}
            return replace(bulk, version=version, cursor=event.cursor, **done)
        case e.BulkCompleted():
            return replace(bulk, version=version, status=BulkStatus.COMPLETED)
        case e.BulkAborted():
            return replace(bulk, version=version, status=BulkStatus.ABORTED, error=event.error)
        case _:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of bulk action {stream}.")
