"""The feed of all events of an environment, by position."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from app.web import shapes
from app.web.caller import CallerDep, ReaderDep
from app.web.triggering import json

router = APIRouter(tags=["ledger"])
LIMIT_MAX = 1_000


@router.get("/api/v1/ledger/events")
async def events(
    reader: ReaderDep,
    caller: CallerDep,
    after: Annotated[int, Query(ge=0, le=2**62, description="The position behind which to begin.")] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many positions to look through.")] = 100,
) -> Response:
    """The environment's events behind a position, in order; `next` is where to go on, `head` the last position."""
    head = await reader.head()
    records = await reader.read(lambda: reader.ledger.read_after(after, limit=limit, upto=head))
    mine = [each for each in records if each.environment == caller.environment.id]
    following = records[-1].position if records else min(after, head)
    return json({"events": shapes.event_items(mine), "next": following, "head": head})
