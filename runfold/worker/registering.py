"""A task as the engine is told of it."""

from collections.abc import Iterable
from typing import Any

import msgspec

import runfold
from runfold.definition import Task
from runfold.durations import duration_ms
from runfold.policies import Queue, RateLimit, Retry
from runfold.schedule import Schedule, minutes_of

Facts = dict[str, Any]


def registration_of(tasks: Iterable[Task[Any, Any]], *, promote: bool | None = None) -> bytes:
    """The body of the call; without a word on `promote` the engine decides by itself what becomes of the version."""
    told = {"sdk": f"runfold-python/{runfold.__version__}", "tasks": [settings_of(each) for each in tasks]}
    return msgspec.json.encode(told if promote is None else {**told, "promote": promote})


def settings_of(task: Task[Any, Any]) -> Facts:
    """What is as everywhere is left out."""
    said = task.declaration
    facts = {
        "id": said.id,
        "queue": said.queue and _queue(said.queue),
        "retry": said.retry and _retry(said.retry),
        "ttl": said.ttl,
        "maxDuration": said.max_duration,
        "retryOnCrash": said.retry_on_crash or None,
        "machine": said.machine,
        "payloadSchema": task.body.payload_schema,
        "authResolver": said.auth_resolver or None,
        "connections": list(said.connections) or None,
        "schedule": said.schedule and _schedule(said.schedule),
        "event": said.on_event
        and _without_none({"name": _one_or_all(said.on_event), "filter": said.event_filter or None}),
    }
    return _without_none(facts)


def _one_or_all(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


def _queue(queue: Queue) -> Facts:
    limit = queue.rate_limit
    facts = {
        "name": queue.name,
        "concurrencyLimit": queue.concurrency_limit,
        "rateLimit": limit and _rate_limit(limit),
    }
    return _without_none(facts)


def _rate_limit(limit: RateLimit) -> Facts:
    return {"limit": limit.limit, "periodMs": duration_ms(limit.period)}


def _retry(retry: Retry) -> Facts:
    machine = retry.out_of_memory_machine
    facts = {
        "maxAttempts": retry.max_attempts,
        "factor": retry.factor,
        "minTimeoutInMs": retry.min_timeout_ms,
        "maxTimeoutInMs": retry.max_timeout_ms,
        "randomize": retry.randomize,
        "outOfMemory": machine and {"machine": machine},
    }
    return _without_none(facts)


def _schedule(schedule: Schedule) -> Facts:
    window = schedule.catch_up_window
    facts = {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "every": None if schedule.every is None else minutes_of(schedule.every),
        "dstGap": schedule.dst_gap,
        "dstFold": schedule.dst_fold,
        "jitter": duration_ms(schedule.jitter),
        "overlap": schedule.overlap,
        "catchUp": schedule.catch_up,
        "catchUpWindow": None if window is None else duration_ms(window),
        "catchUpMax": schedule.catch_up_max,
    }
    return _without_none({name: value for name, value in facts.items() if _USUAL.get(name) != value})


_USUAL: Facts = {
    "timezone": "UTC",
    "dstGap": "run_after",
    "dstFold": "first",
    "jitter": 0,
    "overlap": "allow",
    "catchUp": "latest",
    "catchUpMax": 100,
}


def _without_none(facts: Facts) -> Facts:
    return {name: value for name, value in facts.items() if value is not None}
