"""What runs that tell of others say: made from the ledger when they are handed out, the same for each attempt."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.history.outcomes import run_row_of
from app.http_jobs.summing import mail_of_summary, summary_of, what_happened
from app.http_jobs.told import attempts_of, error_item, execution_item
from domain import states
from domain.announcing import CERTIFICATE_ENDING, CHANNEL_TEST, JOB_PAUSED, SUMMARY
from domain.builtin import EMAIL_TASK
from domain.channel import Channel
from domain.durations import iso
from domain.errors import LedgerCorrupt
from domain.events import About, Recorded, RunArchived, RunErased, RunTriggered
from domain.ports import Ledger
from domain.requests import Asked, AskedMail
from projections.run_row import RunRow

_ATTEMPT = ("number", "status", "statusCode", "latencyMs", "errorClass", "error", "startedAt", "finishedAt")
"""What of an attempt is told; bodies and headers of answers are looked up by those who may."""


def with_message(ledger: Ledger, triggered: RunTriggered, payload: Raw) -> Raw:
    """The payload of a run that tells of another one, with what it says. Raises LedgerCorrupt; this blocks."""
    assert triggered.about is not None, "it tells of another run"
    message = message_of(ledger, triggered.about)
    if triggered.task == EMAIL_TASK:
        mail = msgspec.json.decode(payload, type=AskedMail)
        subject, text = mail_of(message)
        return Raw(msgspec.json.encode(replace(mail, subject=subject, text=text)))
    asked = msgspec.json.decode(payload, type=Asked)
    return Raw(msgspec.json.encode(replace(asked, message=Raw(msgspec.json.encode(message)))))


def message_of(ledger: Ledger, about: About) -> dict[str, Any]:
    """What is told, in the shape of Standard Webhooks: of a run that ended, or of an alert channel itself.

    Raises LedgerCorrupt; this blocks.
    """
    history = ledger.read_streams([about.run]).get(about.run, [])
    if history and about.type == CHANNEL_TEST:
        return _test(history)
    if history and about.type == SUMMARY:
        return summary_of([each for each in history if about.version is None or each.version <= about.version])
    if not history:
        raise LedgerCorrupt(f"Run {about.run}, of which this one is to tell, is no longer there.")
    row = _row_of(history)
    data = _execution(ledger, history, row) if row.job is not None else {"run": _run(row)}
    if about.type == CERTIFICATE_ENDING:
        data |= {"certificate": {"ends_at": attempts_of(ledger, history)[-1]["certificateEndsAt"]}}
    return {"type": about.type, "timestamp": _iso(row.finished_at), "data": data}


def mail_of(message: dict[str, Any]) -> tuple[str, str]:
    """The subject and the text of an e-mail that says the same."""
    type_, data = message["type"], message["data"]
    if type_ == CHANNEL_TEST:
        name = " ".join(data["channel"]["name"].split())
        return (
            f"Test of alert channel {name}",
            "News of failures arrives here. Nothing failed: somebody tests this channel.\n",
        )
    if type_ == SUMMARY:
        return mail_of_summary(data)
    told = data.get("execution") or data["run"]
    name = f"Job {data['job']['name']}" if "job" in data else f"Task {told['task']}"
    what = what_happened(type_)
    lines = [f"{name} {what}.", "", f"{'Execution' if 'job' in data else 'Run'}: {told['id']}"]
    lines.append(f"Status: {told.get('run_status') or told['status']}")
    if told["error"] is not None:
        lines.append(f"Error: {told['error']['message']}")
    lines.append(f"Attempts: {told['attempt_count']}")
    lines += [f"  {each['number']}: {each['error'] or each['statusCode']}" for each in data.get("attempts", ())]
    lines.append(f"Finished: {told['finished_at']}")
    if type_ == CERTIFICATE_ENDING and data["certificate"]["ends_at"] is not None:
        lines += ["", f"The certificate of the server ends at {data['certificate']['ends_at']}."]
    if type_ == JOB_PAUSED:
        lines += ["", "It starts no more by itself until it is resumed."]
    # One line: what a task is called must not become a header of its own.
    subject = " ".join(f"{name} {what}".split())
    return subject, "\n".join(lines) + "\n"


def _test(history: Sequence[Recorded]) -> dict[str, Any]:
    channel = states.fold(history)
    assert isinstance(channel, Channel), "a test is of a channel"
    data = {"channel": {"id": channel.id, "name": channel.spec.name}}
    return {"type": CHANNEL_TEST, "timestamp": iso(channel.created_at), "data": data}


def _execution(ledger: Ledger, history: Sequence[Recorded], row: RunRow) -> dict[str, Any]:
    assert row.job is not None, "an execution is of a job"
    attempts = [{name: each[name] for name in _ATTEMPT} for each in attempts_of(ledger, history)]
    job = {"id": row.job.id, "name": row.job.name}
    return {"job": job, "execution": execution_item(row), "attempts": attempts}


def _run(row: RunRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "task": row.task,
        "status": row.status.value,
        "created_at": iso(row.created_at),
        "started_at": _iso(row.started_at),
        "finished_at": _iso(row.finished_at),
        "attempt_count": row.attempts,
        "error": error_item(row),
    }


def _row_of(history: Sequence[Recorded]) -> RunRow:
    row = run_row_of(history)
    # In the ledger the values of both are gone.
    row.is_erased = isinstance(history[-1].event, RunErased | RunArchived) or row.is_erased
    return row


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)
