"""Named events as the engine tells of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from runfold.answers import read


@dataclass(frozen=True)
class EventInfo:
    """The event that started a run; its payload is that of the run."""

    id: str
    name: str
    timestamp: datetime
    source: str
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])


class SentEvent(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What became of an event when it was sent, or when one with its id was sent before."""

    id: str
    status: str
    """PENDING, DELIVERED or CANCELED."""
    runs: tuple[str, ...] = ()
    """Those that it has started."""
    deliver_at: datetime | None = None


class EventRun(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A run that an event has started. Only the first hundred tell more than their ids."""

    id: str
    task: str | None = msgspec.field(default=None, name="taskIdentifier")
    status: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Event(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A named event with the runs that it has started."""

    id: str
    name: str
    status: str
    """PENDING, DELIVERED or CANCELED."""
    timestamp: datetime
    """When it happened, as its sender says."""
    source: str
    created_at: datetime
    """When it was sent."""
    payload: Any = None
    context: dict[str, Any] | None = None
    deliver_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None
    stuck: str | None = None
    """Why it cannot be delivered at present, although its time has come."""
    reason: str | None = None
    """Why the engine canceled it."""
    runs: tuple[EventRun, ...] = ()


class ListedEvent(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A named event in a list, without its payload and its runs."""

    id: str
    name: str
    status: str
    """PENDING, DELIVERED or CANCELED."""
    timestamp: datetime
    source: str
    created_at: datetime
    deliver_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None
    stuck: str | None = None
    """Why it cannot be delivered at present, although its time has come."""


EventId = str | SentEvent | Event
"""An event, by id or by what calls answer."""


def id_of(event: EventId) -> str:
    return event if isinstance(event, str) else event.id


def sent_event(content: bytes) -> SentEvent:
    """The short form of an answer that tells all."""
    event = read(content, Event)
    runs = tuple(run.id for run in event.runs)
    return SentEvent(id=event.id, status=event.status, runs=runs, deliver_at=event.deliver_at)
