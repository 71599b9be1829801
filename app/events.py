"""Named events: who is subscribed to which, and what their history tells."""

from collections.abc import Sequence

from app.engine.reader import Reader
from app.names import named
from domain import named_event
from domain.errors import InvalidInput, NotFound
from domain.event_filter import Filter
from domain.event_filter import check as check_filter
from domain.events import EventSent, Recorded, Subscription

NAMES_MAX = 50
"""To how many names one task or job is subscribed."""


def subscription_of(name: str | tuple[str, ...], filter_: Filter) -> Subscription:
    """A subscription that can be kept. Raises InvalidInput."""
    check_filter(filter_)
    names = (name,) if isinstance(name, str) else name
    if not 1 <= len(names) <= NAMES_MAX:
        raise InvalidInput(f"A subscription has 1 to {NAMES_MAX} names of events, not {len(names)}.")
    for each in names:
        named(each, "name of an event")
    return Subscription(name, filter_)


async def history_of(event: str, reader: Reader, environment: str) -> Sequence[Recorded]:
    """All that happened to an event. Raises NotFound."""
    history = await reader.history(named_event.stream_of(environment, event))
    if not history:
        raise NotFound(f"Event {event[:60]} not found.")
    return history


def sent_in(history: Sequence[Recorded]) -> EventSent:
    """The event as it was sent."""
    sent = history[0].event
    assert isinstance(sent, EventSent), "an event begins with this"
    return sent
