"""The feed of all events of an environment, by position, and who did what of it."""

from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import Response

from app.event_formats import cloud_events, event_items
from app.history.auditing import look
from app.history.comparer import Comparer
from app.history.verifier import Verifier
from app.web.asking import After, QuestionDep, only_known
from app.web.caller import CallerDep, ReaderDep, ServiceDep
from app.web.routing import room
from app.web.triggering import json
from domain.durations import iso

router = room("ledger")
LIMIT_MAX = 1_000


@router.get("/api/v1/ledger/events")
async def events(
    request: Request,
    reader: ReaderDep,
    question: QuestionDep,
    after: After = 0,
    upto: Annotated[int | None, Query(ge=0, le=2**62, description="The last position; the head, if left out.")] = None,
    limit: Annotated[
        int, Query(ge=1, le=LIMIT_MAX, description="How many positions to look through; with a filter, to find.")
    ] = 100,
    form: Annotated[
        Literal["runfold", "cloudevents"], Query(alias="format", description="How events are told; `runfold` as here.")
    ] = "runfold",
) -> Response:
    """The environment's events behind a position, in order; `next` is where to go on, `head` the last position."""
    only_known(request, "after", "upto", "limit", "format")
    page = await look(reader, question, after, limit, upto)
    told = event_items if form == "runfold" else cloud_events
    return json({"events": told(page.records), "next": page.next, "head": page.head})


@router.get("/api/v1/ledger/verified")
async def verified(service: ServiceDep, _caller: CallerDep) -> Response:
    """How far the ledger, that of all environments, is known to be as appended, and how far lists follow from it."""
    compared = {"readModels": compared_item(service.comparer)}
    return json({"head": service.loop.feed.head.position, **verified_item(service.verifier), **compared})


def verified_item(verifier: Verifier) -> dict[str, Any]:
    """What the verifier has found."""
    proved = verifier.proved
    return {
        "position": proved.position,
        "at": None if proved.at is None else iso(proved.at),
        "eventsPerSecond": verifier.per_second,
        "again": {"position": proved.again, "rounds": proved.rounds},
        "fault": verifier.fault,
    }


def compared_item(comparer: Comparer) -> dict[str, Any]:
    """What the comparison of the read models has found."""
    compared = comparer.compared
    return {
        "position": compared.position,
        "at": None if compared.at is None else iso(compared.at),
        "perSecond": comparer.per_second,
        "rows": compared.rows,
        "rounds": compared.rounds,
        "rebuilds": compared.rebuilds,
        "fault": comparer.fault,
    }
