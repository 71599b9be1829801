"""Server-sent events: what happens to a run, in an environment, and runs as they change. An id is a position."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from fastapi import Header, Request
from fastapi.responses import Response, StreamingResponse

from app.engine.watching import Seen, Watcher, seen
from app.event_formats import event_items
from app.history.auditing import between, chosen
from app.service import Service
from app.web.asking import After, QuestionDep, only_known
from app.web.caller import Caller, CallerDep, ServiceDep, VisitorDep, history_of
from app.web.docs import VOCABULARY_PARAMETER
from app.web.errors import Malformed
from app.web.grants import must, resources_of
from app.web.routing import room
from app.web.runs import whole
from app.web.staying import Stay
from app.web.subscriptions import (
    TAGS_MAX,
    Shape,
    TooMuchChanged,
    changed,
    each_of,
    watcher_of_batch,
    watcher_of_run,
    watcher_of_tags,
)
from domain.audit import Question
from domain.events import Recorded
from domain.status import FINAL

router = room("streams")
HEARTBEAT_SECONDS = 15.0
PAGE = 500
NOTHING_MORE: dict[int | str, dict[str, Any]] = {204: {"description": "The run is over, and all is known."}}
ALL_KNOWN: dict[int | str, dict[str, Any]] = {204: {"description": "All of the time that was asked for is known."}}
HEARTBEAT = b": heartbeat\n\n"


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


LastEventId = Annotated[
    str | None, Header(alias="last-event-id", description="The id of the last event that was received.")
]
RUNS_PARAMETERS = {
    "parameters": [
        *VOCABULARY_PARAMETER["parameters"],
        *(
            {"name": name, "in": "query", "required": False, "description": meaning, "schema": {"type": "string"}}
            for name, meaning in (
                ("run", "The id of a run: the stream ends when that is over."),
                ("batch", "The id of a batch."),
                ("tags", "Tags, joined by commas: runs with all of them."),
            )
        ),
    ]
}


@router.get("/api/v1/runs/stream", openapi_extra=RUNS_PARAMETERS, response_class=EventStream, responses=NOTHING_MORE)
async def stream_runs(request: Request, service: ServiceDep, caller: VisitorDep, last: LastEventId = None) -> Response:
    """Runs as they are, and again each time that they change: one run, those of a batch, or those with some tags."""
    shape = await _shape_of(request, service, caller)
    position = _position(last, -1)
    if shape.watcher.run is not None and _is_over(await service.history(shape.watcher.run), position):
        return Response(status_code=204)  # whoever asks again need not come back
    return _streaming(_runs(shape, position, service, caller), Stay(caller, service))


@router.get("/api/v1/runs/{run}/stream", response_class=EventStream, responses=NOTHING_MORE)
async def stream_run(
    run: str, service: ServiceDep, caller: VisitorDep, last: LastEventId = None, after: After = 0
) -> Response:
    """What happens to a run, from its beginning until it is over."""
    history = await history_of(run, service, caller)
    must(caller, "read", *resources_of(seen(history).row))
    position = _position(last, after)
    if _is_over(history, position):
        return Response(status_code=204)
    return _streaming(_events_of_run(run, position, service, caller), Stay(caller, service))


@router.get("/api/v1/ledger/stream", response_class=EventStream, responses=ALL_KNOWN)
async def stream_ledger(
    request: Request,
    service: ServiceDep,
    caller: CallerDep,
    question: QuestionDep,
    last: LastEventId = None,
    after: After = 0,
) -> Response:
    """Everything that happens in the environment, in order, or what is asked for of that."""
    only_known(request, "after")
    position = _position(last, after)
    if question.since is not None:
        position, _ = await service.read(between, service.ledger, question, position, await service.head())
    if await _is_behind(position, question, service):
        return Response(status_code=204)  # all of that time is known
    return _streaming(_events(position, service, question), Stay(caller, service))


async def _shape_of(request: Request, service: Service, caller: Caller) -> Shape:
    """What is subscribed to. Raises Malformed, NotFound, NotGranted."""
    run, batch, tags = (request.query_params.get(name) for name in ("run", "batch", "tags"))
    if sum((run is not None, batch is not None, bool(tags))) != 1:
        raise Malformed(f"A stream of runs is of a run, of a batch, or of 1 to {TAGS_MAX} tags.")
    if run is not None:
        return Shape(await watcher_of_run(run, service, caller), "")
    if batch is not None:
        return Shape(await watcher_of_batch(batch, service, caller), "")
    return Shape(watcher_of_tags(tags or "", caller), "")


async def _runs(shape: Shape, position: int, service: Service, caller: Caller) -> AsyncGenerator[bytes]:
    stay = Stay(caller, service)
    with service.watching.watcher(shape.watcher) as watcher:
        found, upto = await _changed_or_all(shape, position, service)
        ahead: dict[str, int] = {}
        while True:
            async for each, is_last in _up_to_last(found):
                ahead[each.row.id] = each.row.position
                # Only with the last of them all is known up to there.
                yield _event("run", upto if is_last else None, await whole(each.history, service, caller))
                if watcher.run is not None and each.row.status in FINAL:
                    return
            if service.watching.is_closed:
                return
            # What was told as it was behind that position arrives again.
            ahead = {run: at for run, at in ahead.items() if at > upto}
            arrived = await watcher.news(stay.at_most(HEARTBEAT_SECONDS))
            news = [each for each in arrived if each.row.position > ahead.get(each.row.id, upto)]
            upto = max(upto, *(each.row.position for each in news), 0) if watcher.run else service.watching.told
            found = each_of(news)
            if not news:
                yield HEARTBEAT


async def _changed_or_all(shape: Shape, position: int, service: Service) -> tuple[AsyncIterator[Seen], int]:
    """What changed behind a position; where that is too much, what a beginning has."""
    try:
        return await changed(shape, position, service)
    except TooMuchChanged:
        return await changed(shape, -1, service)


async def _up_to_last(runs: AsyncIterator[Seen]) -> AsyncIterator[tuple[Seen, bool]]:
    """Each run, and whether it is the last one."""
    before: Seen | None = None
    async for each in runs:
        if before is not None:
            yield before, False
        before = each
    if before is not None:
        yield before, True


async def _events_of_run(run: str, position: int, service: Service, caller: Caller) -> AsyncGenerator[bytes]:
    stay = Stay(caller, service)
    with service.watching.watcher(Watcher(caller.environment.id, run=run)) as watcher:
        history: Sequence[Recorded] = await service.history(run)
        while True:
            for item in event_items(each for each in history if each.position > position):
                position = item["position"]
                yield _event(item["type"], position, item)
            if (history and _is_over(history, position)) or service.watching.is_closed:
                return
            news: list[Seen] = await watcher.news(stay.at_most(HEARTBEAT_SECONDS))
            history = news[0].history if news else ()
            if not news:
                yield HEARTBEAT


async def _events(position: int, service: Service, question: Question) -> AsyncGenerator[bytes]:
    until = question.until
    while True:
        head = service.loop.feed.head.position
        while position < head:
            records = await _records_after(position, head, service)
            in_time = [each for each in records if until is None or each.recorded_at < until]
            wanted = await _chosen(in_time, question, service)
            for item in event_items(wanted):
                yield _event(item["type"], item["position"], item)
            position = records[-1].position
            if len(in_time) < len(records):
                yield b"id: %d\n\n" % position
                return
        # Also where nothing of this environment was among it, so that whoever comes back need not look again.
        yield b"id: %d\n\n" % position
        if service.watching.is_closed:
            return
        await service.watching.anything(position, HEARTBEAT_SECONDS)


async def _records_after(position: int, head: int, service: Service) -> Sequence[Recorded]:
    """The next events: from memory if they are recent."""
    commit = service.loop.feed.after(position, PAGE)
    if commit is not None and commit.records:
        return commit.records
    return await service.read(lambda: service.ledger.read_after(position, limit=PAGE, upto=head))


async def _chosen(records: Sequence[Recorded], question: Question, service: Service) -> Sequence[Recorded]:
    """Those that are asked for. Tasks, and who began a bulk action, have to be looked up in the database."""
    if question.tasks or question.actors:
        return await service.read(chosen, service.ledger, question, records)
    return [each for each in records if question.wants(each)]


async def _is_behind(position: int, question: Question, service: Service) -> bool:
    """Whether the event at a position was recorded when the time of a question was over."""
    if question.until is None or position == 0:
        return False
    here = await service.read(lambda: service.ledger.read_after(position - 1, limit=1))
    return any(each.recorded_at >= question.until for each in here)


def _is_over(history: Sequence[Recorded], position: int) -> bool:
    """Whether a run is, and all that happened to it is known."""
    return history[-1].position <= position and seen(history).row.status in FINAL


def _position(last: str | None, otherwise: int) -> int:
    if not last:
        return otherwise
    if not (last.isascii() and last.isdigit() and len(last) <= 18):
        raise Malformed(f"Last-Event-ID is the id of an event of this stream, not {last[:40]!r}.")
    return int(last)


def _event(kind: str, position: int | None, item: Any) -> bytes:
    """JSON has no line breaks of its own, so the data is one line."""
    named = b"" if position is None else b"id: %d\n" % position
    return b"%sevent: %s\ndata: %s\n\n" % (named, kind.encode(), _one_line(item))


def _one_line(item: Any) -> bytes:
    text = msgspec.json.encode(item)
    # What users sent is kept with the white space that it had.
    return b" ".join(text.splitlines()) if b"\n" in text or b"\r" in text else text


async def _while_here(chunks: AsyncGenerator[bytes], stay: Stay) -> AsyncIterator[bytes]:
    """What is told, until the caller would not be let in any more."""
    async with aclosing(chunks):
        async for chunk in chunks:
            if stay.why_over() is not None:
                return
            yield chunk


def _streaming(chunks: AsyncGenerator[bytes], stay: Stay) -> Response:
    return EventStream(_while_here(chunks, stay), headers={"cache-control": "no-store"})
