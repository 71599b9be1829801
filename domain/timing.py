"""When a schedule is due: kinds of timing, and the ticks that they plan. Moments are milliseconds since 1970 (UTC)."""

import hashlib
from datetime import UTC, datetime
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from domain.calendar import UTC_ZONE, Calendar, Cron, Tick
from domain.errors import InvalidInput

MINUTE_MS = 60_000
EVERY_MAX = 1_440
JITTER_MAX_MS = 86_400_000
MOMENT_MAX = 253_370_764_800_000
"""The first day of the year 9999, behind which dates end."""


class Every(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind", tag="every"):
    """Every so many minutes, counted from the anchor on: a moment, so that no zone and no late start moves it.

    Without an anchor they are counted from the creation of the schedule, whose plan has that moment then.
    """

    minutes: int
    anchor: int | None = 0


class At(Struct, frozen=True, gc=False, tag_field="kind", tag="at"):
    """Once, at this moment."""

    at: int


Timing: TypeAlias = Cron | Every | At


class Timetable(Struct, frozen=True, gc=False, omit_defaults=True):
    """A timing between two moments, both included. Each tick is put off by up to `jitter_ms`, never past the next."""

    timing: Timing
    start: int | None = None
    end: int | None = None
    jitter_ms: int = 0

    @property
    def zone(self) -> str:
        """In which its times are told."""
        return self.timing.timezone if isinstance(self.timing, Cron) else UTC_ZONE


def tick_after(timetable: Timetable, moment: int, salt: str, calendar: Calendar) -> Tick | None:
    """The first tick that is planned behind a moment, None if there is none. The `salt` tells jitters apart."""
    floor = moment if timetable.start is None else max(moment, timetable.start - 1)
    tick = _nominal(timetable.timing, floor, calendar)
    if tick is None or (timetable.end is not None and tick.at > timetable.end):
        return None
    if not timetable.jitter_ms:
        return tick
    following = _nominal(timetable.timing, tick.at, calendar)
    room = timetable.jitter_ms if following is None else min(timetable.jitter_ms, following.at - tick.at - 1)
    drawn = int.from_bytes(hashlib.sha256(f"{salt}\0{tick.at}".encode()).digest()[:8])
    return replace(tick, jitter_ms=drawn % (room + 1))


def check(timetable: Timetable, now: int, calendar: Calendar) -> None:
    """Raises InvalidInput, with what to write instead, unless the timetable plans something behind `now`."""
    timing, start, end = timetable.timing, timetable.start, timetable.end
    for each in (start, end, timing.at if isinstance(timing, At) else None):
        if each is not None and not 0 <= each < MOMENT_MAX:
            raise InvalidInput("The moments of a schedule are after 1970 and before the year 9999.")
    match timing:
        case Cron():
            calendar.check(timing)
        case Every(minutes=minutes) if not 1 <= minutes <= EVERY_MAX:
            raise InvalidInput(f"A schedule runs every 1 to {EVERY_MAX} minutes, not {minutes}.")
        case At(at=at) if at <= now:
            raise InvalidInput(f"A schedule for one moment needs one that is to come; {local_text(at)} UTC has passed.")
        case _:
            pass
    if start is not None and end is not None and end < start:
        raise InvalidInput(f"The schedule ends ({local_text(end)} UTC) before it starts ({local_text(start)} UTC).")
    if not 0 <= timetable.jitter_ms <= JITTER_MAX_MS:
        raise InvalidInput(f"The jitter of a schedule is 0 to {JITTER_MAX_MS // 3_600_000} hours.")
    if tick_after(timetable, now, "", calendar) is None:
        limits = "" if end is None else f" until {local_text(end)} UTC"
        raise InvalidInput(f"This schedule would never be due{limits}: give it another timing, or another end.")


def local_text(moment: int) -> str:
    """The moment as a date and a time in UTC."""
    seconds, rest = divmod(moment, 1_000)
    text = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    return f"{text}.{rest:03}" if rest else text


def _nominal(timing: Timing, moment: int, calendar: Calendar) -> Tick | None:
    match timing:
        case Cron():
            return calendar.next_after(timing, moment)
        case Every(minutes=minutes, anchor=anchor):
            assert anchor is not None, "the plan of a schedule has an anchor"
            period = minutes * MINUTE_MS
            at = anchor + ((moment - anchor) // period + 1) * period
            return Tick(at, local_text(at)) if at < MOMENT_MAX else None
        case At(at=at):
            return Tick(at, local_text(at)) if at > moment else None
