"""Lengths of time as users write them: `"5m"`, `"1h30m"`, seconds, or a timedelta."""

import math
import re
from datetime import timedelta

Duration = str | float | timedelta

MAX_MS = 3_650 * 86_400_000
"""Ten years, the longest that the engine takes."""
_UNIT_MS = {"w": 604_800_000, "d": 86_400_000, "hr": 3_600_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_PART = re.compile(r"(\d+)(w|d|hr|h|m|s)")
_WHOLE = re.compile(rf"({_PART.pattern})+")


def duration_ms(duration: Duration) -> int:
    """The duration in milliseconds, ten years at most; a ValueError says how one is written."""
    match duration:
        case str() if len(duration) <= 100 and _WHOLE.fullmatch(duration):
            found = sum(int(count) * _UNIT_MS[unit] for count, unit in _PART.findall(duration))
        case timedelta() if duration >= timedelta(0):
            found = duration // timedelta(milliseconds=1)
        case int() | float() if not isinstance(duration, bool) and math.isfinite(duration) and duration >= 0:
            found = round(duration * 1000)
        case _:
            raise ValueError(
                f'{duration!r} is no duration: write seconds, a timedelta, or text such as "30s", "5m", "1h30m" or "2d"'
            )
    if found > MAX_MS:
        raise ValueError(f"{duration!r} is longer than ten years")
    return found


def whole_seconds(duration: Duration) -> int:
    """The duration in seconds, rounded up, because the API counts whole ones."""
    return -(-duration_ms(duration) // 1000)


def in_words(duration: Duration | None) -> str:
    """The duration as a sentence names it: a number alone does not say that it counts seconds."""
    return f"{duration:g} s" if isinstance(duration, int | float) else str(duration)
