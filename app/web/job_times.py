"""When an HTTP job runs: from its body to what is saved of that, and the next times."""

from app.web import bodies
from domain import durations
from domain import schedule as schedules
from domain.calendar import UTC_ZONE, Calendar, Tick
from domain.errors import InvalidInput
from domain.events import NOTHING, JobSpec, JobTiming, ScheduleCreated
from domain.job import JobKind, plan_of
from domain.timing import tick_after

EVERY_MAX_MINUTES = 1_440


def timing_of(kind: JobKind, body: bodies.TimingBody | None, now: int) -> JobTiming | None:
    """What is saved of the times of a job of this kind; None for one that runs at none. Raises InvalidInput."""
    asked = body or bodies.TimingBody()
    fields = {
        JobKind.RECURRING: "every_n_minutes",
        JobKind.CRON: "cron",
        JobKind.SCHEDULED: "run_at",
    }
    wanted = fields.get(kind)
    given = [name for name in fields.values() if getattr(asked, name) is not None]
    if given != ([wanted] if wanted else []):
        needs = f"schedule.{wanted} and no other time" if wanted else "no schedule"
        raise InvalidInput(f"A job of the kind {kind.value} has {needs}.")
    if wanted is None:
        return None
    if asked.every_n_minutes is not None and not 1 <= asked.every_n_minutes <= EVERY_MAX_MINUTES:
        raise InvalidInput(f"schedule.every_n_minutes is 1 to {EVERY_MAX_MINUTES}, not {asked.every_n_minutes}.")
    run_at = None if asked.run_at is None else durations.parse_date(asked.run_at)
    if run_at is not None and run_at <= now:
        raise InvalidInput("schedule.run_at has passed: name a time to come, or use the kind one_time.")
    if asked.timezone is not None and asked.cron is None:
        raise InvalidInput("schedule.timezone is for cron expressions: other times need none.")
    return JobTiming(asked.cron, asked.every_n_minutes, run_at, asked.timezone or UTC_ZONE, asked.overlap)


def upcoming(body: bodies.PreviewBody, now: int, calendar: Calendar) -> list[Tick]:
    """The next times at which a job with such a schedule would run. Raises InvalidInput."""
    timing = timing_of(JobKind(body.kind), body.schedule, now)
    plan = plan_of("", JobSpec("preview", body.kind, NOTHING, 1, timing))
    assert plan is not None, "these kinds have times"
    (created,) = schedules.create("", schedules.IMPERATIVE, plan, now, calendar)
    assert isinstance(created, ScheduleCreated), "a schedule begins so"
    found: list[Tick] = []
    tick = created.next
    while tick is not None and len(found) < body.count:
        found.append(tick)
        tick = tick_after(created.plan.timetable, tick.at, "", calendar)
    return found
