"""The calendar: expressions as cronsim reads them, zones as the package tzdata has them, and what DST does (ADR 19).

cronsim steps through local times that know of no zone. Between two changes of the clocks local time runs as UTC does,
so a tick is found in one such stretch after the other, and what a change leaves out or repeats is decided here.
"""

from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from domain.calendar import UTC_ZONE, Cron, Tick
from domain.errors import InvalidInput

FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
EXPRESSION_MAX = 256
GAP, FOLD = "gap", "fold"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (local times of no zone)
_SECOND = timedelta(seconds=1)
_SAMPLE_SECONDS = 6 * 3_600
"""Clocks are never changed twice within so long."""
_LAST = 253_370_764_800
_YEARS_MAX = 60
"""Where no day is found within so long, there is none."""


class Stretch(NamedTuple):
    """From `start` (seconds since 1970) to the next change of the clocks, which go ahead of UTC by `offset` seconds.

    Before `start` they went ahead by `before`.
    """

    start: int
    end: int
    offset: int
    before: int


class CronCalendar:
    """Answers from the package alone, so that all nodes agree, whatever zones their systems know."""

    @property
    def version(self) -> str:
        """The edition of the time zone database that the package has."""
        # The package has no types.
        return str(import_module("tzdata").IANA_VERSION)

    def check(self, cron: Cron) -> None:
        """Raises InvalidInput, with a sentence, for an expression or a zone that there is none of."""
        zone_called(cron.timezone)
        parsed(cron.expression)

    def next_after(self, cron: Cron, moment: int) -> Tick | None:
        """The first tick behind a moment, None if none ever comes. Raises InvalidInput as `check` does."""
        return _next_tick(cron, moment)


class _Found(NamedTuple):
    at: int
    local: datetime
    rule: str | None


# Many schedules have the same expression, and a tick is asked for again by each run that is told of the next ten.
@lru_cache(maxsize=32_768)
def _next_tick(cron: Cron, moment: int) -> Tick | None:
    sim, second = parsed(cron.expression), moment // 1_000
    goes_by_clock = any(part.startswith("*") for part in sim.parts[1:3])
    for stretch in stretches(cron.timezone, second):
        found = _by_clock(sim, stretch, second) if goes_by_clock else _at_times(sim, stretch, second, cron)
        if found is not None:
            at, local, rule = found
            return Tick(at * 1_000, local.isoformat(), cron.timezone, rule)
    return None


def _by_clock(sim: CronSim, stretch: Stretch, second: int) -> _Found | None:
    """Each time that the clocks really show, however often they do."""
    local = _next(sim, max(second, stretch.start - 1) + stretch.offset)
    if local is None or (at := _seconds(local) - stretch.offset) >= stretch.end:
        return None
    return _Found(at, local, None)


def _at_times(sim: CronSim, stretch: Stretch, second: int, cron: Cron) -> _Found | None:
    """Each time of a day once, also when the clocks leave it out or show it twice (Debian's rule, if not told else)."""
    start, end, offset, before = stretch
    if offset > before and second < start and cron.dst_gap == "run_after":
        skipped = _next(sim, start + before - 1)
        if skipped is not None and _seconds(skipped) < start + offset:
            # Several that are left out come as one, and also as one with that of the moment itself, if there is such.
            regular = _next(sim, start + offset - 1)
            is_regular = regular is not None and _seconds(regular) == start + offset
            return _Found(start, regular, None) if regular and is_regular else _Found(start, skipped, GAP)
    floor = max(second, start - 1) + offset
    if offset < before and cron.dst_fold == "first":
        # What the clocks show again was there already.
        floor = max(floor, start + before - 1)
    local = _next(sim, floor)
    if local is None or (at := _seconds(local) - offset) >= end:
        return None
    is_second = offset < before and at < start + before - offset
    is_first = at >= end - max(0, offset - _offset(cron.timezone, end))
    return _Found(at, local, FOLD if is_first or is_second else None)


def zone_names() -> list[str]:
    """Every zone, by name."""
    return sorted(_zones())


