"""Schedules and their ticks."""

from msgspec import Raw, Struct

from domain.calendar import Tick
from domain.events.base import JSON_TYPE, NOTHING, Event
from domain.timing import Timetable


class Target(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a schedule triggers. Without a payload its runs are given what there is to say of the tick."""

    task: str
    payload: Raw = NOTHING
    payload_type: str = JSON_TYPE
    queue: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    priority: int = 0
    concurrency_key: str | None = None
    ttl_ms: int | None = None
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    is_test: bool = False
    machine: str | None = None
    job: str | None = None
    """The HTTP job whose executions its runs are."""
    job_name: str = ""


class Plan(Struct, frozen=True, gc=False, omit_defaults=True):
    """All of a schedule that can be changed: what it triggers and when, and what becomes of a tick that is in the way.

    `overlap` is allow, skip, buffer_one or cancel_other, `catch_up` latest, all or none. A tick that is later than the
    window is skipped; without one that is the time to the next tick, at most an hour, or any time for a single moment.
    """

    target: Target
    timetable: Timetable
    overlap: str = "allow"
    catch_up: str = "latest"
    catch_up_window_ms: int | None = None
    catch_up_max: int = 100
    external_id: str | None = None


class ScheduleCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A schedule was made, by the API (IMPERATIVE) or the code of its task (DECLARATIVE). `next` is its first tick.

    `tzdata` is the edition of the time zone database with which its ticks are reckoned; absent where no zone matters.
    """

    type: str
    plan: Plan
    next: Tick | None = None
    deduplication_key: str | None = None
    tzdata: str = ""


class ScheduleChanged(Event, frozen=True, gc=False, omit_defaults=True):
    """The schedule has another plan: no tick of the former one that has not come to anything comes to something now."""

    revision: int
    plan: Plan
    next: Tick | None = None
    tzdata: str = ""


class ScheduleReckoned(Event, frozen=True, gc=False, omit_defaults=True):
    """From here on its ticks are reckoned with another edition of the time zone database, `next` the first of them.

    `moved` is the tick that was planned until then, where it is another one.
    """

    tzdata: str
    next: Tick | None = None
    moved: Tick | None = None


class ScheduleActivated(Event, frozen=True, gc=False):
    """The schedule goes on: what was due while it was paused is skipped."""


class ScheduleDeactivated(Event, frozen=True, gc=False):
    """The schedule pauses."""


class ScheduleDeleted(Event, frozen=True, gc=False):
    """There is no such schedule any more."""


class TicksFired(Event, frozen=True, gc=False, omit_defaults=True):
    """These consecutive ticks have become these runs, in the same commit. `last` is absent where there is one tick.

    `fate` is FIRED, LATE, or CAUGHT_UP where a later one was due as well. `late_ms` is how late the first one is.
    """

    first: Tick
    runs: tuple[str, ...]
    next: Tick | None = None
    last: Tick | None = None
    fate: str = "FIRED"
    late_ms: int = 0


class TicksSkipped(Event, frozen=True, gc=False, omit_defaults=True):
    """These consecutive ticks became no runs. `last` is absent where there is one tick.

    `reason` is PAUSED, WINDOW (too late), CATCH_UP (others were fired in their place) or OVERLAP (a run still went on).
    """

    first: Tick
    reason: str
    next: Tick | None = None
    last: Tick | None = None
    count: int = 1


class TickBuffered(Event, frozen=True, gc=False, omit_defaults=True):
    """The tick waits for the end of the run before it."""

    tick: Tick
    next: Tick | None = None


class BufferedTickFired(Event, frozen=True, gc=False):
    """The tick that waited has become this run, in the same commit."""

    tick: Tick
    run: str
    late_ms: int


class BufferedTickDropped(Event, frozen=True, gc=False):
    """The tick that waited becomes no run: the schedule was PAUSED, CHANGED or DELETED meanwhile."""

    tick: Tick
    reason: str


class ScheduleRunByHand(Event, frozen=True, gc=False):
    """Someone let the schedule run at this moment, beside its ticks: it has become this run, in the same commit."""

    at: int
    run: str


class TicksBackfilled(Event, frozen=True, gc=False):
    """Someone asked for the runs of ticks that had none: the moment of each, and its run, in the same commit."""

    runs: dict[int, str]
