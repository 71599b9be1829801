"""How runs and tokens came out, as clients and waiting code are told of it. This blocks, but where it says not."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from app.engine.reader import Reader
from app.engine.triggered import value_of
from app.history.endings import why_ended
from domain.durations import iso
from domain.events import JSON_TYPE, NOTHING, AttemptSucceeded, BlobRef, Recorded, RunArchived, WaitpointCompleted
from domain.ports import Ledger
from domain.status import FINAL, Status
from domain.waitpoint import WaitpointStatus
from projections import run_list, waitpoints
from projections.run_row import RunRow
from projections.waitpoints import WAITPOINT, WaitpointRow

PLAIN_TEXT = "text/plain"
"""The media type of which a text is shown as it is, and not as JSON."""
TOLD_MAX, TOLD_MAX_BYTES = 100, 262_144
"""Of how many targets it is told along how they came out, in how much JSON; the others have to be asked for."""
TIMEOUT_CODE = "TRIGGER_WAITPOINT_TIMEOUT"
"""The word that Trigger.dev's clients know."""


def run_row_of(history: Sequence[Recorded]) -> RunRow:
    """The same fold that the list is made of, over the run's own events: always current."""
    row: RunRow | None = None
    for recorded in history:
        row = run_list.project(row, recorded)
    assert row is not None, "a history begins with a trigger"
    return row


def token_row_of(history: Sequence[Recorded]) -> WaitpointRow:
    """The same of a token."""
    row: WaitpointRow | None = None
    for recorded in history:
        row = waitpoints.project(row, recorded)
    assert row is not None, "a history of a token is one"
    return row


def result_of(ledger: Ledger, history: Sequence[Recorded]) -> dict[str, Any] | None:
    """What a run came to, None while it is not finished. Raises LedgerCorrupt when its output is gone or another."""
    row = run_row_of(history)
    if row.status not in FINAL:
        return None
    if row.status is Status.COMPLETED:
        if row.is_erased:
            return {"ok": True, "id": row.id, "outputType": JSON_TYPE, "taskIdentifier": row.task, "isErased": True}
        success = _success_in(history)
        assert success is not None, "a run completes with an attempt"
        output = value_of(ledger, success.output, success.output_blob)
        text = bytes(output).decode() if output is not NOTHING else None
        body: dict[str, Any] = {"ok": True, "id": row.id, "outputType": success.output_type, "taskIdentifier": row.task}
        return body if text is None else body | {"output": text}
    error = row.error
    told: dict[str, Any] = {"type": "STRING_ERROR", "raw": why_ended(row)}
    if error is not None:
        told = {"type": "BUILT_IN_ERROR", "name": error.name, "message": error.message}
        told["stackTrace"] = error.stack_trace or ""
    return {"ok": False, "id": row.id, "taskIdentifier": row.task, "error": told}


async def output_of(history: Sequence[Recorded], reader: Reader) -> tuple[Raw, str]:
    """What a run returned, and the media type of that; NOTHING if there is none. Does not block."""
    success = _success_in(history)
    if success is None:
        return NOTHING, JSON_TYPE
    return await reader.value(success.output, success.output_blob), success.output_type


def completion_of(ledger: Ledger, history: Sequence[Recorded]) -> dict[str, Any]:
    """What a token was completed with, or that it timed out; nothing while it waits. Raises LedgerCorrupt."""
    row, last = token_row_of(history), history[-1].event
    if row.status is WaitpointStatus.TIMED_OUT:
        return _timed_out_output(row)
    if not isinstance(last, WaitpointCompleted):
        return {}
    output = value_of(ledger, last.output, last.output_blob)
    if output is NOTHING:
        return {"outputIsError": False}
    text = bytes(output).decode()
    if last.output_type.startswith(PLAIN_TEXT) and text.startswith('"'):
        text = msgspec.json.decode(text, type=str)
    return {"output": text, "outputType": last.output_type, "outputIsError": False}


def outcomes_of(ledger: Ledger, targets: Iterable[str]) -> dict[str, Raw]:
    """How those of the targets came out that are runs or tokens, are over, and have no large value: by id, as JSON.

    A run as its result is answered, a token as `id`, `status` and what completed it. Waiting code is told of these
    along with the end of its wait, so that it need not ask for each.
    """
    asked = [each for each in dict.fromkeys(targets) if not each.startswith("batch_")][:TOLD_MAX]
    told: dict[str, Raw] = {}
    size = 0
    for name, history in ledger.read_streams(asked).items() if asked else ():
        if _blob_of(history) is None and not isinstance(history[-1].event, RunArchived):
            body = _token_body(ledger, history) if name.startswith(f"{WAITPOINT}_") else result_of(ledger, history)
            text = msgspec.json.encode(body)
            size += len(text)
            if body is not None and size <= TOLD_MAX_BYTES:
                told[name] = Raw(text)
    return told


def of_those(names: Iterable[str], told: Mapping[str, Raw]) -> dict[str, Raw]:
    """What is told of these."""
    return {name: told[name] for name in names if name in told}


def _timed_out_output(row: WaitpointRow) -> dict[str, Any]:
    """What those who waited for a token that nobody completed in time are given."""
    message = f"Waitpoint timed out at {iso(row.timeout_at or row.created_at)}"
    output = msgspec.json.encode({"code": TIMEOUT_CODE, "message": message}).decode()
    return {"output": output, "outputType": JSON_TYPE, "outputIsError": True}


def _token_body(ledger: Ledger, history: Sequence[Recorded]) -> dict[str, Any] | None:
    row = token_row_of(history)
    if row.status is WaitpointStatus.WAITING:
        return None
    return {"id": row.id, "status": str(row.status), **completion_of(ledger, history)}


def _blob_of(history: Sequence[Recorded]) -> BlobRef | None:
    last = history[-1].event
    if isinstance(last, WaitpointCompleted):
        return last.output_blob
    success = _success_in(history)
    return success.output_blob if success else None


def _success_in(history: Sequence[Recorded]) -> AttemptSucceeded | None:
    return next((each.event for each in reversed(history) if isinstance(each.event, AttemptSucceeded)), None)
