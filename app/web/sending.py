"""From the body of a named event to the command that sends it."""

import hashlib
from typing import Any

import msgspec
from msgspec import Raw

from app.names import NAME_MAX, named
from app.service import Service
from app.values import PAYLOAD_MAX_BYTES, object_of, stored
from app.web import bodies
from domain import durations, named_event
from domain.commands import SendEvent
from domain.errors import InvalidInput
from domain.events import NOTHING, EventSent

CONTEXT_MAX_BYTES = 8_192
"""Each run that an event starts has the context in an event of its own."""
LATER_MAX_MS = 3_650 * 86_400_000
SOURCE = "api"
ID = "evt"


def send_of(
    body: bodies.EventBody,
    options: bodies.EventOptions | None,
    service: Service,
    origin: dict[str, Any],
    request_key: str | None,
) -> SendEvent:
    """The command for an event. Raises InvalidInput.

    Without an id it gets one; the same request sent again, which `request_key` tells, gets the same.
    """
    if body.name is None:
        raise InvalidInput("An event has a name: tasks and jobs are subscribed to names.")
    environment, now = origin["environment"], origin["at"]
    event = _new_id(service, environment, now, request_key) if body.id is None else _id(body.id)
    stream = named_event.stream_of(environment, event)
    payload, blob, blobs = stored(body.payload, f"{stream}/payload", PAYLOAD_MAX_BYTES, "payload")
    sent = EventSent(
        event,
        named(body.name, "name of an event"),
        now if body.timestamp is None else durations.parse_date(body.timestamp),
        SOURCE if body.source is None else named(body.source, "source of an event"),
        payload,
        blob,
        _context(body.context),
        _deliver_at(options or bodies.EventOptions(), now),
    )
    return SendEvent(event=stream, sent=sent, payload=body.payload, blobs=blobs, **origin)


def _id(event: str) -> str:
    if not 0 < len(event) <= NAME_MAX or not event.isprintable():
        raise InvalidInput(f"The id of an event has 1 to {NAME_MAX} printable characters.")
    return event


def _new_id(service: Service, environment: str, now: int, request_key: str | None) -> str:
    if request_key is None:
        return service.ids.new(ID, now)
    text = f"{environment}\0{request_key}"
    return f"{ID}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _context(context: Raw) -> Raw:
    value = object_of(context, "context", max_bytes=CONTEXT_MAX_BYTES)
    return NOTHING if value is None else Raw(msgspec.json.encode(value))


def _deliver_at(options: bodies.EventOptions, now: int) -> int | None:
    if options.account_id is not None:
        raise InvalidInput("The option accountId is not supported: name the connections of a task in its code.")
    if options.deliver_at is not None and options.deliver_after is not None:
        raise InvalidInput("An event is delivered deliverAt a time or deliverAfter a while, not both.")
    if options.deliver_at is not None:
        at = durations.parse_date(options.deliver_at)
    elif isinstance(options.deliver_after, int):
        at = now + 1_000 * options.deliver_after
    else:
        at = now if options.deliver_after is None else now + durations.parse_duration(options.deliver_after)
    if at - now > LATER_MAX_MS:
        raise InvalidInput("An event is delivered within ten years.")
    # What has passed is delivered at once.
    return at if at > now else None
