"""Cron expressions, time zones and what a change of the clocks does, against a count of every minute."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.calendar import CronCalendar, explained, parsed, zone_called, zone_names
from domain.calendar import Cron
from domain.errors import InvalidInput

CALENDAR = CronCalendar()
NEW_YORK = "America/New_York"
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2034, 12, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)
SAMPLE = (
    *("Europe/Berlin", NEW_YORK, "America/Havana", "America/Santiago", "America/Nuuk", "Australia/Lord_Howe"),
    *("Africa/Casablanca", "Asia/Beirut", "Pacific/Chatham", "Antarctica/Troll"),
)
"""Gaps and folds at midnight, of half an hour and of two, in both hemispheres, and one that is moved every year."""
ZONES = tuple(zone_names()) if os.environ.get("RUNFOLD_ZONES") == "all" else SAMPLE
"""The whole list takes minutes."""
EXPRESSIONS = (
    *("30 2 * * *", "*/15 * * * *", "0 * * * *", "0,30 1,2 * * *", "45 0 * * *", "*/20 1 * * *", "5 0-3 * * 0"),
    *("15 23 * * *", "0 3 * * *", "* 0 * * *"),
)


def moments(cron: Cron, start: datetime, end: datetime) -> list[datetime]:
    """What the calendar plans between the two, both excluded."""
    found: list[datetime] = []
    tick = CALENDAR.next_after(cron, _ms(start))
    while tick is not None and tick.at < _ms(end):
        found.append(datetime.fromtimestamp(tick.at / 1_000, UTC))
        tick = CALENDAR.next_after(cron, tick.at)
    return found


def counted(cron: Cron, start: datetime, end: datetime) -> list[datetime]:
    """The same by another way: look at the clock each minute, and at each time that the day should have had."""
    zone, fields = zone_called(cron.timezone), _fields(cron.expression)
    goes_by_clock = any(part.startswith("*") for part in cron.expression.split()[:2])
    found: set[datetime] = set()
    seen: set[datetime] = set()
    minute, shown = start, start.astimezone(zone).replace(tzinfo=None)
    while minute < end:
        before, shown = shown, minute.astimezone(zone).replace(tzinfo=None)
        if not goes_by_clock and minute > start:
            # All that the clock was put past since the last look.
            left_out = before + timedelta(minutes=1)
            while left_out < shown:
                if _matches(left_out, fields) and cron.dst_gap == "run_after":
                    found.add(minute)
                left_out += timedelta(minutes=1)
        if _matches(shown, fields) and (goes_by_clock or cron.dst_fold == "both" or shown not in seen):
            found.add(minute)
        seen.add(shown)
        minute += timedelta(minutes=1)
    return sorted(each for each in found if each > start)


@cache
def changes(zone: str, last: datetime = LAST) -> list[datetime]:
    """The hours in which the clocks are changed, looked for hour by hour around the days on which offsets differ."""
    known, found, day = zone_called(zone), list[datetime](), FIRST
    before = day.astimezone(known).utcoffset()
    while day < last:
        following = day + timedelta(days=1)
        after = following.astimezone(known).utcoffset()
        if before != after:
            offsets = [(day + n * HOUR).astimezone(known).utcoffset() for n in range(25)]
            found += [day + n * HOUR for n in range(24) if offsets[n] != offsets[n + 1]]
        day, before = following, after
    return found


def _fields(expression: str) -> tuple[frozenset[int], ...]:
    """The fields of the expressions above, which have no names, no L and no restricted days but those of the week."""
    sizes = ((0, 60), (0, 24), (1, 32), (1, 13), (0, 7))
    return tuple(
        frozenset(each for term in part.split(",") for each in _values(term, *size))
        for part, size in zip(expression.split(), sizes, strict=True)
    )


def _values(term: str, low: int, high: int) -> Iterator[int]:
    spread, _, step = term.partition("/")
    first, _, last = (f"{low}-{high - 1}" if spread == "*" else spread).partition("-")
    yield from range(int(first), int(last or first) + 1, int(step or 1))


def _matches(local: datetime, fields: tuple[frozenset[int], ...]) -> bool:
    shown = (local.minute, local.hour, local.day, local.month, local.isoweekday() % 7)
    return all(value in field for value, field in zip(shown, fields, strict=True))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


def of(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", SAMPLE)
def test_the_ticks_around_each_change_are_those_that_a_count_of_minutes_finds(zone: str) -> None:
    for number, change in enumerate(changes(zone)):
        start, end = change - 4 * HOUR, change + 5 * HOUR
        # Every expression meets changes of both kinds; all of them at each change would take a minute.
        for expression in EXPRESSIONS[number % 2 :: 2]:
            cron = Cron(expression, zone, ("run_after", "skip")[number // 2 % 2], ("first", "both")[number // 4 % 2])
            assert moments(cron, start, end) == counted(cron, start, end), (cron, change)


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_time_comes_when_the_calendar_of_the_zone_says_for_ten_years(zone: str) -> None:
    for clock in (time(2, 30), time(0, 0)):
        cron = Cron(f"{clock.minute} {clock.hour} * * *", zone)
        days = (FIRST.date() + timedelta(days=number) for number in range(1, (LAST - FIRST).days - 1))
        expected = [_first_at(datetime.combine(day, clock), zone_called(zone)) for day in days]
        begin = expected[0] - timedelta(minutes=1)
        assert moments(cron, begin, expected[-1] + timedelta(minutes=1)) == expected, cron


@pytest.mark.parametrize("zone", ZONES)
def test_each_minute_and_hour_comes_in_the_two_days_around_each_change(zone: str) -> None:
    around = changes(zone) if ZONES is not SAMPLE else changes(zone)[:4]
    for change in around:
        for expression in ("* * * * *", "0 * * * *", "30 * * * *"):
            cron, start, end = Cron(expression, zone), change - 24 * HOUR, change + 24 * HOUR
            assert moments(cron, start, end) == counted(cron, start, end), (cron, change)


def _first_at(shown: datetime, zone: tzinfo) -> datetime:
    """When a clock first shows this time, or a later one because it was put past it."""
    first = shown.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == shown:
        return first
    # As if nothing had been changed yet, it would be here; the clocks were put forward less than a day before.
    minute = first - 25 * HOUR
    while minute.astimezone(zone).replace(tzinfo=None) < shown:
        minute += timedelta(minutes=1)
    return minute


def test_in_all_zones_a_daily_time_comes_once_a_day_and_an_hourly_one_once_an_hour() -> None:
    seen: set[tuple[tuple[datetime, timedelta | None], ...]] = set()
    for zone in zone_names():
        known, found = zone_called(zone), changes(zone, FIRST + timedelta(days=400))[:2]
        kind = tuple((each, (each + HOUR).astimezone(known).utcoffset()) for each in found)
        if kind in seen:
            # Many zones have the clocks of another one.
            continue
        seen.add(kind)
        for change in found:
            start, end = change - 3 * HOUR, change + 3 * HOUR
            for expression in ("30 2 * * *", "0 0 * * *", "0 * * * *"):
                cron = Cron(expression, zone)
                assert moments(cron, start, end) == counted(cron, start, end), (cron, change)

    assert len(seen) > 20


@pytest.mark.parametrize(
    ("cron", "start", "expected"),
    [
        (Cron("30 2 * * *", NEW_YORK), "2026-03-07T12:00", [("03-08T07:00", "02:30", "gap"), ("03-09T06:30", "02:30")]),
        (Cron("30 2 * * *", NEW_YORK, dst_gap="skip"), "2026-03-07T12:00", [("03-09T06:30", "02:30")]),
        (Cron("0,30 2,3 * * *", NEW_YORK), "2026-03-08T00:00", [("03-08T07:00", "03:00"), ("03-08T07:30", "03:30")]),
        (
            Cron("30 1 * * *", NEW_YORK),
            "2026-10-31T12:00",
            [("11-01T05:30", "01:30", "fold"), ("11-02T06:30", "01:30")],
        ),
        (
            Cron("30 1 * * *", NEW_YORK, dst_fold="both"),
            "2026-10-31T12:00",
            [("11-01T05:30", "01:30", "fold"), ("11-01T06:30", "01:30", "fold"), ("11-02T06:30", "01:30")],
        ),
        (Cron("0 12 * * *", "Pacific/Apia"), "2011-12-29T23:00", [("12-30T10:00", "12:00", "gap")]),
        (Cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T12:00", [("10-03T15:30", "02:15", "gap")]),
        (Cron("0 0 */2 * 1"), "2026-01-01T00:00", [("01-05T00:00", "00:00"), ("01-19T00:00", "00:00")]),
        (Cron("0 0 L * *"), "2026-02-01T00:00", [("02-28T00:00", "00:00"), ("03-31T00:00", "00:00")]),
    ],
)
def test_a_tick_tells_the_time_that_was_meant_and_the_rule_that_moved_it(
    cron: Cron, start: str, expected: list[tuple[str, ...]]
) -> None:
    at, told = _ms(of(start)), list[tuple[str, ...]]()
    for _ in expected:
        tick = CALENDAR.next_after(cron, at)
        assert tick is not None
        at = tick.at
        moment = datetime.fromtimestamp(at / 1_000, UTC).isoformat()[5:16]
        told.append((moment, tick.local[11:16], *([tick.rule] if tick.rule else [])))
        assert tick.zone == cron.timezone

    assert told == expected


def test_a_leap_day_is_found_and_what_never_comes_ends() -> None:
    leap = CALENDAR.next_after(Cron("0 0 29 2 *", "Europe/Berlin"), _ms(of("2096-03-01")))

    assert leap is not None
    assert leap.local == "2104-02-29T00:00:00"
    assert CALENDAR.next_after(Cron("0 0 1 1 *"), _ms(of("9998-06-01"))) is None


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("* * * *", r"five fields .*: \"\* \* \* \*\" has 4\."),
        ("* * * * * *", "has 6"),
        ("@daily", "has 1"),
        ("", "has 0"),
        ("61 * * * *", r"^61 is no minute \(\"61 \* \* \* \*\"\)\.$"),
        ("1,2-70,*/5 * * * *", "^2-70 is no minute "),
        ("1,,2 * * * *", "^1,,2 is no minute "),
        ("* 24 * * *", "^24 is no hour "),
        ("* * 0 * *", "^0 is no day of month "),
        ("* * 0 2 *", "^0 is no day of month "),
        ("* * * 13 *", "^13 is no month "),
        ("* * * * 8", "^8 is no day of week "),
        ("30 2 30 2 *", r"\"30 2 30 2 \*\" names a date that never comes"),
        ("0 0 31 4,6,9,11 *", "names a date that never comes"),
        ("٣ * * * *", "plain characters"),
        (f"{'1,' * 200}1 * * * *", "at most 256"),
    ],
)
def test_an_expression_that_is_none_is_refused_with_a_sentence(expression: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        CALENDAR.check(Cron(expression))


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe", "europe/berlin", "../etc/passwd", "Europe/Berlin\0", "zones"])
def test_a_zone_that_there_is_none_of_is_refused_with_a_sentence(zone: str) -> None:
    with pytest.raises(InvalidInput, match="There is no time zone"):
        CALENDAR.check(Cron("0 0 * * *", zone))


def test_every_zone_of_the_list_can_be_read() -> None:
    names = zone_names()

    assert {"UTC", "Europe/Berlin", NEW_YORK} <= set(names)
    assert [name for name in names if zone_called(name).key != name] == []


def test_an_expression_is_explained() -> None:
    assert explained("30 9 * * 1-5") == "At 09:30 on Monday through Friday"


@settings(max_examples=150, deadline=None)
@given(st.text("0123456789*/,-LW# MONJAN", max_size=30), st.integers(0, 2**41))
def test_any_text_is_read_or_refused(text: str, moment: int) -> None:
    try:
        parsed(text)
    except InvalidInput:
        return
    tick = CALENDAR.next_after(Cron(text, "Europe/Berlin"), moment)

    assert tick is None or tick.at > moment
