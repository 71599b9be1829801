"""A named event: sent once, and delivered once to what is subscribed to its name. Its state is the fold of its events.

Its id is its sender's. The stream follows from that, so whoever sends the same event again finds what became of it.
"""

import hashlib
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt, NotAllowed
from domain.events import Event, Recorded
from domain.lifecycle import Deadline

EVENT = "event"
"""The kind of aggregate."""
DELIVER = "deliver"


class EventStatus(StrEnum):
    """How far an event is."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    CANCELED = "CANCELED"


class NamedEvent(Struct, frozen=True, gc=False, omit_defaults=True):
    """An event as the engine keeps it until it is delivered; what it says stays in the ledger.

    `after` is the subscriber up to which it is delivered, in their order.
    """

    id: str
    version: int
    environment: str
    deliver_at: int
    status: EventStatus = EventStatus.PENDING
    after: str = ""


def stream_of(environment: str, event: str) -> str:
    """The stream of the event with this id."""
    text = f"{environment}\0{event}"
    return f"{EVENT}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def deadline_of(event: NamedEvent) -> Deadline | None:
    """When it is to be delivered."""
    return Deadline(event.deliver_at, DELIVER) if event.status is EventStatus.PENDING else None


def deliver(runs: tuple[str, ...], after: str | None) -> list[Event]:
    """These runs were started. `after` is the last of their subscribers if there are more, else None."""
    return [e.EventDelivered(runs) if after is None else e.EventPartlyDelivered(runs, after)]


def cancel(event: NamedEvent, reason: str | None = None) -> list[Event]:
    """Let it start nothing. Safe to repeat; what it has started goes on."""
    if event.status is EventStatus.CANCELED:
        return []
    if event.status is EventStatus.DELIVERED or (event.after and reason is None):
        raise NotAllowed("The event was delivered already: cancel the runs that it has started.")
    return [e.EventCanceled(reason)]


def evolve(event: NamedEvent | None, recorded: Recorded) -> NamedEvent:
    """The event after one of its events."""
    match event, recorded.event:
        case None, e.EventSent(deliver_at=deliver_at):
            at = recorded.recorded_at if deliver_at is None else deliver_at
            return NamedEvent(recorded.stream, recorded.version, recorded.environment, at)
        case NamedEvent(), e.EventPartlyDelivered(after=after):
            return replace(event, version=recorded.version, after=after)
        case NamedEvent(), e.EventDelivered():
            return replace(event, version=recorded.version, status=EventStatus.DELIVERED)
        case NamedEvent(), e.EventCanceled():
            return replace(event, version=recorded.version, status=EventStatus.CANCELED)
        case _, happened:
            raise LedgerCorrupt(f"{type(happened).__name__} stands in the stream of event {recorded.stream}.")
