"""The state of an erasure: its receipt stands in the ledger first, and what that tells of is erased afterwards."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Recorded

ERASURE = "erasure"


class ErasureStatus(StrEnum):
    """Whether what was to be erased is gone."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"


class Erasure(Struct, frozen=True, gc=False, omit_defaults=True):
    """One erasure; its seals stay in the ledger."""

    id: str
    version: int
    environment: str
    position: int
    """Of its receipt: read models that are not so far may still show what is erased."""
    runs: tuple[str, ...]
    with_names: bool = False
    is_archive: bool = False
    """Whether the runs are in a segment from now on: nobody has asked to forget them."""
    rewritten: tuple[str, ...] = ()
    """The segments in which it is to be erased, too."""
    status: ErasureStatus = ErasureStatus.PENDING


def evolve(erasure: Erasure | None, recorded: Recorded) -> Erasure:
    """The erasure after one event."""
    event, stream = recorded.event, recorded.stream
    match erasure, event:
        case None, e.ErasureRecorded():
            return Erasure(
                stream,
                recorded.version,
                recorded.environment,
                recorded.position,
                event.runs,
                event.with_names,
                event.segment is not None,
                event.rewritten,
            )
        case Erasure(), e.ErasureCompleted():
            return replace(erasure, version=recorded.version, status=ErasureStatus.COMPLETED)
        case _:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of erasure {stream}.")
