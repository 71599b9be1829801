"""A schedule: what is triggered when. Each of its ticks comes to exactly one fate, which its events tell.

The next tick is found when an event is decided, and stands in it: whoever replays the events needs no calendar.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.calendar import UTC_ZONE, Calendar, Tick
from domain.errors import InvalidInput, LedgerCorrupt
from domain.events import Event, Plan, Recorded
from domain.lifecycle import Deadline
from domain.timing import Every, tick_after
from domain.timing import check as check_timetable

SCHED = "sched"
"""The kind of aggregate, with which ids begin."""
IMPERATIVE, DECLARATIVE = "IMPERATIVE", "DECLARATIVE"
ALLOW, SKIP, BUFFER_ONE, CANCEL_OTHER = "allow", "skip", "buffer_one", "cancel_other"
OVERLAPS = (ALLOW, SKIP, BUFFER_ONE, CANCEL_OTHER)
LATEST, ALL, NONE = "latest", "all", "none"
CATCH_UPS = (LATEST, ALL, NONE)
CATCH_UP_MAX = 100
"""How many ticks are caught up at once at most."""
WINDOW_MAX_MS = 7 * 86_400_000
TICK = "tick"


class Schedule(Struct, frozen=True, gc=False, omit_defaults=True):
    """`next` is the first tick that has come to nothing yet, `buffered` one that waits for a run to end."""

    id: str
    version: int
    environment: str
    type: str
    plan: Plan
    created_at: int
    updated_at: int
    revision: int = 1
    next: Tick | None = None
    buffered: Tick | None = None
    is_active: bool = True
    paused_until: int = 0
    """What was due up to here is skipped, because it was paused then."""
    last: int | None = None
    """The latest tick that became a run."""
    deduplication_key: str | None = None
    is_deleted: bool = False
    tzdata: str = ""
    """The edition of the time zone database with which `next` was reckoned; empty where no zone matters."""
    behind: int = 0
    """All ticks up to this moment have come to something, or are of a former plan."""
    local: str = ""
    """What the clocks should have shown at the last tick that came to something."""


def deadline_of(schedule: Schedule) -> Deadline | None:
    """When the next tick is due; nothing is, as long as the schedule pauses."""
    if schedule.next is None or not schedule.is_active or schedule.is_deleted:
        return None
    return Deadline(schedule.next.due, TICK)


def check(plan: Plan, now: int, calendar: Calendar) -> None:
    """Raises InvalidInput for a plan that cannot be followed."""
    check_timetable(plan.timetable, now, calendar)
    if plan.overlap not in OVERLAPS:
        raise InvalidInput(f"overlap is {', '.join(OVERLAPS)}, not {plan.overlap[:40]!r}.")
    if plan.catch_up not in CATCH_UPS:
        raise InvalidInput(f"catchUp is {', '.join(CATCH_UPS)}, not {plan.catch_up[:40]!r}.")
    if not 1 <= plan.catch_up_max <= CATCH_UP_MAX:
        raise InvalidInput(f"catchUpMax is 1 to {CATCH_UP_MAX}, not {plan.catch_up_max}.")
    window = plan.catch_up_window_ms
    if window is not None and not 0 <= window <= WINDOW_MAX_MS:
        raise InvalidInput("catchUpWindow is at most seven days.")


def create(
    stream: str, type_: str, plan: Plan, now: int, calendar: Calendar, deduplication_key: str | None = None
) -> list[Event]:
    """Make a schedule, whose first tick is behind `now`. Raises InvalidInput."""
    plan = _anchored(plan, now)
    check(plan, now, calendar)
    first = tick_after(plan.timetable, now, stream, calendar)
    return [e.ScheduleCreated(type_, plan, first, deduplication_key, edition_for(plan, calendar))]


def change(schedule: Schedule, plan: Plan, now: int, calendar: Calendar) -> list[Event]:
    """Follow another plan from now on. The same one again changes nothing. Raises InvalidInput."""
    plan = _anchored(plan, schedule.created_at)
    # What a job is called moves none of its times: its executions get the name that it has when they are made.
    if replace(plan, target=replace(plan.target, job_name=schedule.plan.target.job_name)) == schedule.plan:
        return []
    check(plan, now, calendar)
    following = tick_after(plan.timetable, now, schedule.id, calendar)
    changed = e.ScheduleChanged(schedule.revision + 1, plan, following, edition_for(plan, calendar))
    return [*_drop(schedule, "CHANGED"), changed]


def edition_for(plan: Plan, calendar: Calendar) -> str:
    """The edition of the time zone database that matters for the plan; none does where its times are told in UTC."""
    return "" if plan.timetable.zone == UTC_ZONE else calendar.version


def reckon(schedule: Schedule, calendar: Calendar) -> list[Event]:
    """Plan its next tick with the zones that the calendar has now. Safe to repeat.

    A time of the zone's clocks that came to something already does not come again, wherever its new moment is.
    """
    edition = edition_for(schedule.plan, calendar)
    if schedule.is_deleted or edition == schedule.tzdata:
        return []
    timetable, known = schedule.plan.timetable, schedule.next
    found = tick_after(timetable, schedule.behind, schedule.id, calendar)
    while found is not None and found != known and found.local <= schedule.local:
        found = tick_after(timetable, found.at, schedule.id, calendar)
    return [e.ScheduleReckoned(edition, found, None if found == known else known)]


def activate(schedule: Schedule) -> list[Event]:
    """Let it go on. Safe to repeat."""
    return [] if schedule.is_active else [e.ScheduleActivated()]


def deactivate(schedule: Schedule) -> list[Event]:
    """Let it pause: nothing that has not been fired is fired any more. Safe to repeat."""
    return [*_drop(schedule, "PAUSED"), e.ScheduleDeactivated()] if schedule.is_active else []


def delete(schedule: Schedule) -> list[Event]:
    """Let there be no such schedule; its runs stay."""
    return [*_drop(schedule, "DELETED"), e.ScheduleDeleted()]


def evolve(schedule: Schedule | None, recorded: Recorded) -> Schedule:
    """The schedule after one event."""
    event = recorded.event
    if schedule is None:
        if not isinstance(event, e.ScheduleCreated):
            raise LedgerCorrupt(f"{type(event).__name__} stands first in the stream of schedule {recorded.stream}.")
        return Schedule(
            recorded.stream,
            recorded.version,
            recorded.environment,
            event.type,
            event.plan,
            recorded.recorded_at,
            recorded.recorded_at,
            next=event.next,
            deduplication_key=event.deduplication_key,
            tzdata=event.tzdata,
            behind=recorded.recorded_at,
        )
    return replace(schedule, version=recorded.version, **_changes(schedule, event, recorded))


def _changes(schedule: Schedule, event: Event, recorded: Recorded) -> dict[str, Any]:
    match event:
        case e.TicksFired(first=first, last=last, next=following):
            return _accounted(last or first, following) | {"last": (last or first).at}
        case e.TicksSkipped(first=first, last=last, next=following):
            return _accounted(last or first, following)
        case e.TickBuffered(tick=tick, next=following):
            return _accounted(tick, following) | {"buffered": tick}
        case e.ScheduleReckoned(tzdata=tzdata, next=following):
            return {"next": following, "tzdata": tzdata}
        case e.BufferedTickFired(tick=tick):
            return {"buffered": None, "last": max(tick.at, schedule.last or 0)}
        case e.BufferedTickDropped():
            return {"buffered": None}
        case e.TicksBackfilled() | e.ScheduleRunByHand():
            return {}
        case e.ScheduleDeleted():
            return {"is_deleted": True}
        case _:
            return _changes_by_hand(event, recorded) | {"updated_at": recorded.recorded_at}


def _changes_by_hand(event: Event, recorded: Recorded) -> dict[str, Any]:
    match event:
        case e.ScheduleChanged(revision=revision, plan=plan, next=following, tzdata=tzdata):
            told = {"revision": revision, "plan": plan, "next": following, "tzdata": tzdata}
            return told | {"behind": recorded.recorded_at, "local": ""}
        case e.ScheduleActivated():
            return {"is_active": True, "paused_until": recorded.recorded_at}
        case e.ScheduleDeactivated():
            return {"is_active": False}
        case _:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of schedule {recorded.stream}.")


def _accounted(tick: Tick, following: Tick | None) -> dict[str, Any]:
    return {"next": following, "behind": tick.at, "local": tick.local}


def _anchored(plan: Plan, created_at: int) -> Plan:
    timing = plan.timetable.timing
    if not isinstance(timing, Every) or timing.anchor is not None:
        return plan
    return replace(plan, timetable=replace(plan.timetable, timing=replace(timing, anchor=created_at)))


def _drop(schedule: Schedule, reason: str) -> list[Event]:
    return [e.BufferedTickDropped(schedule.buffered, reason)] if schedule.buffered else []
