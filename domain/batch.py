"""The state of a batch: which of its items are known, what became of each, and whether all of it is over.

A batch is created and then given its items in any number of streams, or triggered with all of them at once.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import ItemError, Recorded
from domain.lifecycle import Deadline


class BatchStatus(StrEnum):
    """What the API says of a batch."""

    PENDING = "PENDING"
    """Items are still to come."""
    PROCESSING = "PROCESSING"
    PARTIAL_FAILED = "PARTIAL_FAILED"
    """Some items became no run, and the runs of the others are not all finished."""
    COMPLETED = "COMPLETED"
    """All its runs are finished, however they ended."""
    ABORTED = "ABORTED"
    """No item became a run."""


class Batch(Struct, frozen=True, gc=False, omit_defaults=True):
    """Items are told by their index, from 0 to `expected` - 1; each has a run or an error once it is known."""

    id: str
    version: int
    environment: str
    expected: int
    runs: dict[int, str] = {}
    shared: tuple[str, ...] = ()
    """Those of its runs that an idempotency key stood for before, and that are of another batch or of none."""
    errors: tuple[ItemError, ...] = ()
    parent: str | None = None
    expires_at: int | None = None
    is_sealed: bool = False
    is_expired: bool = False
    ended_at: int | None = None

    @property
    def in_order(self) -> tuple[str, ...]:
        """The runs in the order of their items."""
        return tuple(self.runs[index] for index in sorted(self.runs))

    @property
    def takes_items(self) -> bool:
        """Whether items are still to come, and may."""
        return not self.is_sealed and not self.is_expired

    @property
    def known(self) -> int:
        """How many of its items are known."""
        return len(self.runs) + len(self.errors)

    @property
    def status(self) -> BatchStatus:
        """How far the batch is."""
        if self.takes_items:
            return BatchStatus.PENDING
        if not self.runs:
            return BatchStatus.ABORTED
        if self.ended_at is not None:
            return BatchStatus.COMPLETED
        return BatchStatus.PARTIAL_FAILED if self.known < self.expected or self.errors else BatchStatus.PROCESSING


def deadline_of(batch: Batch) -> Deadline | None:
    """The time until which its items must have come."""
    return Deadline(batch.expires_at, "seal") if batch.takes_items and batch.expires_at is not None else None


def fire(batch: Batch, deadline: Deadline) -> list[e.Event]:
    """A batch whose items never came expires. A deadline that is no longer the batch's brings nothing."""
    return [e.BatchExpired()] if deadline_of(batch) == deadline else []


def end(batch: Batch) -> list[e.Event]:
    """What a batch of which no run is unfinished comes to, once no item can come any more."""
    if batch.takes_items or batch.ended_at is not None:
        return []
    return [e.BatchCompleted()] if batch.runs else [e.BatchAborted()]


def evolve(batch: Batch | None, recorded: Recorded) -> Batch:
    """The batch after one event."""
    event, stream = recorded.event, recorded.stream
    if batch is None:
        match event:
            case e.BatchTriggered():
                runs = dict(enumerate(event.runs))
                shared = tuple(dict.fromkeys(event.runs[index] for index in event.cached))
                return Batch(stream, recorded.version, recorded.environment, len(runs), runs, shared, is_sealed=True)
            case e.BatchCreated():
                return Batch(
                    stream,
                    recorded.version,
                    recorded.environment,
                    event.run_count,
                    parent=event.parent,
                    expires_at=event.expires_at,
                )
            case _:
                raise LedgerCorrupt(f"{type(event).__name__} stands first in the stream of batch {stream}.")
    version = recorded.version
    match event:
        case e.BatchItemsAccepted():
            shared = (*batch.shared, *(event.runs[index] for index in event.cached))
            return replace(
                batch,
                version=version,
                runs=batch.runs | event.runs,
                shared=tuple(dict.fromkeys(shared)),
                errors=(*batch.errors, *event.errors),
            )
        case e.BatchSealed():
            return replace(batch, version=version, is_sealed=True)
        case e.BatchExpired():
            return replace(batch, version=version, is_expired=True)
        case e.BatchCompleted() | e.BatchAborted():
            return replace(batch, version=version, ended_at=recorded.recorded_at)
        case _:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of batch {stream}.")
