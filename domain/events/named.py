"""Named events, which start the tasks and jobs that subscribe to them."""

from msgspec import Raw

from domain.events.base import NOTHING, BlobRef, Event


class EventSent(Event, frozen=True, gc=False, omit_defaults=True):
    """A named event was sent, to be delivered at once or at `deliver_at`. Its id is its sender's, and used once."""

    id: str
    name: str
    timestamp: int
    source: str
    payload: Raw = NOTHING
    payload_blob: BlobRef | None = None
    context: Raw = NOTHING
    deliver_at: int | None = None


class EventPartlyDelivered(Event, frozen=True, gc=False):
    """The event has started these runs, in the same commit, and is subscribed to by more: by those `after` this one."""

    runs: tuple[str, ...]
    after: str


class EventDelivered(Event, frozen=True, gc=False):
    """The event has started these runs, in the same commit, and will start no more."""

    runs: tuple[str, ...]


class EventCanceled(Event, frozen=True, gc=False, omit_defaults=True):
    """Someone stopped the event before it was delivered; a `reason` says why the engine did."""

    reason: str | None = None
