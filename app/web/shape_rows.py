"""Runs as rows of a shape, in the words of Trigger.dev's database: what its realtime clients read."""

from datetime import UTC, datetime
from typing import Any

from msgspec import Raw

from app.engine.reader import Reader
from app.engine.triggered import asked_of
from app.engine.watching import Seen
from app.history.endings import why_ended
from app.history.outcomes import output_of
from app.packets import as_uploaded
from domain.events import JSON_TYPE, NOTHING, RunError
from domain.status import Status
from projections.run_row import RunRow

DATABASE_WORDS: dict[Status, str] = {
    Status.PENDING: "PENDING",
    Status.PENDING_VERSION: "PENDING_VERSION",
    Status.WAITING_ON_CONNECTIONS: "PENDING",
    Status.DELAYED: "DELAYED",
    Status.QUEUED: "PENDING",
    Status.DEQUEUED: "DEQUEUED",
    Status.EXECUTING: "EXECUTING",
    Status.REATTEMPTING: "RETRYING_AFTER_FAILURE",
    Status.WAITING: "WAITING_TO_RESUME",
    Status.FROZEN: "WAITING_TO_RESUME",
    Status.COMPLETED: "COMPLETED_SUCCESSFULLY",
    Status.CANCELED: "CANCELED",
    Status.FAILED: "COMPLETED_WITH_ERRORS",
    Status.TIMED_OUT: "TIMED_OUT",
    Status.CRASHED: "CRASHED",
    Status.INTERRUPTED: "INTERRUPTED",
    Status.SYSTEM_FAILURE: "SYSTEM_FAILURE",
    Status.EXPIRED: "EXPIRED",
    Status.INVALID_PAYLOAD: "COMPLETED_WITH_ERRORS",
    Status.UNRESOLVED_AUTH: "COMPLETED_WITH_ERRORS",
}
NEEDED = frozenset({"id", "taskIdentifier", "friendlyId", "status", "createdAt", "updatedAt"})
"""The columns without which a client does not take a row."""


async def row_of(run: Seen, reader: Reader, skipped: frozenset[str]) -> dict[str, Any]:
    """All columns but the skipped ones; what there is none of is null, because updates are merged over former rows."""
    row = run.row
    columns: dict[str, Any] = {
        "id": row.id,
        "friendlyId": row.id,
        "taskIdentifier": row.task,
        "status": DATABASE_WORDS[row.status],
        "createdAt": _moment(row.created_at),
        "updatedAt": _moment(row.updated_at),
        "startedAt": _moment(row.started_at),
        "delayUntil": _moment(row.delayed_until),
        "queuedAt": _moment(row.queued_at),
        "expiredAt": _moment(row.expired_at),
        "completedAt": _moment(row.finished_at),
        "idempotencyKey": row.idempotency_key,
        "isTest": row.is_test,
        "usageDurationMs": row.duration_ms,
        "costInCents": 0,
        "baseCostInCents": 0,
        "ttl": None if row.ttl_ms is None else f"{row.ttl_ms // 1_000}s",
        "metadata": None if row.metadata is None else bytes(row.metadata).decode(),
        "metadataType": None if row.metadata is None else JSON_TYPE,
        "runTags": list(row.tags),
        "error": _error(row),
        "realtimeStreams": [],
    }
    if "payload" not in skipped:
        asked = asked_of(run.history)
        payload = asked.payload
        if asked.payload_blob is not None:
            payload = await reader.value(payload, asked.payload_blob)
        columns |= _packet("payload", payload, asked.payload_type)
    if "output" not in skipped:
        output, kind = NOTHING, JSON_TYPE
        if row.status is Status.COMPLETED:
            output, kind = await output_of(run.history, reader)
        columns |= _packet("output", output, kind)
    return {name: value for name, value in columns.items() if name in NEEDED or name not in skipped}


def refusal_row(sentence: str, at: int) -> dict[str, Any]:
    """A row that the official client cannot read, and that makes it throw an error with this sentence.

    It waits for ever where it is answered 401, 403 or 404.
    """
    moment = _moment(at)
    named = {"id": "refused", "friendlyId": "refused", "taskIdentifier": "refused", "status": "SYSTEM_FAILURE"}
    return named | {
        "createdAt": moment,
        "updatedAt": moment,
        "metadata": sentence,
        "metadataType": "application/store",
    }


def _packet(name: str, value: Raw, kind: str) -> dict[str, Any]:
    if value == NOTHING:
        return {name: None, f"{name}Type": None}
    return {name: as_uploaded(value, kind).decode(), f"{name}Type": kind}


def _error(row: RunRow) -> dict[str, Any] | None:
    error: RunError | None = row.error
    if error is None:
        sentence = why_ended(row)
        return {"type": "STRING_ERROR", "raw": sentence} if sentence else None
    told = {"type": "BUILT_IN_ERROR", "name": error.name, "message": error.message}
    return told | {"stackTrace": error.stack_trace or ""}


def _moment(at: int | None) -> str | None:
    """Without a zone, which clients add by themselves."""
    return None if at is None else datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


assert DATABASE_WORDS.keys() == set(Status), "every status has a word"