def zone_called(name: str) -> ZoneInfo:
    """The zone of this name. Raises InvalidInput."""
    if name not in _zones():
        raise InvalidInput(f"There is no time zone {name[:60]!r}: name one such as Europe/Berlin, or UTC.")
    return _load(name)


@lru_cache(maxsize=4_096)
def parsed(expression: str) -> CronSim:
    """The expression, at no time yet. Raises InvalidInput with a sentence that names the field."""
    parts, shown = expression.split(), expression[:80]
    if len(parts) != len(FIELDS) or len(expression) > EXPRESSION_MAX or not expression.isascii():
        raise InvalidInput(
            f'A cron expression has five fields (minute, hour, day of month, month, day of week): "{shown}" has'
            f" {len(parts)}."
            if len(parts) != len(FIELDS)
            else f'A cron expression has at most {EXPRESSION_MAX} plain characters, and "{shown}" has others, or more.'
        )
    try:
        return CronSim(" ".join(parts), _EPOCH)
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        if field == "day-of-month" and _is_readable([*parts[:3], "*", parts[4]]):
            raise InvalidInput(f'"{shown}" names a date that never comes.') from error
        wrong = _wrong_part(parts, FIELDS.index(field))[:80]
        raise InvalidInput(f'{wrong} is no {field.replace("-", " ")} ("{shown}").') from error


def explained(expression: str) -> str:
    """The expression in English. Raises InvalidInput."""
    return parsed(expression).explain()


def stretches(zone: str, second: int) -> Iterator[Stretch]:
    """The stretch in which a moment lies, and all behind it for as long as may matter."""
    year = datetime.fromtimestamp(second, UTC).year
    start, before = second, _offset(zone, second)
    offset = before
    # From the year before on, because a change at its end may matter still.
    for each in range(max(1, year - 1), min(year + _YEARS_MAX, 9_999)):
        for change, after in _changes(zone, each):
            if change > second:
                yield Stretch(start, change, offset, before)
                start, before, offset = change, offset, after
            else:
                # What was left out or repeated just before is still to be known.
                start, before, offset = change, _offset(zone, change - 1), after
    # No calendar goes further than that.
    yield Stretch(start, _LAST, offset, before)


def _wrong_part(parts: list[str], place: int) -> str:
    """What of a field, whose parts are joined by commas, cannot be read: the first of them, or else all of it."""
    anything = ["*"] * len(FIELDS)
    listed = parts[place].split(",")
    wrong = (each for each in listed if each and not _is_readable([*anything[:place], each, *anything[place + 1 :]]))
    return next(wrong, parts[place])


def _is_readable(parts: list[str]) -> bool:
    try:
        CronSim(" ".join(parts), _EPOCH)
    except CronSimError:
        return False
    return True


def _next(sim: CronSim, local: int) -> datetime | None:
    """The first local time behind this one (seconds, as if in UTC)."""
    # It is stepped, and may be in use elsewhere.
    stepped = copy(sim)
    stepped.dt = _EPOCH + local * _SECOND
    try:
        return next(stepped)
    except (StopIteration, OverflowError, ValueError):
        return None


def _seconds(local: datetime) -> int:
    return (local - _EPOCH) // _SECOND


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) | {UTC_ZONE}


@lru_cache(maxsize=1_024)
def _load(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _offset(zone: str, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone_called(zone)).utcoffset()
    assert offset is not None, "a zone has an offset at every moment"
    return offset // _SECOND


@lru_cache(maxsize=8_192)
def _changes(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """When in a year (UTC) the clocks are changed, and how far ahead of UTC they go then."""
    found: list[tuple[int, int]] = []
    low = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) - 1
    last = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()) - 1
    offset = _offset(zone, low)
    while low < last:
        high = min(low + _SAMPLE_SECONDS, last)
        after = _offset(zone, high)
        if after != offset:
            found.append((_change_between(zone, low, high), after))
        low, offset = high, after
    return tuple(found)


def _change_between(zone: str, low: int, high: int) -> int:
    """The first second of the new offset, of which there is one between the two."""
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high
