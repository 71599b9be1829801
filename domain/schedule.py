"""A schedule: what is triggered when. Each of its ticks comes to exactly one fate, which its events tell.

The next tick is found when an event is decided, and stands in it: whoever replays the events needs no calendar.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.calendar import Calendar, Tick
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
    return [e.ScheduleCreated(type_, plan, tick_after(plan.timetable, now, stream, calendar), deduplication_key)]


def change(schedule: Schedule, plan: Plan, now: int, calendar: Calendar) -> list[Event]:
    """Follow another plan from now on. The same one again changes nothing. Raises InvalidInput."""
    plan = _anchored(plan, schedule.created_at)
    if plan == schedule.plan:
        return []
    check(plan, now, calendar)
    following = tick_after(plan.timetable, now, schedule.id, calendar)
    return [*_drop(schedule, "CHANGED"), e.ScheduleChanged(schedule.revision + 1, plan, following)]


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
        )
    return replace(schedule, version=recorded.version, **_changes(schedule, event, recorded))


def _changes(schedule: Schedule, event: Event, recorded: Recorded) -> dict[str, Any]:
    match event:
        case e.TicksFired(first=first, last=last, next=following):
            return {"next": following, "last": (last or first).at}
        case e.TicksSkipped(next=following):
            return {"next": following}
        case e.TickBuffered(tick=tick, next=following):
            return {"next": following, "buffered": tick}
        case e.BufferedTickFired(tick=tick):
            return {"buffered": None, "last": max(tick.at, schedule.last or 0)}
        case e.BufferedTickDropped():
            return {"buffered": None}
        case e.TicksBackfilled():
            return {}
        case e.ScheduleDeleted():
            return {"is_deleted": True}
        case _:
            return _changes_by_hand(event, recorded) | {"updated_at": recorded.recorded_at}


def _changes_by_hand(event: Event, recorded: Recorded) -> dict[str, Any]:
    match event:
        case e.ScheduleChanged(revision=revision, plan=plan, next=following):
            return {"revision": revision, "plan": plan, "next": following}
        case e.ScheduleActivated():
            return {"is_active": True, "paused_until": recorded.recorded_at}
        case e.ScheduleDeactivated():
            return {"is_active": False}
        case _:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of schedule {recorded.stream}.")


def _anchored(plan: Plan, created_at: int) -> Plan:
    timing = plan.timetable.timing
    if not isinstance(timing, Every) or timing.anchor is not None:
        return plan
    return replace(plan, timetable=replace(plan.timetable, timing=replace(timing, anchor=created_at)))


def _drop(schedule: Schedule, reason: str) -> list[Event]:
    return [e.BufferedTickDropped(schedule.buffered, reason)] if schedule.buffered else []
