"""Queues: how much runs and waits in each, their limits, and who may start nothing at present."""

from typing import Any

from starlette.responses import Response

from app.pages.api import NOT_FOUND, ApiError
from app.pages.moment import Look
from app.pages.visits import Visit, see
from app.pages.words import segment
from domain.errors import InvalidInput

SIZE = "50"


async def show(visit: Visit) -> Response:
    """The queues by their names, as they are or were."""
    moment = await visit.look()
    answer = await visit.api.get("/api/v1/queues", page=visit.query("page") or "1", perPage=SIZE, **moment.as_of)
    limit = await _bound_at(visit, moment)
    queues, pagination = answer["data"], answer["pagination"]
    return visit.page("queues.html", queues=queues, pagination=pagination, limit=limit)


async def pause(visit: Visit) -> Response:
    """Let nothing of a queue start."""
    return await _change(visit, "pause", {"action": "pause"})


async def resume(visit: Visit) -> Response:
    """Let it go on."""
    return await _change(visit, "pause", {"action": "resume"})


async def override(visit: Visit) -> Response:
    """Let another limit count than that of the tasks; the tasks' again if none is entered."""
    if not visit.field("limit").strip():
        return await _change(visit, "concurrency/reset", {})
    return await _change(visit, "concurrency/override", {"concurrencyLimit": _limit(visit)})


async def bound(visit: Visit) -> Response:
    """Bound the environment, or bound it no more."""
    limit = _limit(visit) if visit.field("limit").strip() else None
    await visit.api.send("PUT", "/api/v1/concurrency", {"concurrencyLimit": limit})
    return see("/queues")


async def _change(visit: Visit, what: str, body: dict[str, Any]) -> Response:
    await visit.api.post(f"/api/v1/queues/{segment(visit.field('queue'))}/{what}", body | {"type": "id"})
    return see("/queues")


async def _bound_at(visit: Visit, moment: Look) -> int | None:
    try:
        answer = await visit.api.get("/api/v1/concurrency", **moment.as_of)
    except ApiError as error:
        # The first events of a ledger are older than the environment, which had no queues and no limit then.
        if moment.is_past and error.status == NOT_FOUND:
            return None
        raise
    limit: int | None = answer["concurrencyLimit"]
    return limit


def _limit(visit: Visit) -> int:
    text = visit.field("limit").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput(f"A limit is a whole number of 0 or more, not {text[:40]!r}.")
    return int(text)
