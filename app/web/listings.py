"""The lists of named events and of batches: their queries, and what they tell of each."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.engine.reader import Reader
from app.history.listings_then import listings_then
from app.web.caller import Caller
from app.web.errors import Malformed
from app.web.history import AS_OF, moment_asked
from app.web.listing import DATES, PAGES, Query, created_between, each_once, many, page_of, refuse_unknown
from app.web.paging import page_of as answer_page
from app.web.paging import page_then
from domain.batch import BatchStatus
from domain.durations import iso
from domain.errors import InvalidInput
from domain.named_event import EVENT, EventStatus
from projections.listings import BATCH, ListingFilter, ListingRow

STATUSES: dict[str, type[EventStatus] | type[BatchStatus]] = {EVENT: EventStatus, BATCH: BatchStatus}
UNDELIVERED = "filter[undelivered]"
_FILTERS = {
    EVENT: frozenset({"filter[name]", "filter[status]", UNDELIVERED, AS_OF}) | DATES | PAGES,
    BATCH: frozenset({"filter[status]", AS_OF}) | DATES | PAGES,
}


async def list_events(request: Request, reader: Reader, caller: Caller) -> Response:
    """A page of named events. Raises Malformed."""
    return await _page(EVENT, request, reader, caller)


async def list_batches(request: Request, reader: Reader, caller: Caller) -> Response:
    """A page of batches. Raises Malformed."""
    return await _page(BATCH, request, reader, caller)


async def _page(kind: str, request: Request, reader: Reader, caller: Caller) -> Response:
    parameters, environment = each_once(request.query_params), caller.environment.id
    moment = await moment_asked(parameters.get(AS_OF), reader)
    query = query_of(kind, parameters, reader.clock.now().wall if moment is None else moment.wall)
    wanted, size, read_models = query.filter, query.size, reader.read_models
    if moment is None:
        return await answer_page(
            reader,
            query,
            lambda after, before: read_models.list_listings(environment, wanted, size, after=after, before=before),
            lambda row: _event_item(row, reader.stuck(row.begun.stream)) if kind == EVENT else _batch_item(row),
        )
    return await page_then(
        reader,
        moment,
        query,
        lambda after, before: listings_then(
            reader.ledger, read_models, environment, wanted, size, moment, after, before
        ),
        # What was in the way of one is in no event.
        lambda row: _event_item(row, None) if kind == EVENT else _batch_item(row),
    )


def query_of(kind: str, parameters: Mapping[str, str], now: int) -> Query[ListingFilter]:
    """The query of a request. Raises Malformed for a filter, status or page that there is none of."""
    refuse_unknown(parameters, _FILTERS[kind])
    try:
        created_from, created_to = created_between(parameters, now)
    except InvalidInput as error:
        raise Malformed(str(error)) from error
    statuses = tuple(dict.fromkeys(_status(kind, each) for each in many(parameters, "status")))
    if UNDELIVERED in parameters:
        if parameters[UNDELIVERED] not in {"true", "false"}:
            raise Malformed(f"{UNDELIVERED} is true or false, not {parameters[UNDELIVERED][:40]!r}.")
        if statuses:
            raise Malformed(f"A list is narrowed by filter[status] or by {UNDELIVERED}, not by both.")
        pending = EventStatus.PENDING.value
        others = tuple(each.value for each in EventStatus if each is not EventStatus.PENDING)
        statuses = (pending,) if parameters[UNDELIVERED] == "true" else others
    wanted = ListingFilter(kind, parameters.get("filter[name]") or None, statuses, created_from, created_to)
    return Query(wanted, *page_of(parameters, kind))


def _status(kind: str, name: str) -> str:
    known = [each.value for each in STATUSES[kind]]
    if name not in known:
        what = "an event" if kind == EVENT else "a batch"
        raise Malformed(f"There is no status {name[:40]!r} of {what}; there are {', '.join(known)}.")
    return name


def _event_item(row: ListingRow, stuck: str | None) -> dict[str, Any]:
    begun, now = row.begun, row.standing
    changed = iso(now.changed_at)
    told = {
        "id": begun.id,
        "name": begun.name,
        "status": now.status,
        "timestamp": iso(begun.timestamp),
        "source": begun.source,
        "createdAt": iso(begun.created_at),
        "deliverAt": None if begun.deliver_at is None else iso(begun.deliver_at),
        "deliveredAt": changed if now.status == EventStatus.DELIVERED else None,
        "cancelledAt": changed if now.status == EventStatus.CANCELED else None,
        "stuck": stuck,
    }
    return {name: value for name, value in told.items() if value is not None}


def _batch_item(row: ListingRow) -> dict[str, Any]:
    begun, now = row.begun, row.standing
    return {
        "id": begun.id,
        "status": now.status,
        "runCount": begun.items,
        "createdAt": iso(begun.created_at),
        "updatedAt": iso(now.changed_at),
    }
