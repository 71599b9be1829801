"""What changed in an environment between two moments."""

from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response

from app.engine.environments import KEY_ID_LENGTH
from app.history.differences import Change, Told, changes_between
from app.history.moments import BEGINNING, present
from app.web import plans
from app.web.asking import After
from app.web.caller import Caller, CallerDep, ReaderDep
from app.web.errors import Malformed
from app.web.history import moment_asked
from app.web.routing import room
from app.web.triggering import json
from domain.durations import iso
from domain.environment import Environment
from domain.queue import QueueState
from domain.run import Run

router = room("ledger")
LOOKED_MAX = 2_000
OF_TICKS = frozenset({"nextRun", "nextRunEffectiveAt", "lastRun", "updatedAt"})
"""What changes of a schedule as time goes by."""
From = Annotated[
    str | None, Query(alias="from", description="A position of the ledger, or a time, as in `asOf`; 0 if left out.")
]
To = Annotated[str | None, Query(alias="to", description="The same, and not earlier; now, if left out.")]


@router.get("/api/v1/ledger/diff")
async def differences(
    reader: ReaderDep,
    caller: CallerDep,
    since: From = None,
    until: To = None,
    after: After = 0,
    limit: Annotated[
        int, Query(ge=1, le=LOOKED_MAX, description="How many positions to look through for one page.")
    ] = LOOKED_MAX,
) -> Response:
    """The runs, queues, schedules and settings that are not what they were: each once, `before` and `after`."""
    first = await moment_asked(since, reader, "from") or BEGINNING
    last = await moment_asked(until, reader, "to") or await present(reader)
    if first.position > last.position:
        raise Malformed(f"from is event {first.position}, and to is before it: event {last.position}.")

    def view(state: Told | None) -> dict[str, Any] | None:
        return _view(state, caller)

    page = await reader.read(
        lambda: changes_between(reader.ledger, caller.environment.id, first, last, after, limit, view)
    )
    more = {"next": page.next} if page.next < last.position else {}
    told = [_item(each) for each in page.changes]
    return json({"from": first.position, "to": last.position, "changes": told} | more)


def _item(change: Change) -> dict[str, Any]:
    kind, name = _named(change.state)
    made_by = change.made_by
    return {
        "kind": kind,
        "id": change.state.id,
        "name": name,
        "position": made_by.position,
        "at": iso(made_by.recorded_at),
        "actor": made_by.actor,
        "before": change.before,
        "after": change.after,
    }


def _named(state: Told) -> tuple[str, str]:
    match state:
        case Run():
            return "run", state.task
        case QueueState():
            return "queue", state.name
        case Environment():
            return "environment", state.slug
        case _:
            return "schedule", state.plan.target.task


def _view(state: Told | None, caller: Caller) -> dict[str, Any] | None:
    match state:
        case None:
            return None
        case Run():
            return {"status": caller.vocabulary.words[state.status]}
        case QueueState():
            return {"paused": state.is_paused, "override": state.override}
        case Environment():
            return {
                "concurrencyLimit": state.concurrency_limit,
                "currentVersion": state.current,
                "versions": sorted(state.versions),
                "keys": sorted(each[:KEY_ID_LENGTH] for each in state.keys),
                # Values are nobody's to read.
                "variables": sorted(state.variables),
            }
        case _ if state.is_deleted:
            return None
        case _:
            shown = plans.schedule_item(state, caller.environment)
            return {name: value for name, value in shown.items() if name not in OF_TICKS}
