"""What a run of a schedule is given, if the schedule has no payload of its own: the fields of Trigger.dev's."""

from msgspec import Raw, Struct, json

from domain.calendar import Calendar, Tick
from domain.durations import iso
from domain.schedule import Schedule
from domain.timing import tick_after

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
    plan, upcoming, following = schedule.plan, list[str](), tick
    while len(upcoming) < UPCOMING:
        found = tick_after(plan.timetable, following.at, schedule.id, calendar)
        if found is None:
            break
        following = found
        upcoming.append(iso(following.at))
    last = iso(schedule.last) if schedule.last is not None and schedule.last < tick.at else None
    told = ScheduledPayload(
        schedule.type, iso(tick.at), plan.timetable.zone, schedule.id, tuple(upcoming), last, plan.external_id
    )
    return Raw(json.encode(told))
