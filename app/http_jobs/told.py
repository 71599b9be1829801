"""Executions and their attempts, which the document writes in camelCase, as whoever asks and messages tell of them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.engine.triggered import value_of
from domain import events as e
from domain.calls import AttemptStatus, ErrorClass, Found, Timings, failed
from domain.durations import iso
from domain.events import Event, Recorded
from domain.ports import Ledger
from domain.vocabulary import EXECUTIONS
from projections.run_row import RunRow

SOURCES = {"api": "manual"}
ERASED = "erased"
"""The class of errors of which nothing else is left."""
_SENTENCE = "What it found was erased."


def execution_item(row: RunRow) -> dict[str, Any]:
    """An execution in a list. One that tells of another one is of no job, and planned for when it was made."""
    return {
        "id": row.id,
        "job_id": row.job and row.job.id,
        "job_name": row.job and row.job.name,
        "status": EXECUTIONS.words[row.status],
        "run_status": row.status.value,
        "source": SOURCES.get(row.source, row.source),
        "scheduled_for": iso(row.job.scheduled_for if row.job else row.created_at),
        "created_at": iso(row.created_at),
        "started_at": _iso(row.started_at),
        "finished_at": _iso(row.finished_at),
        "attempt_count": row.attempts,
        "replay_of": row.replay_of,
        "error": error_item(row),
    }


def error_item(row: RunRow) -> dict[str, str] | None:
    """What went wrong at last; None if nothing did."""
    if row.error is None:
        return None
    if row.is_erased:
        return {"class": ERASED, "message": _SENTENCE}
    return {"class": row.error.name, "message": row.error.message}


def attempts_of(ledger: Ledger, history: Sequence[Recorded]) -> list[dict[str, Any]]:
    """The attempts that are over, in order. This reads what they found from the ledger, and blocks."""
    items: list[dict[str, Any]] = []
    started: Recorded | None = None
    number = 0
    for recorded in history:
        event = recorded.event
        if isinstance(event, e.AttemptStarted):
            started, number = recorded, event.number
            continue
        if started is None:
            continue
        times = started.occurred_at, recorded.occurred_at
        if _is_erased(event):
            items.append(_erased_item(number, *times, has_succeeded=isinstance(event, e.AttemptSucceeded)))
            started = None
        elif found := _found(ledger, event):
            items.append(_attempt_item(number, found, *times))
            started = None
    return items


def _is_erased(event: Event) -> bool:
    """Whether this is the end of an attempt, and what that found is gone. Of one that was lost the engine says why."""
    match event:
        case e.AttemptFailed(error=error) if error.message:
            return False
        case e.AttemptSucceeded(output=output, output_blob=None) | e.AttemptFailed(output=output, output_blob=None):
            return not bytes(output)
        case _:
            return False


def _found(ledger: Ledger, event: Event) -> Found | None:
    """What the attempt had found when this ended it; None if this is no end of it."""
    match event:
        case e.AttemptSucceeded(output=output, output_blob=blob) | e.AttemptFailed(output=output, output_blob=blob):
            text = value_of(ledger, output, blob)
            if bytes(text):
                return msgspec.json.decode(text, type=Found)
            assert isinstance(event, e.AttemptFailed), "of a success nothing is left only if it was erased"
            return failed(
                ErrorClass.WORKER_LOST, f"{event.error.message} Whether the target got the request is not known."
            )
        case e.RunEnqueued(reason="released"):
            return failed(ErrorClass.RELEASED, "The engine stopped, and the attempt is made again.")
        case e.RunCanceled():
            return failed(ErrorClass.CANCELED, "The execution was canceled.")
        case e.RunTimedOut() | e.RunSystemFailed() | e.RunEnqueued():
            return failed(ErrorClass.WORKER_LOST, "The attempt was ended by the engine.")
        case _:
            return None


def _erased_item(number: int, started_at: int, finished_at: int, *, has_succeeded: bool) -> dict[str, Any]:
    """An attempt of which is known only how it ended and when."""
    item = _attempt_item(number, Found(AttemptStatus.SUCCESS, 0, message=_SENTENCE), started_at, finished_at)
    known = {} if has_succeeded else {"status": None, "errorClass": ERASED}
    return item | {"latencyMs": None, "bytesReceived": None, "timings": dict.fromkeys(_TIMINGS)} | known


def _attempt_item(number: int, found: Found, started_at: int, finished_at: int) -> dict[str, Any]:
    return {
        "number": number,
        "status": found.status.value,
        "statusCode": found.status_code,
        "latencyMs": found.latency_ms,
        "bodyPreview": found.body_preview,
        "bodyTruncated": found.body_truncated,
        "bytesReceived": found.bytes_received,
        "responseHeaders": found.response_headers,
        "errorClass": found.error_class,
        "error": found.message,
        "redirects": found.redirects,
        "timings": {name: getattr(found.timings, field) for name, field in _TIMINGS.items()},
        "certificateEndsAt": _iso(found.certificate_ends_at),
        "startedAt": iso(started_at),
        "finishedAt": iso(finished_at),
    }


_TIMINGS = {field.encode_name: field.name for field in msgspec.structs.fields(Timings)}


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)
