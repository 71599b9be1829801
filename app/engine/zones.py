"""Notices at start that the time zone database is another one than that with which schedules were planned."""

import asyncio

import structlog

from adapters.calendar import CronCalendar
from app.engine.chores import AGAIN_SECONDS
from app.engine.loop import EngineLoop
from domain.calendar import Calendar
from domain.commands import ReckonSchedule
from domain.errors import Unavailable
from domain.ports import Clock
from domain.schedule import Schedule, edition_for

log = structlog.get_logger(__name__)

AT_ONCE = 500
CALENDAR = CronCalendar()


async def reckon_again(loop: EngineLoop, clock: Clock, calendar: Calendar = CALENDAR) -> None:
    """Plan anew the next ticks of all schedules that were planned with other zones, and say how many of them moved."""
    moved = 0
    outdated = _outdated(loop, calendar)
    for first in range(0, len(outdated), AT_ONCE):
        some = outdated[first : first + AT_ONCE]
        # They are asked for together, and so share commits.
        moved += sum(await asyncio.gather(*(_reckon(each, loop, clock) for each in some)))
    if outdated:
        count = len(outdated)
        log.warning("the time zone database is another one", tzdata=calendar.version, schedules=count, moved=moved)


def _outdated(loop: EngineLoop, calendar: Calendar) -> list[Schedule]:
    there = (each for each in loop.engine.memory.states.values() if isinstance(each, Schedule))
    return [each for each in there if not each.is_deleted and each.tzdata != edition_for(each.plan, calendar)]


async def _reckon(schedule: Schedule, loop: EngineLoop, clock: Clock) -> bool:
    while True:
        command = ReckonSchedule(
            schedule=schedule.id,
            environment=schedule.environment,
            actor="engine",
            cause="zones",
            at=clock.now().wall,
        )
        try:
            moved: bool = await loop.submit(command)
        except Unavailable as error:
            log.warning("a schedule is not planned anew yet", schedule=schedule.id, error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        return moved
