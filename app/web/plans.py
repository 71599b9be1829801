"""From the body of a schedule to its plan, and from a schedule to what the API shows of it."""

from typing import Any

from msgspec import Raw
from msgspec.structs import asdict

from adapters.calendar import explained
from app.engine.reader import Reader
from app.history.moments import Moment
from app.newruns import making
from app.values import INLINE_MAX_BYTES
from app.web.bodies import ScheduleBody, TriggerBody, TriggerOptions
from app.web.paging import LIST_WAIT_SECONDS
from domain import durations
from domain.calendar import UTC_ZONE, Cron
from domain.durations import iso
from domain.environment import Environment
from domain.errors import InvalidInput
from domain.events import JSON_TYPE, NOTHING, Plan, RunTriggered, Target
from domain.schedule import CATCH_UP_MAX, Schedule
from domain.states import fold
from domain.timing import At, Every, Timetable, Timing

NAME_MAX = 512
GONE = {"type": "CRON", "expression": "", "description": "A schedule that was deleted"}
"""In place of the timing, because the official client wants one of every run that has a schedule."""
REFUSED = (
    *("delay", "idempotency_key", "idempotency_key_ttl", "idempotency_key_options", "lock_to_version", "debounce"),
    *("parent_run_id", "resume_parent_on_completion"),
)
"""Options of a trigger that a schedule has no use for: they say when a run is made, or by whom."""


def plan_of(body: ScheduleBody, environment: str, now: int) -> Plan:
    """The plan that is asked for. Raises InvalidInput; whether it can be followed the engine says."""
    window = body.catch_up_window
    return Plan(
        _target(body, environment, now),
        Timetable(
            _timing(body),
            _moment(body.start_at),
            _moment(body.end_at),
            durations.parse_duration(body.jitter) if body.jitter is not None else 0,
        ),
        body.overlap or "allow",
        body.catch_up or "latest",
        durations.parse_duration(window) if window is not None else None,
        CATCH_UP_MAX if body.catch_up_max is None else body.catch_up_max,
        _name(body.external_id, "externalId"),
    )


def schedule_item(schedule: Schedule, environment: Environment) -> dict[str, Any]:
    """A schedule with the fields that Trigger.dev's clients know, and its own beside them."""
    plan, following = schedule.plan, schedule.next if schedule.is_active else None
    timetable, timing, target = plan.timetable, plan.timetable.timing, plan.target
    optional = {
        "deduplicationKey": schedule.deduplication_key,
        "externalId": plan.external_id,
        "nextRun": following and iso(following.at),
        "nextRunEffectiveAt": following and iso(following.due),
        "lastRun": None if schedule.last is None else iso(schedule.last),
        "cron": timing.expression if isinstance(timing, Cron) else None,
        "dstGap": timing.dst_gap if isinstance(timing, Cron) else None,
        "dstFold": timing.dst_fold if isinstance(timing, Cron) else None,
        "every": timing.minutes if isinstance(timing, Every) else None,
        "everyFrom": _anchor_of(timing) if isinstance(timing, Every) else None,
        "at": iso(timing.at) if isinstance(timing, At) else None,
        "startAt": None if timetable.start is None else iso(timetable.start),
        "endAt": None if timetable.end is None else iso(timetable.end),
        "jitter": f"{timetable.jitter_ms // 1_000}s" if timetable.jitter_ms else None,
        "catchUpWindow": None if plan.catch_up_window_ms is None else f"{plan.catch_up_window_ms // 1_000}s",
        "payload": target.payload if bytes(target.payload) else None,
        "options": _options_of(target) or None,
    }
    return {
        "id": schedule.id,
        "type": schedule.type,
        "task": target.task,
        "active": schedule.is_active,
        "generator": _generator(timing),
        "timezone": timetable.zone,
        "environments": [{"id": environment.id, "type": environment.type}],
        "overlap": plan.overlap,
        "catchUp": plan.catch_up,
        "catchUpMax": plan.catch_up_max,
        "revision": schedule.revision,
        "createdAt": iso(schedule.created_at),
        "updatedAt": iso(schedule.updated_at),
    } | {name: value for name, value in optional.items() if value is not None}


async def schedule_of(triggered: RunTriggered, reader: Reader, moment: Moment | None = None) -> dict[str, Any]:
    """What the API tells of the schedule of a run: nothing, where there is none; little, if it is deleted."""
    if triggered.schedule is None:
        return {}
    told: dict[str, Any] = {"id": triggered.schedule.schedule, "timestamp": iso(triggered.schedule.at)}
    schedule = await _schedule_at(moment, triggered.schedule.schedule, reader)
    if schedule is None or schedule.is_deleted:
        return {"schedule": told | {"generator": GONE}}
    plan = schedule.plan
    optional = {"externalId": plan.external_id, "deduplicationKey": schedule.deduplication_key}
    told |= {name: value for name, value in optional.items() if value is not None}
    return {"schedule": told | {"generator": _generator(plan.timetable.timing)}}


