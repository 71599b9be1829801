"""Commands about named events."""

from msgspec import Raw, field

from domain.commands.base import Command
from domain.events import NOTHING, EventSent


class SendEvent(Command, frozen=True, kw_only=True):
    """Send a named event, whose stream this is. Answer: whether it is new; one that is known starts nothing.

    `payload` is the whole, also where `sent` refers to a blob.
    """

    event: str
    sent: EventSent
    payload: Raw = NOTHING
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])


class DeliverEvent(Command, frozen=True, kw_only=True):
    """Deliver an event that is due, as it was `sent`, to those behind the subscriber `after`.

    Answer: whether that was done. It is not when the event is over, not due, or delivered to another point.
    """

    event: str
    sent: EventSent
    payload: Raw
    after: str


class CancelEvent(Command, frozen=True, kw_only=True):
    """Let an event start nothing. Only the engine has a `reason`, and may stop a delivery half-way. Answer: None."""

    event: str
    reason: str | None = None
