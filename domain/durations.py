"""Durations and dates as users write them: "1h30m", seconds, ISO 8601."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from domain.errors import InvalidInput

_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "hr": 3_600_000, "h": 3_600_000, "m": 60_000, "s": 1_000}
_DURATION = re.compile(r"(?:\d+(?:w|d|hr|h|m|s))+")
_PART = re.compile(r"(\d+)(w|d|hr|h|m|s)")
_KEY_TTL = re.compile(r"(\d+)([smhd])")
_MAX_MS = 3_650 * 86_400_000
"""Ten years: a longer wait is a mistake, and dates stay within what every client can read."""


def parse_duration(text: str) -> int:
    """Milliseconds of a duration such as "90s" or "1h30m" (units w, d, hr, h, m, s). Raises InvalidInput."""
    if len(text) > 100 or not _DURATION.fullmatch(text) or not text.isascii():
        raise InvalidInput(f'"{text[:40]}" is not a duration; write one like "30s", "10m" or "1h30m".')
    return _bounded(sum(int(amount) * _UNITS_MS[unit] for amount, unit in _PART.findall(text)), text)


def duration_text(duration_ms: int) -> str:
    """Whole seconds as `parse_duration` reads them: one number with the longest unit that fits."""
    unit = next(unit for unit in ("d", "h", "m", "s") if duration_ms % _UNITS_MS[unit] == 0)
    return f"{duration_ms // _UNITS_MS[unit]}{unit}"


def parse_key_ttl(text: str) -> int:
    """Milliseconds of an idempotency key's TTL: one number and one of s, m, h, d. Raises InvalidInput."""
    match = _KEY_TTL.fullmatch(text) if text.isascii() else None
    if not match or len(text) > 100:
        raise InvalidInput(
            f'"{text[:40]}" is not a TTL of an idempotency key; write one like "60s", "5m", "24h" or "7d".'
        )
    return _bounded(int(match[1]) * _UNITS_MS[match[2]], text)


def parse_ttl(value: str | int) -> int:
    """Milliseconds of a TTL: a duration, or a number of seconds; 0 means none. Raises InvalidInput."""
    if isinstance(value, str):
        return parse_duration(value)
    if value < 0:
        raise InvalidInput(f"A TTL of {value} seconds has passed already; it is 0 or more.")
    return _bounded(value * 1_000, str(value))


def parse_date(text: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 date and time; without a zone it is UTC. Raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f'"{text[:40]}" is neither a duration like "1h30m" nor an ISO 8601 date.') from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000)


def parse_delay(text: str, now: int) -> int:
    """When a delay is over: a duration from now on, or a date. Raises InvalidInput."""
    if text[:1].isdigit() and _DURATION.fullmatch(text):
        return now + parse_duration(text)
    until = parse_date(text)
    _bounded(max(0, until - now), text)
    return until


def iso(moment: int) -> str:
    """A moment as ISO 8601 in UTC, with milliseconds."""
    seconds, rest = divmod(moment, 1_000)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    # The runs of a page are close in time, and a quarter of what a list took was spent on dates.
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")


def _bounded(duration_ms: int, text: str) -> int:
    if duration_ms > _MAX_MS:
        raise InvalidInput(f'"{text[:40]}" is longer than ten years.')
    return duration_ms
