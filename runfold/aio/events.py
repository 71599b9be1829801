"""Send named events, look at them and cancel those that are to come. An event is named by its id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from runfold import current, transport
from runfold.answers import read
from runfold.codec import encode, encode_payload
from runfold.durations import Duration
from runfold.event import Event, EventId, ListedEvent, SentEvent, id_of, sent_event
from runfold.options import delay_on_wire
from runfold.pages import AsyncEventPage, date_on_wire, first_of
from runfold.sending import send_once
from runfold.triggering import NOTHING

PATH = "/api/v1/events"


async def send(
    name: str,
    payload: Any = NOTHING,
    *,
    id: str | None = None,  # noqa: A002 (the word that users write)
    timestamp: datetime | None = None,
    source: str | None = None,
    context: Mapping[str, Any] | None = None,
    deliver: Duration | datetime | None = None,
) -> SentEvent:
    """Send an event, which starts every task and HTTP job that is subscribed to its name and whose filter it fits.

    An `id` that was sent before starts nothing. `deliver` says when, or after what time, it is delivered. In the code
    of a run it is a step: the event is sent once, however often the code is run again.
    """
    event: dict[str, Any] = {"name": name}
    event |= {} if payload is NOTHING else {"payload": encode_payload(payload)}
    event |= {} if id is None else {"id": id}
    event |= {} if timestamp is None else {"timestamp": _date(timestamp)}
    event |= {} if source is None else {"source": source}
    event |= {} if context is None else {"context": dict(context)}
    if deliver is not None:
        is_date = isinstance(deliver, datetime)
        event["options"] = {"deliverAt" if is_date else "deliverAfter": delay_on_wire(deliver)}
    step, journal = current.current_writing()
    if step is not None:
        return await _send({"id": step.of_trigger(), **event})
    if journal is None:
        return await _send(event)

    async def deliver_once(key: str) -> SentEvent:
        return await _send({"id": key, **event})

    return await send_once(journal, f"send event {name}", event, deliver_once, SentEvent)


async def retrieve(event: EventId) -> Event:
    """The event with the runs that it has started."""
    return read(await transport.default.call("GET", _path(event)), Event)


async def list(  # noqa: A001 (events.list)
    *,
    name: str | None = None,
    undelivered: bool | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 100,
) -> tuple[ListedEvent, ...]:
    """The newest events, of this name or `undelivered` if asked for, sent between two moments, ends included."""
    query = {
        "filter[name]": name,
        "filter[undelivered]": None if undelivered is None else str(undelivered).lower(),
        "filter[createdAt][from]": date_on_wire(start),
        "filter[createdAt][to]": date_on_wire(end),
    }
    return await first_of(AsyncEventPage, query, limit)


async def cancel(event: EventId) -> SentEvent:
    """Let an event that is not delivered yet start nothing; raises BadRequestError when it was delivered."""
    return sent_event(await transport.default.call("POST", f"{_path(event)}/cancel"))


def _date(timestamp: datetime) -> str:
    if timestamp.tzinfo is None:
        raise ValueError(
            f"The timestamp {timestamp.isoformat()} has no time zone, so it names no moment: use datetime.now(UTC)."
        )
    return delay_on_wire(timestamp)


async def _send(event: dict[str, Any]) -> SentEvent:
    return sent_event(await transport.default.call("POST", PATH, body=encode(event)))


def _path(event: EventId) -> str:
    return f"{PATH}/{quote(id_of(event), safe='')}"
