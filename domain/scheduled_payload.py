"""What a run of a schedule is given, if the schedule has no payload of its own: the fields of Trigger.dev's."""

from functools import lru_cache

from msgspec import Raw, Struct, json

from domain.calendar import Calendar, Tick
from domain.durations import iso
from domain.schedule import Schedule
from domain.timing import Timetable, tick_after

UPCOMING = 10


class ScheduledPayload(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Moments are ISO 8601 in UTC: that of the tick, of the last one that became a run, and of the next ones."""

    type: str
    timestamp: str
    timezone: str
    schedule_id: str
    upcoming: tuple[str, ...]
    last_timestamp: str | None = None
    external_id: str | None = None


def payload_of(schedule: Schedule, tick: Tick, calendar: Calendar) -> Raw:
    """The payload of the run of a tick."""
    plan = schedule.plan
    upcoming = _upcoming(plan.timetable, tick.at, calendar)
    last = iso(schedule.last) if schedule.last is not None and schedule.last < tick.at else None
    told = ScheduledPayload(
        schedule.type, iso(tick.at), plan.timetable.zone, schedule.id, upcoming, last, plan.external_id
    )
    return Raw(json.encode(told))


# Many schedules have the same times, and most of what their ticks cost was to find these again for each of them.
@lru_cache(maxsize=4_096)
def _upcoming(timetable: Timetable, moment: int, calendar: Calendar) -> tuple[str, ...]:
    """The next moments behind this one. Jitter, which tells schedules apart, moves none of them."""
    found: list[str] = []
    while len(found) < UPCOMING and (tick := tick_after(timetable, moment, "", calendar)) is not None:
        moment = tick.at
        found.append(iso(moment))
    return tuple(found)
