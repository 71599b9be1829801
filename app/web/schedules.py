"""Routes about schedules, in the shapes of Trigger.dev's management API, and what became of their ticks."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from adapters.calendar import CronCalendar, zone_names
from app.engine.reader import Reader
from app.history.moments import Moment
from app.history.past import schedule_then, schedules_then
from app.service import Service
from app.web import bodies, plans
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, origin_of, read_body
from app.web.docs import (
    SCHEDULE_LIST_PARAMETERS,
    TICK_PARAMETERS,
    TIMEZONE_PARAMETERS,
    TIMEZONES_PATH,
    body_of,
)
from app.web.errors import Malformed
from app.web.history import AS_OF, AsOf, moment_asked, up_to
from app.web.listing import each_once, moment
from app.web.paging import lag_of, told_lag
from app.web.queues import PAGE_DEFAULT, PAGE_MAX, count_of
from app.web.routing import room
from app.web.triggering import json, request_of
from domain import commands, durations, keys
from domain.calendar import UTC_ZONE
from domain.commands import Accepted
from domain.durations import iso
from domain.errors import InvalidInput, NotFound
from domain.request_keys import HOUR_MS
from domain.schedule import SCHED, Schedule
from domain.scheduling import key_of
from domain.tick_ledger import Accounted, TickLedger
from domain.timing import MOMENT_MAX
from domain.triggering import FOR_EVER

router = room("schedules")
BODY_MAX_BYTES = 131_072
DAY_MS = 86_400_000
TICKS_MAX = 10_000
BACKFILL_MAX = 1_000
CALENDAR = CronCalendar()


@router.post("/api/v1/schedules", openapi_extra=body_of("ScheduleRequest"))
async def create(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make a schedule, or change the one that the `deduplicationKey` stands for. Answers the schedule."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ScheduleBody)
    origin, key = origin_of(service, caller), body.deduplication_key
    if key is not None and not 0 < len(key) <= plans.NAME_MAX:
        raise InvalidInput(f"deduplicationKey has 1 to {plans.NAME_MAX} characters; this one has {len(key)}.")
    command = commands.SaveSchedule(
        schedule=service.ids.new(SCHED, origin["at"]),
        plan=plans.plan_of(body, caller.environment.id, origin["at"]),
        deduplication_key=key,
        # Without a key of the user's, the same request sent again is known by its own.
        key=request_of(caller, "schedule") if key is None else _key_stream(caller, key),
        key_until=origin["at"] + HOUR_MS if key is None else FOR_EVER,
        **origin,
    )
    return await _answer(await service.loop.submit(command), service, caller)


@router.get("/api/v1/schedules", openapi_extra=SCHEDULE_LIST_PARAMETERS)
async def list_schedules(request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The schedules of the environment, newest first, as they are (the caller's own writes included) or were."""
    page, size = count_of(request, "page", 1), min(PAGE_MAX, count_of(request, "perPage", PAGE_DEFAULT))
    moment = await moment_asked(request.query_params.get(AS_OF), reader)
    lag = await lag_of(reader) if moment is None else 0
    found, count = await reader.read(lambda: _page(reader, caller.environment.id, moment, (page - 1) * size, size))
    pages = max(1, -(-count // size))
    data = [plans.schedule_item(each, caller.environment) for each in found]
    pagination = {"currentPage": page, "totalPages": pages, "count": count}
    return told_lag(json({"data": data, "pagination": pagination}), lag)


@router.get(TIMEZONES_PATH, openapi_extra=TIMEZONE_PARAMETERS)
async def timezones(request: Request) -> Response:
    """The time zones that a schedule can have. It needs no key."""
    without_utc = request.query_params.get("excludeUtc") == "true"
    return json({"timezones": [name for name in zone_names() if not (without_utc and name == UTC_ZONE)]})


@router.get("/api/v1/schedules/{schedule}")
async def retrieve(schedule: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """A schedule as it is, or as it was."""
    moment = await moment_asked(as_of, reader)
    if moment is not None:
        then = await _find_then(schedule, moment, reader, caller)
        return json(plans.schedule_item(then, caller.environment))
    lag = await lag_of(reader)
    found = await _find(schedule, reader, caller)
    return told_lag(json(plans.schedule_item(found, caller.environment)), lag)


@router.put("/api/v1/schedules/{schedule}", openapi_extra=body_of("ScheduleRequest"))
async def update(schedule: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Change a schedule: all values are replaced. Answers the schedule. What code declares is changed there."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.ScheduleBody)
    origin = origin_of(service, caller)
    plan = plans.plan_of(body, caller.environment.id, origin["at"])
    await service.loop.submit(commands.ChangeSchedule(schedule=schedule, plan=plan, **origin))
    return await _answer(schedule, service, caller)


@router.post("/api/v1/schedules/{schedule}/activate")
async def activate(schedule: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a schedule go on. Safe to repeat; what was due while it paused is skipped."""
    await service.loop.submit(commands.ActivateSchedule(schedule=schedule, **origin_of(service, caller)))
    return await _answer(schedule, service, caller)


@router.post("/api/v1/schedules/{schedule}/deactivate")
async def deactivate(schedule: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a schedule pause. Safe to repeat; runs that there are go on."""
    await service.loop.submit(commands.DeactivateSchedule(schedule=schedule, **origin_of(service, caller)))
    return await _answer(schedule, service, caller)


@router.delete("/api/v1/schedules/{schedule}")
async def delete(schedule: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Delete a schedule; runs that there are go on."""
    known = service.loop.engine.memory.states.get(schedule)
    key = _key_stream(caller, known.deduplication_key) if isinstance(known, Schedule) else None
    await service.loop.submit(commands.DeleteSchedule(schedule=schedule, key=key, **origin_of(service, caller)))
    return json({"id": schedule})


@router.get("/api/v1/schedules/{schedule}/ticks", openapi_extra=TICK_PARAMETERS)
async def ticks(schedule: str, request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """What became of each tick, held against the calendar: `problems` is empty if each has exactly one fate.

    `notes` says where zones moved ticks, or were others when they were reckoned; `tzdata` is the edition there is now.
    """
    parameters = each_once(request.query_params)
    then = await moment_asked(parameters.get(AS_OF), reader)
    now = reader.clock.now().wall if then is None else then.wall
    try:
        until = moment(parameters["to"]) if "to" in parameters else now
        since = moment(parameters["from"]) if "from" in parameters else until - DAY_MS
    except InvalidInput as error:
        raise Malformed(str(error)) from error
    found = await _ledger_of(schedule, reader, caller, since, until, then)
    told = sorted([*found.ticks.values(), *found.by_hand], key=lambda each: each.tick.at)
    items = [_tick_item(each) for each in told]
    return json({"ticks": items, "problems": found.problems, "notes": found.notes, "tzdata": CALENDAR.version})


@router.post("/api/v1/schedules/{schedule}/run-now")
async def run_now(schedule: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Make a run of a schedule at once, whatever its state and its times. Answers `{"id"}`."""
    origin = origin_of(service, caller)
    command = commands.RunSchedule(
        schedule=schedule,
        run=service.ids.new("run", origin["at"]),
        request=request_of(caller, f"run {schedule}"),
        **origin,
    )
    return json({"id": await service.loop.submit(command)})


@router.post("/api/v1/schedules/{schedule}/backfill", openapi_extra=body_of("BackfillRequest"))
async def backfill(schedule: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make the runs of the ticks that have none, and of no others. Safe to repeat."""
    body = bodies.decode(await read_body(request, BODY_MAX_BYTES), bodies.BackfillBody)
    origin = origin_of(service, caller)
    since, until = (durations.parse_date(each) for each in (body.start, body.end))
    known = service.loop.engine.memory.states.get(schedule)
    ledger = await _ledger_of(schedule, service, caller, since, until)
    missing = [each.tick for _, each in sorted(ledger.ticks.items()) if each.run is None and each.fate is not None]
    if len(missing) > BACKFILL_MAX:
        raise InvalidInput(f"{len(missing)} ticks have no run; at most {BACKFILL_MAX} are backfilled at once.")
    if not isinstance(known, Schedule):
        raise NotFound(f"Schedule {schedule} not found.")
    keys_of = tuple(key_of(known, each.at) for each in missing)
    command = commands.BackfillTicks(schedule=schedule, ticks=tuple(missing), keys=keys_of, **origin)
    made: list[Accepted] = await service.loop.submit(command)
    fired = [(tick, each.run) for tick, each in zip(missing, made, strict=True) if not each.cached]
    return json({"runs": [{"id": run, "timestamp": iso(tick.at)} for tick, run in fired]})


async def _ledger_of(
    schedule: str, reader: Reader, caller: Caller, since: int, until: int, then: Moment | None = None
) -> TickLedger:
    if not (0 <= since < MOMENT_MAX and 0 <= until < MOMENT_MAX):
        raise InvalidInput("Ticks are after 1970 and before the year 9999.")
    if since > until:
        raise InvalidInput(f"The ticks from {iso(since)} on end before that: {iso(until)}.")
    history = await reader.history(schedule) if schedule.startswith(f"{SCHED}_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Schedule {schedule} not found.")
    history = up_to(then, history, f"Schedule {schedule}")
    ledger = TickLedger(CALENDAR, since, until, TICKS_MAX)
    # Many ticks take a while, and others wait for this thread.
    await reader.read(ledger.read, history, reader.clock.now().wall if then is None else then.wall)
    return ledger


def _page(
    reader: Reader, environment: str, moment: Moment | None, offset: int, limit: int
) -> tuple[list[Schedule], int]:
    if moment is not None:
        return schedules_then(reader.ledger, environment, moment, offset=offset, limit=limit)
    rows, count = reader.read_models.list_schedules(environment, offset=offset, limit=limit)
    return [row.schedule for row in rows], count


async def _find_then(schedule: str, moment: Moment, reader: Reader, caller: Caller) -> Schedule:
    beginnings = await reader.read(reader.ledger.read_beginnings, [schedule])
    if not schedule.startswith(f"{SCHED}_") or schedule not in beginnings:
        raise NotFound(f"Schedule {schedule} not found.")
    if beginnings[schedule].environment != caller.environment.id:
        raise NotFound(f"Schedule {schedule} not found.")
    return await reader.read(schedule_then, reader.ledger, schedule, moment)


async def _find(schedule: str, reader: Reader, caller: Caller) -> Schedule:
    row = await reader.read(reader.read_models.get_schedule, schedule)
    if row is None or row.environment != caller.environment.id:
        raise NotFound(f"Schedule {schedule} not found.")
    return row.schedule


async def _answer(schedule: str, service: Service, caller: Caller) -> Response:
    # Nobody is told of anything that may not come to be.
    await service.loop.settled(schedule)
    known = service.loop.engine.memory.states.get(schedule)
    if not isinstance(known, Schedule):
        raise NotFound(f"Schedule {schedule} not found.")
    return json(plans.schedule_item(known, caller.environment))


def _key_stream(caller: Caller, key: str | None) -> str | None:
    return None if key is None else keys.stream_of(caller.environment.id, SCHED, "", key)


def _tick_item(accounted: Accounted) -> dict[str, Any]:
    tick = accounted.tick
    optional = {"fate": accounted.fate, "run": accounted.run, "rule": tick.rule, "tzdata": accounted.tzdata or None}
    return {
        "timestamp": iso(tick.at),
        "dueAt": iso(tick.due),
        "local": tick.local,
        "timezone": tick.zone,
        "revision": accounted.revision,
    } | {name: value for name, value in optional.items() if value is not None}
