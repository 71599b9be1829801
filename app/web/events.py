"""Routes about named events: send one or many, look at one, cancel one that is to come."""

from collections.abc import Mapping, Sequence

from fastapi import Request
from fastapi.responses import Response

from app import events
from app.engine.reader import Reader
from app.history.outcomes import run_row_of
from app.values import PAYLOAD_MAX_BYTES
from app.web import bodies, listings
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, origin_of, read_body
from app.web.docs import EVENT_LIST_PARAMETERS, VOCABULARY_PARAMETER, body_of
from app.web.event_shapes import RUNS_MAX, event_item, runs_in
from app.web.history import AsOf, moment_asked, up_to
from app.web.routing import room
from app.web.sending import send_of
from app.web.triggering import ENVELOPE_MAX_BYTES, json
from domain import commands, named_event
from domain.errors import InvalidInput
from domain.events import Recorded
from projections.run_row import RunRow

router = room("events")
EVENTS_MAX = 1_000
BULK_MAX_BYTES = 33_554_432


@router.post("/api/v1/events", openapi_extra=body_of("SendEventRequest"))
async def send(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Send an event, which starts what is subscribed to its name. An id that was sent before starts nothing."""
    text = await read_body(request, PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES)
    body = bodies.decode(text, bodies.SendEventBody)
    origin = origin_of(service, caller)
    command = send_of(body.event or body, body.options, service, origin, caller.request_key)
    await service.loop.submit(command)
    return json(await _told(await service.history(command.event), service, caller, {}))


@router.get("/api/v1/events", openapi_extra=EVENT_LIST_PARAMETERS)
async def list_all(request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The events of the environment without payloads and runs, newest first, the caller's own writes included."""
    return await listings.list_events(request, reader, caller)


@router.post("/api/v1/events/bulk", openapi_extra=body_of("SendEventsRequest"))
async def send_many(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Send up to 1,000 events. One that cannot be sent refuses all, before any is sent."""
    body = bodies.decode(await read_body(request, BULK_MAX_BYTES), bodies.SendEventsBody)
    if not 1 <= len(body.events) <= EVENTS_MAX:
        raise InvalidInput(f"So many events cannot be sent at once: 1 to {EVENTS_MAX} can, not {len(body.events)}.")
    origin, key = origin_of(service, caller), caller.request_key
    asked: list[commands.SendEvent] = []
    for index, each in enumerate(body.events):
        try:
            request_key = None if key is None else f"{key}\0{index}"
            asked.append(send_of(each, body.options, service, origin, request_key))
        except InvalidInput as error:
            raise InvalidInput(f"Event {index}: {error}") from error
    # They are asked for together, and so share commits.
    for answered in [service.loop.ask(command) for command in asked]:
        await answered
    histories = await service.read(service.ledger.read_streams, [command.event for command in asked])
    return json({"events": [await _told(histories[command.event], service, caller, {}) for command in asked]})


@router.post("/api/v1/events/{event:path}/cancel")
async def cancel(event: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Let an event that is not delivered yet start nothing. Safe to repeat."""
    await events.history_of(event, service, caller.environment.id)
    stream = named_event.stream_of(caller.environment.id, event)
    await service.loop.submit(commands.CancelEvent(event=stream, **origin_of(service, caller)))
    return json(await _told(await service.history(stream), service, caller, {}))


@router.get("/api/v1/events/{event:path}", openapi_extra=VOCABULARY_PARAMETER)
async def retrieve(event: str, reader: ReaderDep, caller: CallerDep, as_of: AsOf = None) -> Response:
    """An event with the runs that it has started, as it is or was; of the first 100 of these it tells the status."""
    then = await moment_asked(as_of, reader)
    history = up_to(then, await events.history_of(event, reader, caller.environment.id), f"Event {event[:60]}")
    upto = None if then is None else then.position
    runs = await reader.read(lambda: reader.ledger.read_streams(runs_in(history)[:RUNS_MAX], upto=upto))
    rows = {run: run_row_of(each) for run, each in runs.items()}
    return json(await _told(history, reader, caller, rows, is_past=then is not None))


async def _told(
    history: Sequence[Recorded], reader: Reader, caller: Caller, rows: Mapping[str, RunRow], *, is_past: bool = False
) -> dict[str, object]:
    sent = events.sent_in(history)
    payload = await reader.value(sent.payload, sent.payload_blob)
    # What was in the way of one that was to come is in no event.
    stuck = None if is_past else reader.stuck(history[0].stream)
    return event_item(history, payload, caller.vocabulary.words, rows, stuck)
