"""Traces of runs in the shapes that Trigger.dev's SDK reads: a tree, flat pages of it, and one span."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response

from app.engine.aggregates import until
from app.engine.reader import Reader
from app.history.moments import Moment
from app.web.caller import Caller, CallerDep, ReaderDep, history_of
from app.web.errors import Malformed
from app.web.history import AsOf, moment_asked, up_to
from app.web.routing import room
from app.web.spans import Span, spans_of
from app.web.triggering import json
from domain.durations import iso
from domain.errors import NotFound
from domain.events import Recorded, RunArchived, RunTriggered
from domain.ports import Ledger
from projections.journal import journal_of

router = room("runs")
RUNS_MAX = 200
"""Of how many runs a trace tells: the nearest ones."""
SPANS_MAX = 10_000
LEVEL = "TRACE"

PageSize = Annotated[
    int | None, Query(alias="page[size]", ge=1, le=SPANS_MAX, description="Spans in a page; all as a tree if left out.")
]
PageAfter = Annotated[str | None, Query(alias="page[after]", description="The `next` of the page before.")]


@router.get("/api/v1/runs/{run}/trace")
async def trace(
    run: str,
    reader: ReaderDep,
    caller: CallerDep,
    size: PageSize = None,
    after: PageAfter = None,
    as_of: AsOf = None,
) -> Response:
    """What a run did, by now or by then, and up to 200 runs below it, as a tree of spans.

    With `page[size]` one flat page of them. What lasted still has lasted until that moment.
    """
    then = await moment_asked(as_of, reader)
    spans, is_cut = await _spans(run, reader, caller, then)
    now = reader.clock.now().wall if then is None else then.wall
    if size is not None:
        return json(_page(spans, size, after, now, is_cut=is_cut))
    return json({"trace": {"traceId": spans[0].row.root or run, "rootSpan": _tree(spans, now)}})


@router.get("/api/v1/runs/{run}/spans/{span}")
async def span(run: str, span: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """One span of the trace of a run, as it is or was, with the runs that it triggered."""
    then = await moment_asked(as_of, reader)
    spans, _ = await _spans(run, reader, caller, then)
    found = next((each for each in spans if each.id == span), None)
    if found is None:
        raise NotFound(f"Span {span[:100]} not found in the trace of run {run}.")
    rows = {each.row.id: each.row for each in spans}
    triggered = [
        {
            "runId": row.id,
            "taskIdentifier": row.task,
            "status": caller.vocabulary.words[row.status],
            "createdAt": iso(row.created_at),
        }
        for row in (rows[each] for each in found.runs if each in rows)
    ]
    now = reader.clock.now().wall if then is None else then.wall
    body: dict[str, Any] = {
        "spanId": found.id,
        "parentId": found.parent,
        "runId": found.row.id,
        "message": found.message,
    }
    body |= _state(found) | {"startTime": iso(found.started_at), "durationMs": _duration(found, now)}
    if found.error:
        body["events"] = [_exception(found)]
    return json(body | ({"triggeredRuns": triggered} if triggered else {}))


async def _spans(run: str, reader: Reader, caller: Caller, then: Moment | None) -> tuple[list[Span], bool]:
    """The spans of a run and of those below it; and whether some were left out. Raises NotFound."""
    history = up_to(then, await history_of(run, reader, caller), f"Run {run}")
    return await reader.read(_read, reader.ledger, history, then and then.position)


def _read(ledger: Ledger, history: Sequence[Recorded], upto: int | None) -> tuple[list[Span], bool]:
    """The same, of the run with this history (this blocks): each generation is one query."""
    run = history[0].stream
    histories, level, is_cut = {run: history}, [run], False
    while level:
        named = dict.fromkeys(
            child
            for each in level
            for entry in journal_of(histories[each])
            for child in entry.runs
            if child not in histories
        )
        free = RUNS_MAX - len(histories)
        is_cut = is_cut or len(named) > free
        found = ledger.read_streams(list(islice(named, free)))
        shown = [each for each in named if each in found and _is_shown(found[each], history[0].environment)]
        there = {each: known for each in shown if (known := until(upto, found[each]))}
        level = list(there)
        histories |= there
    spans = list(islice(spans_of(histories, run), SPANS_MAX + 1))
    return spans[:SPANS_MAX], is_cut or len(spans) > SPANS_MAX


def _is_shown(history: Sequence[Recorded], environment: str) -> bool:
    first, last = history[0], history[-1]
    is_run = isinstance(first.event, RunTriggered) and first.environment == environment
    return is_run and not isinstance(last.event, RunArchived)


def _tree(spans: Sequence[Span], now: int) -> dict[str, Any]:
    """The root with its children; spans come behind their parents."""
    nodes: dict[str, dict[str, Any]] = {}
    for each in spans:
        row = each.row
        data: dict[str, Any] = {
            "message": each.message,
            "taskSlug": row.task,
            "startTime": iso(each.started_at),
            "duration": _duration(each, now),
            **_state(each),
            "queueName": row.queue,
            "events": [_exception(each)] if each.error else [],
        }
        more = {"workerVersion": row.version, "machinePreset": row.machine}
        data |= {name: value for name, value in more.items() if value is not None}
        nodes[each.id] = {"id": each.id, "runId": row.id, "data": data, "children": []}
        # Of the root it is not told what is above it.
        if each is not spans[0] and each.parent in nodes:
            nodes[each.id]["parentId"] = each.parent
            nodes[each.parent]["children"].append(nodes[each.id])
    return nodes[spans[0].id]


def _page(spans: Sequence[Span], size: int, after: str | None, now: int, *, is_cut: bool) -> dict[str, Any]:
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < len(str(SPANS_MAX)) + 1):
        raise Malformed(f"page[after] is the `next` of the page before, not {after[:40]!r}.")
    start = int(after) if after is not None else 0
    end = start + size
    pagination: dict[str, Any] = {"next": str(end)} if end < len(spans) else {}
    return {
        "data": [_flat(each, now) for each in spans[start:end]],
        "attemptFailures": [
            {"spanId": each.id, "attemptNumber": each.attempt, "runId": each.row.id}
            for each in spans[start:end]
            if each.is_failure
        ],
        "pagination": pagination | ({"truncated": True} if is_cut else {}),
    }


def _flat(each: Span, now: int) -> dict[str, Any]:
    body: dict[str, Any] = {"id": each.id, "runId": each.row.id, "message": each.message}
    body |= {"startTime": iso(each.started_at), "duration": _duration(each, now), **_state(each)}
    more = {"parentId": each.parent, "attemptNumber": each.attempt}
    return body | {name: value for name, value in more.items() if value is not None}


def _state(each: Span) -> dict[str, Any]:
    return {
        "isError": each.error is not None and not each.is_canceled,
        "isPartial": each.ended_at is None,
        "isCancelled": each.is_canceled,
        "level": LEVEL,
    }


def _exception(each: Span) -> dict[str, Any]:
    at = each.started_at if each.ended_at is None else each.ended_at
    return {"name": "exception", "time": iso(at), "properties": {"exception": {"message": each.error}}}


def _duration(each: Span, now: int) -> int:
    """Milliseconds; of what lasts still, until now."""
    return max(0, (now if each.ended_at is None else each.ended_at) - each.started_at)
