"""Many active schedules: how long a start takes, what they cost in memory, and how late ticks become runs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from adapters.calendar import CronCalendar
from adapters.ids import Uuid7Ids
from adapters.sqlite.ledger import SqliteLedger
from bench import clients
from bench.figures import BenchError, Chapter, Figure, quantiles, under
from bench.processes import Running, engine
from domain import schedule
from domain.calendar import Cron
from domain.events import Plan, Recorded, Target
from domain.schedule import SCHED
from domain.timing import Timetable

SCHEDULES, QUICK_SCHEDULES = 100_000, 2_000
DUE_SHARE = 100
"""One of so many is due each minute, all at its beginning; the others are due once a day, at any time of it."""
MINUTES, QUICK_MINUTES = 3, 1
STARTS = 3
BATCH = 2_000
SETTLE_SECONDS = 60
MINUTE = 60.0


class Late(NamedTuple):
    """How late the ticks of a minute were, in milliseconds: when they were decided, and when a subscriber knew."""

    decided: list[float]
    told: list[float]


def measure(folder: Path, *, quick: bool) -> Chapter:
    """On the file that Runfold begins with: make them, start an engine again and again, and wait."""
    schedules, minutes, starts = (QUICK_SCHEDULES, QUICK_MINUTES, 1) if quick else (SCHEDULES, MINUTES, STARTS)
    with engine(folder) as running:
        running.wait_ready()
        empty = running.usage().memory
    with closing(SqliteLedger(folder / "ledger.db")) as ledger:
        _fill(ledger, _environment(ledger), schedules)
    ready: list[float] = []
    memory: list[float] = []
    late: list[Late] = []
    for number in range(starts + 1):
        with engine(folder) as running:
            ready.append(running.wait_ready(seconds=300))
            memory.append(running.usage().memory)
            if number == starts:
                late = asyncio.run(_lateness(running, schedules // DUE_SHARE, minutes))
            running.kill()
    figures = [
        Figure("memory of an engine with nothing to do", "MB", (empty,)),
        Figure("memory after a start", "MB", tuple(memory[1:])),
        Figure("process start to /readyz 200, the first time", "s", tuple(ready[:1])),
        Figure("process start to /readyz 200, with a checkpoint", "s", tuple(ready[1:]), under(10)),
        *quantiles("a tick is due to the decision that makes its run", "ms", [each.decided for each in late]),
        *quantiles(
            "a tick is due to a subscriber's knowing its run",
            "ms",
            [each.told for each in late],
            p50=under(500),
            p99=under(250),
        ),
    ]
    about = (
        f"{schedules:,} active schedules, of which {schedules // DUE_SHARE:,} are due at the beginning of each minute,"
        " all together; the others once a day. They are written to the ledger while no engine runs: the first start"
        " folds them all, each further one follows a kill -9 of the engine before. No worker. A repetition of the"
        " lateness is a minute."
    )
    return Chapter("Schedules", about, figures)


def _fill(ledger: SqliteLedger, environment: str, schedules: int) -> None:
    """Write what the engine would have written, had each of them been made through its API."""
    head, now, calendar, ids = ledger.head(), time.time_ns() // 1_000_000, CronCalendar(), Uuid7Ids()
    for first in range(0, schedules, BATCH):
        batch: list[Recorded] = []
        for number in range(first, min(first + BATCH, schedules)):
            stream, plan = ids.new(SCHED, now), Plan(Target("nothing"), Timetable(Cron(_cron(number))))
            (created,) = schedule.create(stream, schedule.IMPERATIVE, plan, now, calendar)
            place = head.position + len(batch) + 1
            batch.append(Recorded(place, stream, 1, environment, now, now, "bench", "bench", created))
        head = ledger.append(batch, {}, after=head)


def _cron(number: int) -> str:
    if number % DUE_SHARE == 0:
        return "* * * * *"
    minute = number // DUE_SHARE % 1_440
    return f"{minute % 60} {minute // 60} * * *"


def _environment(ledger: SqliteLedger) -> str:
    return next(iter(ledger.read_kind("env")))


async def _lateness(running: Running, due: int, minutes: int) -> list[Late]:
    """How late the ticks at the beginning of the next minutes were, minute by minute."""
    found: dict[int, Late] = {}
    async with clients.api(running.address) as http:
        # What was due while the engine was away is caught up first.
        await asyncio.sleep(MINUTE - time.time() % MINUTE - 1)
        after, _ = await clients.head(http)
        try:
            async with asyncio.timeout(minutes * MINUTE + SETTLE_SECONDS):
                async for event in _fired(http, after):
                    data = event["data"]
                    late = found.setdefault(data["first"]["at"], Late([], []))
                    late.decided.append(float(data.get("late_ms", 0)))
                    late.told.append(time.time() * 1_000 - data["first"]["at"])
                    if sum(len(each.told) for each in found.values()) >= due * minutes:
                        break
        except TimeoutError:
            told = sum(len(each.told) for each in found.values())
            raise BenchError(f"Of {due * minutes} ticks {told} were fired in time.") from None
    return [found[at] for at in sorted(found)][:minutes]


async def _fired(http: httpx.AsyncClient, after: int) -> AsyncIterator[dict[str, Any]]:
    """The events that say of ticks that they became runs, as they come."""
    query = {"after": str(after), "type": "TicksFired"}
    async with http.stream("GET", "/api/v1/ledger/stream", params=query) as response:
        async for line in response.raise_for_status().aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))
