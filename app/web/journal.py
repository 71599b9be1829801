"""The journal of a run: its steps, what they triggered, and its waits."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response

from app.engine.triggered import value_of
from app.history.journal import PAGE_MAX_BYTES
from app.web.caller import CallerDep, ReaderDep
from app.web.history import AsOf, history_until
from app.web.routing import room
from app.web.shapes import error_body
from app.web.triggering import json
from domain.durations import iso
from domain.events import NOTHING
from domain.ports import Ledger
from projections.journal import EntryRow, journal_of

router = room("runs")
ENTRY_BYTES = 300
"""About what an entry takes without its values."""


@router.get("/api/v1/runs/{run}/journal")
async def journal(
    run: str,
    reader: ReaderDep,
    caller: CallerDep,
    as_of: AsOf = None,
    after: Annotated[int, Query(ge=-1, le=2**53, description="The index behind which to begin; all if left out.")] = -1,
) -> Response:
    """The steps of a run with their results, the runs that it triggered, and its waits, in the order of the code."""
    journal = journal_of(await history_until(as_of, run, reader, caller))
    rows = [row for row in journal if row.entry.index > after]
    entries = await reader.read(_page_of, reader.ledger, rows)
    return json({"entries": entries} | ({"next": entries[-1]["index"]} if len(entries) < len(rows) else {}))


def _page_of(ledger: Ledger, rows: Sequence[EntryRow]) -> list[dict[str, Any]]:
    """As many as go into one page, but at least one (this blocks)."""
    entries: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        size += ENTRY_BYTES + (row.result_blob.size if row.result_blob else len(bytes(row.result)))
        size += sum(map(len, row.runs)) + sum(map(len, row.started.targets if row.started else ()))
        if entries and size > PAGE_MAX_BYTES:
            break
        entries.append(_item(ledger, row))
    return entries


def _item(ledger: Ledger, row: EntryRow) -> dict[str, Any]:
    entry = row.entry
    item: dict[str, Any] = {
        "index": entry.index,
        "name": entry.name,
        "number": entry.number,
        "kind": str(row.kind),
        "status": str(row.status),
        "attempt": row.attempt,
        "at": iso(row.at),
        "after": entry.after,
        "forked": entry.forked or None,
        "error": error_body(row.error) if row.error else None,
        "runs": row.runs or None,
        "batch": row.batch,
        "endedAt": None if row.ended_at is None else iso(row.ended_at),
        "until": None if row.until is None else iso(row.until),
    }
    if row.started and row.started.targets:
        item |= {"any": row.started.is_any, "targets": row.started.targets}
    if row.completed:
        item |= {"done": row.completed.done or None, "unknown": row.completed.unknown or None}
    shown = {name: value for name, value in item.items() if value is not None}
    # A step may return null, which is a result.
    result = value_of(ledger, row.result, row.result_blob)
    return shown if result is NOTHING else shown | {"result": result}
