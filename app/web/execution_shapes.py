"""What an execution is to do and was given, and of which other run it tells, as the document shows it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.engine.triggered import asked_of, value_of
from app.events import sent_in
from app.http_jobs import executions
from app.web.event_shapes import event_of
from app.web.job_shapes import request_item
from domain import named_event
from domain.builtin import EMAIL_TASK
from domain.events import Recorded, RunTriggered
from domain.ports import Ledger
from domain.requests import AskedMail


def is_execution(triggered: RunTriggered) -> bool:
    """Whether such a run is an execution: of a job, or one that tells of another run."""
    return triggered.job is not None or triggered.about is not None


def about_item(history: Sequence[Recorded]) -> dict[str, str] | None:
    """Of what the execution tells, None if it is the execution of a job."""
    about = asked_of(history).about
    return None if about is None else {"execution_id": about.run, "type": about.type}


def request_of(ledger: Ledger, history: Sequence[Recorded]) -> dict[str, Any] | None:
    """What the execution sends, its variables and secrets not filled in; None if that was erased.

    This reads from the ledger, and blocks.
    """
    triggered = asked_of(history)
    payload = value_of(ledger, triggered.payload, triggered.payload_blob)
    if not bytes(payload):
        return None
    if triggered.task == EMAIL_TASK:
        return {"to": msgspec.json.decode(payload, type=AskedMail).to}
    return request_item(executions.asked_of(payload).request)


def input_of(ledger: Ledger, history: Sequence[Recorded]) -> dict[str, Any]:
    """What a webhook or an event gave the execution, if one did. This reads from the ledger, and blocks."""
    triggered = asked_of(history)
    if triggered.task == EMAIL_TASK:
        return {}
    told: dict[str, Any] = event_of(triggered)
    payload = value_of(ledger, triggered.payload, triggered.payload_blob)
    if not bytes(payload):
        return told
    given = executions.asked_of(payload).input
    if triggered.event is not None:
        stream = named_event.stream_of(history[0].environment, triggered.event.id)
        sent = sent_in(ledger.read_streams([stream])[stream])
        given = value_of(ledger, sent.payload, sent.payload_blob)
    return told | ({"trigger_input": given} if bytes(given) else {})
