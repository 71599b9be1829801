"""Pages that follow what happens: parts of them are sent again, as server-sent events, when they have changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import Response

from app.pages.api import ApiError
from app.pages.rendering import HEADERS
from app.pages.visits import Visit
from app.service import Service
from app.web.streaming import HEARTBEAT, HEARTBEAT_SECONDS, EventStream
from domain.errors import RunfoldError

PACE_SECONDS = 0.15
"""How often a page changes at most: nobody reads faster, and the engine has more to do than to be watched."""
REST = 4
"""How many times as long a page rests as it took to make it, so that no viewer keeps a reader busy."""
OVER = "over"
Parts = Callable[[], Awaitable[dict[str, str]]]


async def streamed(visit: Visit, parts: Parts) -> Response:
    """Send each part that differs from what was sent before, by its name, until it says that it is over."""
    service = await visit.service()
    headers = HEADERS | {"x-accel-buffering": "no"}
    return EventStream(_events(service, parts), headers=headers)


async def _events(service: Service, parts: Parts) -> AsyncIterator[bytes]:
    sent: dict[str, str] = {}
    clock = asyncio.get_running_loop().time
    while True:
        position, began = service.loop.feed.head.position, clock()
        try:
            found = await parts()
        except (ApiError, RunfoldError):
            # The key was revoked, or this node no longer writes: the browser asks again and is told.
            return
        for name, text in found.items():
            if sent.get(name) != text:
                yield _event(name, text)
        sent |= found
        if OVER in found or service.watching.is_closed:
            return
        made = clock()
        await service.watching.anything(position, HEARTBEAT_SECONDS)
        if service.loop.feed.head.position == position:
            yield HEARTBEAT
        await asyncio.sleep(pause(made - began, clock() - made))


def pause(took: float, quiet: float) -> float:
    """How many seconds more a page rests that took so long to make, and that has not been made anew for so long."""
    return max(0.0, max(PACE_SECONDS, REST * took) - quiet)


def _event(name: str, text: str) -> bytes:
    # Of all that ends a line elsewhere, only these two do in a stream.
    lines = "\n".join(f"data: {line}" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return f"event: {name}\n{lines}\n\n".encode()
