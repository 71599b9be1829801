"""What becomes of the ticks of a schedule that are due: to fire, or to skip and why. Overlaps come after that."""

from collections.abc import Iterator
from typing import NamedTuple

from domain.calendar import Calendar, Tick
from domain.schedule import ALL, NONE, Schedule
from domain.timing import MOMENT_MAX, At, tick_after

LOOKED_AT_MAX = 500
"""How many ticks of one schedule are looked at in one go; an engine that was down for long has many."""
PUNCTUAL_MS = 5_000
"""A tick that is fired so soon after it was due is not late: the engine has others to fire, too."""
WINDOW_MS = 3_600_000
FIRED, LATE, CAUGHT_UP = "FIRED", "LATE", "CAUGHT_UP"
PAUSED, WINDOW, CATCH_UP, OVERLAP = "PAUSED", "WINDOW", "CATCH_UP", "OVERLAP"
FIRES = frozenset({FIRED, LATE, CAUGHT_UP})


class Decided(NamedTuple):
    """A tick, what becomes of it, and the tick that is planned behind it."""

    tick: Tick
    fate: str
    next: Tick | None


def decide(schedule: Schedule, now: int, calendar: Calendar) -> list[Decided]:
    """The fates of the ticks that are due, in order: of all, or of at least one where there are very many."""
    due, following = _due(schedule, now, calendar)
    if following is not None and following.due <= now:
        # More are due than these: whether the last of these are to be caught up only those behind them tell.
        due, following = due[: -_kept(schedule)], due[-_kept(schedule)]
        behind = _kept(schedule)
    else:
        behind = 0
    return list(_fates(schedule, due, following, behind, now))


def _fates(schedule: Schedule, due: list[Tick], following: Tick | None, behind: int, now: int) -> Iterator[Decided]:
    """`behind` further ticks are due, at least, behind these."""
    kept = _kept(schedule)
    for index, tick in enumerate(due):
        is_last = index == len(due) - 1
        later = len(due) - 1 - index + behind
        after = following if is_last else due[index + 1]
        yield Decided(tick, _fate(schedule, tick, after, later, kept, now), after)


def _fate(schedule: Schedule, tick: Tick, after: Tick | None, later: int, kept: int, now: int) -> str:
    late = now - tick.due
    if tick.due <= schedule.paused_until:
        return PAUSED
    if late > window_of(schedule, tick, after):
        return WINDOW
    if later >= kept:
        return CATCH_UP
    if late <= PUNCTUAL_MS:
        return FIRED
    return CAUGHT_UP if later else LATE


def window_of(schedule: Schedule, tick: Tick, after: Tick | None) -> int:
    """How late the tick may be."""
    plan = schedule.plan
    if plan.catch_up == NONE:
        return PUNCTUAL_MS
    if plan.catch_up_window_ms is not None:
        return max(PUNCTUAL_MS, plan.catch_up_window_ms)
    if isinstance(plan.timetable.timing, At):
        # No later tick makes up for it.
        return MOMENT_MAX
    return WINDOW_MS if after is None else min(WINDOW_MS, after.at - tick.at)


def _due(schedule: Schedule, now: int, calendar: Calendar) -> tuple[list[Tick], Tick | None]:
    """Those that are due, not too many, and the one behind them."""
    found: list[Tick] = []
    tick = schedule.next
    while tick is not None and tick.due <= now and len(found) < LOOKED_AT_MAX:
        found.append(tick)
        tick = tick_after(schedule.plan.timetable, tick.at, schedule.id, calendar)
    return found, tick


def _kept(schedule: Schedule) -> int:
    """How many of those that are due may be fired."""
    return schedule.plan.catch_up_max if schedule.plan.catch_up == ALL else 1
