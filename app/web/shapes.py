"""Rows as the API shows them: camelCase, ISO dates, and what there is none of left out."""

from typing import Any

import msgspec

from app.web.docs import CALLBACK_PATH
from domain.durations import iso
from domain.environment import Environment
from domain.events import RunError, RunTriggered
from domain.limits import Gate
from domain.vocabulary import Vocabulary
from projections.attempts import AttemptRow
from projections.run_row import RunRow
from projections.waitpoints import WaitpointRow

TASK_QUEUE = "task/"
"""What the name of a task's own queue begins with."""


def run_item(row: RunRow, environment: Environment, vocabulary: Vocabulary) -> dict[str, Any]:
    """A run in a list."""
    return {
        "id": row.id,
        "status": vocabulary.words[row.status],
        "taskIdentifier": row.task,
        **vocabulary.helpers[row.status],
        "isTest": row.is_test,
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.updated_at),
        "tags": list(row.tags),
        # Runfold bills nobody; the official clients require the fields.
        "costInCents": 0,
        "baseCostInCents": 0,
        "durationMs": row.duration_ms,
        "depth": row.depth,
        "source": row.source,
        "triggerFunction": "batchTrigger" if row.batch else "trigger",
        "queue": row.queue,
        "attemptCount": row.attempts,
        "env": {"id": environment.id, "name": environment.slug},
        **_present(
            idempotencyKey=row.idempotency_key,
            version=row.version,
            startedAt=_iso(row.started_at),
            finishedAt=_iso(row.finished_at),
            queuedAt=_iso(row.queued_at),
            delayedUntil=_iso(row.delayed_until),
            expiredAt=_iso(row.expired_at),
            ttl=None if row.ttl_ms is None else f"{row.ttl_ms // 1_000}s",
            batchId=row.batch,
            replayOf=row.replay_of,
            replays=list(row.replays) or None,
            isErased=row.is_erased or None,
            parentId=row.parent,
            rootId=row.root,
            machine=row.machine,
            lockedToVersion=row.lock,
            concurrencyKey=row.concurrency_key,
            priority=row.priority or None,
            maxAttempts=row.max_attempts,
            maxDuration=None if row.max_duration_ms is None else row.max_duration_ms / 1_000,
            metadata=None if row.metadata is None else msgspec.Raw(row.metadata),
            error=None if row.error is None else error_body(row.error),
        ),
    }


def taken_over(event: RunTriggered) -> dict[str, Any]:
    """What a run took over from the one that it replays: nothing, where it began anew."""
    taken = event.prefix
    if taken is None:
        return {}
    edited = [edit.index for edit in taken.edits]
    return {"takenOver": {"runId": taken.run, "entries": taken.entries, "edited": edited}}


def attempt_item(row: AttemptRow) -> dict[str, Any]:
    """An attempt of a run."""
    return {
        "id": row.id,
        "number": row.number,
        "status": str(row.outcome),
        "worker": row.worker,
        "version": row.version,
        **_present(
            startedAt=_iso(row.started_at),
            finishedAt=_iso(row.finished_at),
            error=None if row.error is None else error_body(row.error),
        ),
    }


def queue_item(stream: str, name: str, gate: Gate, *, running: int, queued: int) -> dict[str, Any]:
    """A queue. Its limits are null where there is none: the official client wants to be told."""
    state = gate.state
    return {
        "id": stream,
        "name": name.removeprefix(TASK_QUEUE),
        "type": "task" if name.startswith(TASK_QUEUE) else "custom",
        "running": running,
        "queued": queued,
        "paused": gate.is_paused,
        "concurrencyLimit": gate.limit,
        "concurrency": {
            "current": gate.limit,
            "base": gate.base,
            "override": state.override if state else None,
            "overriddenAt": _iso(state.overridden_at) if state else None,
            "overriddenBy": state.overridden_by if state else None,
        },
    }


def token_item(row: WaitpointRow, public_url: str) -> dict[str, Any]:
    """A token in a list."""
    return {
        "id": row.id,
        "url": callback_url(row.id, row.secret, public_url),
        "status": row.status.value,
        "tags": list(row.tags),
        "createdAt": iso(row.created_at),
        **_present(
            completedAt=_iso(row.completed_at),
            timeoutAt=_iso(row.timeout_at),
            idempotencyKey=row.idempotency_key,
            idempotencyKeyExpiresAt=_iso(row.key_until) if row.idempotency_key is not None else None,
        ),
    }


def callback_url(token: str, secret: str, public_url: str) -> str:
    """What completes a token when somebody posts to it."""
    return public_url + CALLBACK_PATH.format(token=token, secret=secret)


def error_body(error: RunError) -> dict[str, Any]:
    """An error as the official clients read it."""
    return {"message": error.message, "name": error.name, **_present(stackTrace=error.stack_trace, code=error.code)}


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
