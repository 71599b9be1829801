"""Jobs and their executions as the API of the executions document shows them: snake_case, but attempts in camelCase."""

from typing import Any

from app.hosts import rate_text
from app.http_jobs.executions import asked_of
from app.web.docs import TRIGGER_PATH
from domain import schedule as schedules
from domain.durations import iso
from domain.events import NOTHING, JobTiming
from domain.job import Job, JobKind, JobState
from domain.requests import HttpRequest
from domain.schedule import Schedule

MANUAL = "manual"
"""Why a job is paused that did not do it by itself."""


def job_item(job: Job, schedule: Schedule | None, public_url: str) -> dict[str, Any]:
    """A job, without the secret of its webhook. `schedule` is what starts one that runs at times."""
    spec, asked = job.spec, asked_of(job.spec.payload)
    policy = asked.retry
    following = schedule and schedules.deadline_of(schedule)
    item: dict[str, Any] = {
        "id": job.id,
        "name": spec.name,
        "kind": spec.kind,
        "state": job.state.value,
        "schedule": None if spec.timing is None else _timing_item(spec.timing),
        "request": request_item(asked.request),
        "retry_policy": {
            "max_attempts": policy.max_attempts,
            "retry_on_statuses": policy.retry_on_statuses,
            "backoff_ms": policy.backoff_ms,
            "backoff_factor": policy.backoff_factor,
            "backoff_max_ms": policy.backoff_max_ms,
        },
        "pause_after_failures": spec.pause_after_failures,
        "pause_on_gone": spec.pause_on_gone,
        "callbacks": [
            {"on": each.on, "url": each.url, "headers": each.headers, "secret": each.secret} for each in spec.callbacks
        ],
        "rate_limit": None if spec.rate_limit is None else rate_text(spec.rate_limit),
        "consecutive_failures": job.failures,
        "paused_reason": _paused_reason(job),
        "paused_by_execution": job.paused_by and job.paused_by.execution,
        "next_run_at": iso(following.at) if following else None,
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
    }
    if spec.kind == JobKind.WEBHOOK_TRIGGER and job.token is not None:
        item["webhook_token"] = job.token
        item["webhook_url"] = public_url + TRIGGER_PATH.format(token=job.token)
        item["webhook_secret_configured"] = spec.trigger_sha256 is not None
    if spec.event is not None:
        item["event"] = {"name": spec.event.name, "filter": spec.event.filter}
    return item


def _paused_reason(job: Job) -> str | None:
    if job.state is not JobState.PAUSED:
        return None
    return job.paused_by.reason.lower() if job.paused_by else MANUAL


def request_item(request: HttpRequest) -> dict[str, Any]:
    """What is sent, its variables and secrets not filled in."""
    return {
        "url": request.url,
        "method": request.method,
        "headers": request.headers,
        "body": None if request.body is NOTHING else request.body,
        "timeout_seconds": request.timeout_seconds,
        "success_statuses": request.success_statuses,
        "max_redirects": request.max_redirects,
        "sign_with": request.sign_with,
    }


def _timing_item(timing: JobTiming) -> dict[str, Any]:
    item: dict[str, Any] = {"overlap": timing.overlap}
    if timing.run_at is not None:
        return {"run_at": iso(timing.run_at)} | item
    if timing.every_n_minutes is not None:
        return {"every_n_minutes": timing.every_n_minutes} | item
    return {"cron": timing.cron, "timezone": timing.timezone} | item
