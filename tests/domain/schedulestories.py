"""Schedules in a room: the words in which their tests are told."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from domain import commands as c
from domain import events as e
from domain.events import Plan, Recorded, Target
from domain.run import Run
from domain.schedule import Schedule
from domain.states import fold
from domain.timing import Every, Timetable, Timing
from tests.domain.stories import Room

MINUTE, HOUR = 60_000, 3_600_000
HOURLY = Every(60)
"""NOW is a full hour."""
SCHEDULE = "sched_1"


def plan(timing: Timing = HOURLY, **more: Any) -> Plan:
    """A plan for the task of the room."""
    given = {name: more.pop(name) for name in ("start", "end", "jitter_ms") if name in more}
    return Plan(more.pop("target", Target("send-email")), Timetable(timing, **given), **more)


def scheduled(timing: Timing = HOURLY, **more: Any) -> Room:
    """A room with a schedule, of which nothing is news."""
    room = Room()
    room.ask(c.SaveSchedule, schedule=SCHEDULE, plan=plan(timing, **more))
    room.news()
    return room


def state_of(room: Room, schedule: str = SCHEDULE) -> Schedule:
    """What the history of the schedule tells; the engine has the same."""
    state = fold(room.history(schedule))
    assert isinstance(state, Schedule)
    assert state.is_deleted or room.engine.memory.states[schedule] == state
    return state


def told(room: Room, schedule: str = SCHEDULE) -> list[e.Event]:
    """What happened to the schedule since this was last asked."""
    return [event for stream, event in room.news() if stream == schedule]


def runs_of(room: Room) -> list[Run]:
    """The runs of schedules that there are, in the order in which they were made."""
    made = [each.stream for each in room.log if isinstance(each.event, e.RunTriggered) and each.event.schedule]
    return [room.run(stream) for stream in made]


class Fated(NamedTuple):
    """What became of a tick: its moment, and the word for it."""

    at: int
    fate: str


def fates(history: list[Recorded], ticks: list[int]) -> Iterator[Fated]:
    """The fates that a schedule's history gives to these planned moments, one for each time that it does so.

    Events tell of consecutive ticks by the first, the last and how many; which lie between is known from `ticks`.
    """
    for recorded in history:
        match recorded.event:
            case e.TicksFired(first=first, last=last, runs=runs) as event:
                found = [at for at in ticks if first.at <= at <= (last or first).at]
                assert len(found) == len(runs), event
                yield from (Fated(at, event.fate) for at in found)
            case e.TicksSkipped(first=first, last=last, count=count, reason=reason) as event:
                found = [at for at in ticks if first.at <= at <= (last or first).at]
                assert len(found) == count, event
                yield from (Fated(at, reason) for at in found)
            case e.BufferedTickFired(tick=tick):
                yield Fated(tick.at, "BUFFERED")
            case e.BufferedTickDropped(tick=tick, reason=reason):
                yield Fated(tick.at, reason)
            case _:
                pass
