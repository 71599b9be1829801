"""Bodies that send named events."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from app.values import absent
from app.web.bodies.reading import StrictBody


class EventBody(Struct, rename="camel"):
    """A named event: `id` is its sender's, and used once; `timestamp` is an ISO 8601 date, `context` an object."""

    name: str | None = None
    payload: Raw = msgspec.field(default_factory=absent)
    id: str | None = None
    timestamp: str | None = None
    source: str | None = None
    context: Raw = msgspec.field(default_factory=absent)


class EventOptions(Struct, rename="camel"):
    """When an event is delivered: at a date, or after a while (seconds, or a duration)."""

    deliver_at: str | None = None
    deliver_after: str | int | None = None
    account_id: str | None = None


class SinkBody(StrictBody):
    """A new sink: a `url` to post to, signed with the `secret` of that name, or a `file`."""

    name: str
    url: str | None = None
    secret: str | None = None
    file: str | None = None
    format: Literal["cloudevents", "runfold"] = "cloudevents"
    after: Annotated[int, Meta(ge=0)] | None = None
    """Behind which position to begin; from now on, if left out."""


class SendEventBody(EventBody):
    """An event, by itself or in Trigger.dev v2's envelope under `event`."""

    event: EventBody | None = None
    options: EventOptions | None = None


class SendEventsBody(Struct):
    """Several events."""

    events: list[EventBody]
    options: EventOptions | None = None
