"""When a cron expression is due, as the engine would have it."""

import time
from collections.abc import Iterator

from adapters.calendar import CronCalendar, explained
from domain.calendar import Cron
from domain.durations import iso


def explained_ticks(expression: str, zone: str) -> tuple[str, Iterator[dict[str, str]]]:
    """The expression in English, and its ticks from now on. Raises InvalidInput."""
    cron = Cron(expression, zone)
    CronCalendar().check(cron)
    return explained(expression), _ticks(cron, time.time_ns() // 1_000_000)


def _ticks(cron: Cron, now: int) -> Iterator[dict[str, str]]:
    calendar = CronCalendar()
    tick = calendar.next_after(cron, now)
    while tick is not None:
        told = {"local": tick.local, "timestamp": iso(tick.at), "timezone": tick.zone}
        yield told | ({"rule": tick.rule} if tick.rule else {})
        tick = calendar.next_after(cron, tick.at)
