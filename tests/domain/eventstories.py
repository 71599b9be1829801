"""Named events in a room: the words in which their tests are told."""

from typing import Any

from msgspec import Raw, json

from domain import commands as c
from domain import events as e
from domain.events import EventSent, JobSpec, Subscription, TaskSettings
from domain.named_event import stream_of
from tests.domain.stories import ENVIRONMENT, NOW, Room

NAME = "user.created"
PAYLOAD = {"name": "Ada", "plan": "pro"}


def subscribed(task: str, name: str = NAME, /, **filter_: Any) -> TaskSettings:
    """A task that events of this name start, if their payload fits."""
    return TaskSettings(task, event=Subscription(name, filter_))


def job_spec(name: str = NAME, /, **filter_: Any) -> JobSpec:
    """An HTTP job that events of this name start."""
    return JobSpec("Notify", "event", Raw(b'{"request":{}}'), 3, event=Subscription(name, filter_))


def sent(event: str = "1", payload: Any = PAYLOAD, name: str = NAME, **more: Any) -> EventSent:
    """An event as it is sent."""
    return EventSent(event, name, NOW - 5, "shop", Raw(json.encode(payload)), context=Raw(b'{"tenant":7}'), **more)


def send(room: Room, event: str = "1", payload: Any = PAYLOAD, name: str = NAME, **more: Any) -> bool:
    """Send an event; whether it was new."""
    what = sent(event, payload, name, **more)
    is_new: bool = room.ask(c.SendEvent, event=stream_of(ENVIRONMENT, event), sent=what, payload=what.payload)
    return is_new


def deliver(room: Room) -> int:
    """Bring the engine the payloads of the events that are due, as the service does; how many it delivered."""
    done = 0
    for stream in list(room.engine.memory.deliveries):
        first = room.history(stream)[0].event
        assert isinstance(first, EventSent)
        done += room.ask(c.DeliverEvent, event=stream, sent=first, payload=first.payload, after=after(room, stream))
    return done


def after(room: Room, stream: str) -> str:
    """The subscriber up to which an event is delivered."""
    parts = [each.event for each in room.history(stream) if isinstance(each.event, e.EventPartlyDelivered)]
    return parts[-1].after if parts else ""


def started(room: Room) -> list[tuple[str, str]]:
    """The tasks that events have started, each with the id of the event, in order."""
    found = [each.event for each in room.log if isinstance(each.event, e.RunTriggered)]
    return [(each.task if each.job is None else each.job.id, each.event.id) for each in found if each.event]
