"""One page of a list, with the caller's own writes in it, and where the pages beside it are."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi.responses import Response

from app.engine.reader import Reader
from app.history.moments import Moment
from app.history.walking import Found, Row
from app.web.listing import Query, cursor_of
from app.web.triggering import json
from domain.errors import Unavailable

LIST_WAIT_SECONDS = 1.0
LAG_HEADER = "x-runfold-lag"

R = TypeVar("R", bound=Row)


async def page_of(
    reader: Reader,
    query: Query[Any],
    ask: Callable[[str | None, str | None], tuple[list[R], bool]],
    item: Callable[[R], dict[str, Any]],
) -> Response:
    """The page that `ask` gives behind one id or ahead of another, and says whether there is more that way."""
    lag = await lag_of(reader)
    found = await reader.read(ask, None if query.before else query.after, query.before)
    return told_lag(_page(query, Found(*found), item), lag)


async def page_then(
    reader: Reader,
    moment: Moment,
    query: Query[Any],
    ask: Callable[[str | None, str | None], Found[R]],
    item: Callable[[R], dict[str, Any]],
) -> Response:
    """The same of a list as it was."""
    lag = await lag_of(reader, moment.position)
    found = await reader.read(ask, None if query.before else query.after, query.before)
    return told_lag(_page(query, found, item), lag)


async def lag_of(reader: Reader, position: int | None = None) -> int:
    """Wait for the caller's own writes, or for a position; by how many events the read models lag in spite of that."""
    wanted = await reader.head() if position is None else position
    return max(0, wanted - await reader.followed(wanted, LIST_WAIT_SECONDS))


async def be_there(reader: Reader, position: int) -> None:
    """Wait until the read models tell of this position. Raises Unavailable when they do not soon."""
    if lag := await lag_of(reader, position):
        raise Unavailable(f"The read models are {lag} events behind event {position}: ask again in a moment.")


def told_lag(response: Response, lag: int) -> Response:
    """The answer, with the lag if there is one."""
    if lag > 0:
        response.headers[LAG_HEADER] = str(lag)
    return response


def _page(query: Query[Any], found: Found[R], item: Callable[[R], dict[str, Any]]) -> Response:
    rows, has_more, edge = found
    # Backwards, there is always a page behind (the one that was left), and `has_more` speaks of what is newer.
    has_older, has_newer = (bool(rows), has_more) if query.before else (has_more, bool(rows and query.after))
    older, newer = (None, edge) if query.before else (edge, None)
    pagination: dict[str, str] = {}
    if has_older:
        pagination["next"] = cursor_of(older or rows[-1].id)
    if has_newer:
        pagination["previous"] = cursor_of(newer or rows[0].id)
    return json({"data": [item(row) for row in rows], "pagination": pagination})
