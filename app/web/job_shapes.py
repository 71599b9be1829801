"""Jobs and their executions as the API of the executions document shows them: snake_case, but attempts in camelCase."""

from typing import Any

from app.jobs import policy_of, request_of
from app.web.docs import TRIGGER_PATH
from domain.durations import iso
from domain.events import NOTHING, JobTiming
from domain.job import Job, JobKind


def job_item(job: Job, public_url: str) -> dict[str, Any]:
    """A job, without the secret of its webhook."""
    spec = job.spec
    request, policy = request_of(spec), policy_of(spec)
    item: dict[str, Any] = {
        "id": job.id,
        "name": spec.name,
        "kind": spec.kind,
        "state": job.state.value,
        "schedule": None if spec.timing is None else _timing_item(spec.timing),
        "request": {
            "url": request.url,
            "method": request.method,
            "headers": request.headers,
            "body": None if request.body is NOTHING else request.body,
            "timeout_seconds": request.timeout_seconds,
            "success_statuses": request.success_statuses,
            "max_redirects": request.max_redirects,
        },
        "retry_policy": {
            "max_attempts": policy.max_attempts,
            "retry_on_statuses": policy.retry_on_statuses,
            "backoff_ms": policy.backoff_ms,
            "backoff_factor": policy.backoff_factor,
            "backoff_max_ms": policy.backoff_max_ms,
        },
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
    }
    if spec.kind == JobKind.WEBHOOK_TRIGGER and job.token is not None:
        item["webhook_token"] = job.token
        item["webhook_url"] = public_url + TRIGGER_PATH.format(token=job.token)
        item["webhook_secret_configured"] = spec.trigger_sha256 is not None
    return item


def _timing_item(timing: JobTiming) -> dict[str, Any]:
    if timing.run_at is not None:
        return {"run_at": iso(timing.run_at)}
    if timing.every_n_minutes is not None:
        return {"every_n_minutes": timing.every_n_minutes}
    return {"cron": timing.cron, "timezone": timing.timezone}