async def _schedule_at(moment: Moment | None, schedule: str, reader: Reader) -> Schedule | None:
    if moment is None:
        await reader.followed(await reader.head(), LIST_WAIT_SECONDS)
        row = await reader.read(reader.read_models.get_schedule, schedule)
        return row.schedule if row else None
    found = await reader.read(lambda: reader.ledger.read_streams([schedule], upto=moment.position))
    state = fold(found.get(schedule, ()))
    return state if isinstance(state, Schedule) else None


def _target(body: ScheduleBody, environment: str, now: int) -> Target:
    options = body.options
    if options is not None:
        refused = [_camel(name) for name in REFUSED if getattr(options, name) is not None]
        if refused:
            raise InvalidInput(f"A schedule has no use for the option {refused[0]}.")
    if len(body.payload) > INLINE_MAX_BYTES:
        raise InvalidInput(f"The payload of a schedule has at most {INLINE_MAX_BYTES} bytes, not {len(body.payload)}.")
    # What a trigger takes a schedule takes, too.
    new, _ = making.new_run("run_", body.task, TriggerBody(body.payload, options), environment, now)
    return Target(
        new.task,
        new.payload,
        new.payload_type,
        new.queue,
        new.tags,
        new.metadata,
        new.priority,
        new.concurrency_key,
        new.ttl_ms,
        new.max_attempts,
        new.max_duration_ms,
        new.is_test,
        new.machine,
    )


def _timing(body: ScheduleBody) -> Timing:
    given = [name for name in ("cron", "every", "at") if getattr(body, name) is not None]
    if len(given) != 1:
        told = "none" if not given else " and ".join(given)
        raise InvalidInput(f"A schedule has one of cron, every and at; this one has {told}.")
    if body.cron is None and (body.timezone not in {None, UTC_ZONE} or body.dst_gap or body.dst_fold):
        raise InvalidInput("timezone, dstGap and dstFold are for cron: every and at name moments that no zone moves.")
    if body.every is None and body.every_from is not None:
        raise InvalidInput("everyFrom is for every.")
    if body.cron is not None:
        zone = body.timezone or UTC_ZONE
        return Cron(body.cron.strip(), zone, body.dst_gap or "run_after", body.dst_fold or "first")
    if body.every is not None:
        return Every(body.every, None if body.every_from == "creation" else 0)
    return At(durations.parse_date(body.at or ""))


def _generator(timing: Timing) -> dict[str, str]:
    # The official clients know no other type.
    match timing:
        case Cron(expression=expression):
            told = expression, explained(expression)
        case Every(minutes=minutes):
            told = f"@every {minutes}m", "Every minute" if minutes == 1 else f"Every {minutes} minutes"
        case At(at=at):
            told = f"@at {iso(at)}", f"Once, at {iso(at)}"
    return {"type": "CRON", "expression": told[0], "description": told[1]}


def _anchor_of(timing: Every) -> str:
    return "epoch" if timing.anchor == 0 else "creation"


def _options_of(target: Target) -> dict[str, Any]:
    """The options of a trigger that the target has."""
    told = asdict(target) | {"payload_type": None if target.payload_type == JSON_TYPE else target.payload_type}
    durations_of = {
        "ttl": None if target.ttl_ms is None else f"{target.ttl_ms // 1_000}s",
        "maxDuration": None if target.max_duration_ms is None else target.max_duration_ms / 1_000,
        "queue": target.queue and {"name": target.queue},
        "tags": list(target.tags) or None,
        "metadata": None if target.metadata == NOTHING else Raw(target.metadata),
        "priority": target.priority or None,
        "test": target.is_test or None,
    }
    plain = {_camel(name): told[name] for name in ("concurrency_key", "max_attempts", "machine", "payload_type")}
    return {name: value for name, value in (plain | durations_of).items() if value is not None}


def _camel(name: str) -> str:
    fields = dict(zip(TriggerOptions.__struct_fields__, TriggerOptions.__struct_encode_fields__, strict=True))
    return fields[name]


def _moment(text: str | None) -> int | None:
    return None if text is None else durations.parse_date(text)


def _name(text: str | None, what: str) -> str | None:
    if text is not None and not 0 < len(text) <= NAME_MAX:
        raise InvalidInput(f"{what} has 1 to {NAME_MAX} characters; this one has {len(text)}.")
    return text
