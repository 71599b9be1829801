"""Schedules, and what became of each of their ticks."""

from starlette.responses import Response

from app.pages.visits import Visit, see
from domain.durations import iso

DAYS = {"1": "a day", "7": "a week", "30": "30 days"}
DAY_MS = 86_400_000
TICKS_MAX = 200


async def show_all(visit: Visit) -> Response:
    """The schedules, newest first, as they are or were."""
    moment = await visit.look()
    answer = await visit.api.get("/api/v1/schedules", page=visit.query("page") or "1", **moment.as_of)
    return visit.page("schedules.html", schedules=answer["data"], pagination=answer["pagination"])


async def show(visit: Visit) -> Response:
    """A schedule with its ticks, as they are or were."""
    name = visit.named("schedule")
    moment = await visit.look()
    schedule = await visit.api.get(f"/api/v1/schedules/{name}", **moment.as_of)
    days = visit.query("days") if visit.query("days") in DAYS else "1"
    since, until = iso(max(0, moment.wall - int(days) * DAY_MS)), iso(moment.wall)
    ledger = await visit.api.get(f"/api/v1/schedules/{name}/ticks", **{"from": since}, **moment.as_of)
    ticks = ledger["ticks"][::-1]
    return visit.page(
        "schedule.html",
        schedule=schedule,
        ticks=ticks[:TICKS_MAX],
        hidden=max(0, len(ticks) - TICKS_MAX),
        problems=ledger["problems"],
        notes=ledger["notes"],
        # Nothing is made of the past.
        missing=0 if moment.is_past else sum("run" not in tick and "fate" in tick for tick in ticks),
        since=since,
        until=until,
        days=days,
        spans=DAYS,
    )


async def run_now(visit: Visit) -> Response:
    """Make a run, and go to it."""
    made = await visit.api.post(f"/api/v1/schedules/{visit.named('schedule')}/run-now")
    return see(f"/runs/{made['id']}")


async def activate(visit: Visit) -> Response:
    """Let a schedule go on."""
    return await _do(visit, "activate")


async def deactivate(visit: Visit) -> Response:
    """Let a schedule pause."""
    return await _do(visit, "deactivate")


async def backfill(visit: Visit) -> Response:
    """Make the runs of ticks that have none."""
    name = visit.named("schedule")
    body = {"from": visit.field("from"), "to": visit.field("to")}
    await visit.api.post(f"/api/v1/schedules/{name}/backfill", body)
    return see(f"/schedules/{name}")


async def _do(visit: Visit, what: str) -> Response:
    name = visit.named("schedule")
    await visit.api.post(f"/api/v1/schedules/{name}/{what}")
    return see(f"/schedules/{name}")
