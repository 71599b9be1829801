"""The feed of all events of an environment, by position, and who did what of it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.auditing import look
from app.web import shapes
from app.web.asking import After, QuestionDep, only_known
from app.web.caller import ReaderDep
from app.web.cloudevents import cloud_events
from app.web.triggering import json

router = APIRouter(tags=["ledger"])
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
    told = shapes.event_items if form == "runfold" else cloud_events
    return json({"events": told(page.records), "next": page.next, "head": page.head})
