"""The state of a waitpoint token: whether somebody completed it, or its time was over before."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Recorded
from domain.lifecycle import Deadline


class WaitpointStatus(StrEnum):
    """What the API says of a token."""

    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    TIMED_OUT = "TIMED_OUT"


class Waitpoint(Struct, frozen=True, gc=False, omit_defaults=True):
    """A token as the engine keeps it while nobody completed it; its output and tags stay in the ledger."""

    id: str
    version: int
    environment: str
    status: WaitpointStatus = WaitpointStatus.WAITING
    timeout_at: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether whoever waits for it may go on."""
        return self.status is not WaitpointStatus.WAITING


def deadline_of(waitpoint: Waitpoint) -> Deadline | None:
    """The time until which it must be completed."""
    if waitpoint.is_over or waitpoint.timeout_at is None:
        return None
    return Deadline(waitpoint.timeout_at, "timeout")


def fire(waitpoint: Waitpoint, deadline: Deadline) -> list[e.Event]:
    """A token that nobody completed times out. A deadline that is no longer its own brings nothing."""
    return [e.WaitpointTimedOut()] if deadline_of(waitpoint) == deadline else []


def complete(waitpoint: Waitpoint, completed: e.WaitpointCompleted) -> list[e.Event]:
    """Complete a token. What completed it first counts, and doing it again changes nothing (as at Trigger.dev)."""
    return [] if waitpoint.is_over else [completed]


def evolve(waitpoint: Waitpoint | None, recorded: Recorded) -> Waitpoint:
    """The waitpoint after one event."""
    match waitpoint, recorded.event:
        case None, e.WaitpointCreated(timeout_at=timeout_at):
            return Waitpoint(recorded.stream, recorded.version, recorded.environment, timeout_at=timeout_at)
        case Waitpoint(), e.WaitpointCompleted():
            return replace(waitpoint, version=recorded.version, status=WaitpointStatus.COMPLETED)
        case Waitpoint(), e.WaitpointTimedOut():
            return replace(waitpoint, version=recorded.version, status=WaitpointStatus.TIMED_OUT)
        case _, event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of waitpoint {recorded.stream}.")
