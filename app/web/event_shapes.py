"""Named events as the API shows them, with the fields that Trigger.dev v2's clients know."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Raw

from app.events import sent_in
from domain.durations import iso
from domain.events import EventCanceled, EventDelivered, EventPartlyDelivered, EventRef, Recorded, RunTriggered
from domain.named_event import EventStatus
from domain.status import Status
from projections.run_row import RunRow

RUNS_MAX = 100
"""Of so many runs an event tells more than the id."""


def event_item(
    history: Sequence[Recorded],
    payload: Raw,
    words: Mapping[Status, str],
    rows: Mapping[str, RunRow],
    stuck: str | None = None,
) -> dict[str, Any]:
    """An event with its runs; `words` are those for the statuses of the runs that `rows` tell of.

    `stuck` says why it cannot be delivered at present.
    """
    sent, last = sent_in(history), history[-1]
    is_delivered, is_canceled = isinstance(last.event, EventDelivered), isinstance(last.event, EventCanceled)
    status = EventStatus.DELIVERED if is_delivered else EventStatus.CANCELED if is_canceled else EventStatus.PENDING
    told = {
        "id": sent.id,
        "name": sent.name,
        "status": status.value,
        "timestamp": iso(sent.timestamp),
        "source": sent.source,
        "createdAt": iso(history[0].recorded_at),
        "payload": payload if bytes(payload) else None,
        "context": sent.context if bytes(sent.context) else None,
        "deliverAt": None if sent.deliver_at is None else iso(sent.deliver_at),
        "deliveredAt": iso(last.recorded_at) if is_delivered else None,
        "cancelledAt": iso(last.recorded_at) if is_canceled else None,
        "stuck": stuck,
        "reason": last.event.reason if isinstance(last.event, EventCanceled) else None,
    }
    runs = [_run_item(run, rows.get(run), words) for run in runs_in(history)]
    return {name: value for name, value in told.items() if value is not None} | {"runs": runs}


def runs_in(history: Sequence[Recorded]) -> list[str]:
    """The runs that an event has started."""
    parts = (each.event for each in history)
    return [run for each in parts if isinstance(each, EventPartlyDelivered | EventDelivered) for run in each.runs]


def event_of(triggered: RunTriggered) -> dict[str, Any]:
    """What a run tells of the event that started it; nothing where none did."""
    return {} if triggered.event is None else {"event": ref_item(triggered.event)}


def ref_item(event: EventRef) -> dict[str, Any]:
    """An event without its payload."""
    context = {"context": event.context} if bytes(event.context) else {}
    return {"id": event.id, "name": event.name, "timestamp": iso(event.timestamp), "source": event.source} | context


def _run_item(run: str, row: RunRow | None, words: Mapping[Status, str]) -> dict[str, Any]:
    if row is None:
        return {"id": run}
    item = {"id": run, "taskIdentifier": row.task, "status": words[row.status]}
    more = {"startedAt": row.started_at, "finishedAt": row.finished_at}
    return item | {name: iso(at) for name, at in more.items() if at is not None}
