"""Schedules: what the code of a task says, what the engine tells, and what a scheduled run is given."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from runfold.durations import Duration, duration_ms
from runfold.unknown import Named

Overlap = Literal["allow", "skip", "buffer_one", "cancel_other"]
CatchUp = Literal["latest", "all", "none"]
DstGap = Literal["run_after", "skip"]
DstFold = Literal["first", "both"]

MINUTE_MS = 60_000


class Schedule(msgspec.Struct, frozen=True, kw_only=True, metaclass=Named):
    """When a task runs by itself: by `cron`, or `every` so many minutes, and what happens when something is amiss."""

    cron: str | None = None
    timezone: str = "UTC"
    every: Duration | None = None
    """Whole minutes, such as "15m"; at most a day."""
    dst_gap: DstGap = "run_after"
    """What becomes of a time that the clocks leave out."""
    dst_fold: DstFold = "first"
    """What becomes of a time that the clocks show twice."""
    jitter: Duration = 0
    """Put each tick off by up to this long."""
    overlap: Overlap = "allow"
    """What becomes of a tick while a run of the schedule goes on."""
    catch_up: CatchUp = "latest"
    """Which of the ticks that were missed are fired."""
    catch_up_window: Duration | None = None
    """How late a tick may be; the time to the next tick, an hour at most, if left out."""
    catch_up_max: int = 100

    def __post_init__(self) -> None:
        if (self.cron is None) == (self.every is None):
            raise ValueError("A schedule has either cron or every.")
        if self.every is not None:
            minutes_of(self.every)


class ScheduledRun(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The payload of the runs of a schedule that has none of its own: `async def report(tick: ScheduledRun)`."""

    type: str
    """DECLARATIVE or IMPERATIVE: made by the code of the task, or by a call."""
    timestamp: datetime
    """The moment that was planned; the run may have begun later."""
    timezone: str
    schedule_id: str
    last_timestamp: datetime | None = None
    """The tick before this one that became a run."""
    external_id: str | None = None
    upcoming: tuple[datetime, ...] = ()
    """The next ten."""


class Generator(msgspec.Struct, frozen=True):
    """A timing in the words of cron, and in English."""

    expression: str
    description: str = ""


class ScheduleState(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A schedule at one moment."""

    id: str
    type: str
    task: str
    active: bool
    generator: Generator
    timezone: str = "UTC"
    next_run: datetime | None = None
    next_run_effective_at: datetime | None = None
    """The same with its jitter."""
    last_run: datetime | None = None
    """The latest tick that became a run."""
    deduplication_key: str | None = None
    external_id: str | None = None
    cron: str | None = None
    every: int | None = None
    """Minutes."""
    at: datetime | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    overlap: str = "allow"
    catch_up: str = "latest"
    payload: Any = None
    revision: int = 1
    created_at: datetime
    updated_at: datetime


class TickFate(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A tick of a schedule and what became of it: docs/reference/schedules.md has the words; None is nothing yet."""

    timestamp: datetime
    due_at: datetime
    local: str
    timezone: str
    revision: int
    fate: str | None = None
    rule: str | None = None
    """`gap` or `fold`, where a change of the clocks had a say."""
    run: str | None = None
    tzdata: str | None = None
    """The edition of the time zone database with which it was reckoned; None where no zone matters."""


class TickReport(msgspec.Struct, frozen=True):
    """The ticks between two moments, and a sentence for each place where ledger and calendar do not fit together."""

    ticks: tuple[TickFate, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Where another edition of the time zone database moved ticks, or makes it impossible to tell."""
    tzdata: str = ""
    """The edition that the engine has now."""


class Backfilled(msgspec.Struct, frozen=True):
    """A run that a backfill has made, and its tick."""

    id: str
    timestamp: datetime


ScheduleRef = str | ScheduleState
"""A schedule, by id or by what calls answer."""


def minutes_of(every: Duration) -> int:
    """The interval in minutes; a ValueError says what is wrong with it."""
    minutes, rest = divmod(duration_ms(every), MINUTE_MS)
    if rest or not 1 <= minutes <= 1_440:
        raise ValueError(f'A schedule runs every 1 to 1440 whole minutes, such as "15m", not {every!r}.')
    return minutes
