"""One page of a list, with the caller's own writes in it, and where the pages beside it are."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from fastapi.responses import Response

from app.reader import Reader
from app.web.listing import Query, cursor_of
from app.web.triggering import json

LIST_WAIT_SECONDS = 1.0
LAG_HEADER = "x-runfold-lag"


class Listed(Protocol):
    """A row of a list, whose id sorts by time."""

    @property
    def id(self) -> str:
        """What a cursor stands at."""
        ...


R = TypeVar("R", bound=Listed)


async def page_of(
    reader: Reader,
    query: Query[Any],
    ask: Callable[[str | None, str | None], tuple[list[R], bool]],
    item: Callable[[R], dict[str, Any]],
) -> Response:
    """The page that `ask` gives behind one id or ahead of another, and says whether there is more that way."""
    head = await reader.head()
    position = await reader.followed(head, LIST_WAIT_SECONDS)
    rows, has_more = await reader.read(ask, None if query.before else query.after, query.before)
    # Backwards, there is always a page behind (the one that was left), and `has_more` speaks of what is newer.
    has_older, has_newer = (bool(rows), has_more) if query.before else (has_more, bool(rows and query.after))
    pagination: dict[str, str] = {}
    if has_older:
        pagination["next"] = cursor_of(rows[-1].id)
    if has_newer:
        pagination["previous"] = cursor_of(rows[0].id)
    response = json({"data": [item(row) for row in rows], "pagination": pagination})
    if position < head:
        response.headers[LAG_HEADER] = str(head - position)
    return response
