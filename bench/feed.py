"""What the ledger tells of a measurement: its events, page by page."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx

PAGE = "1000"


async def told(http: httpx.AsyncClient, after: int = 0) -> AsyncIterator[dict[str, Any]]:
    """The events of the environment behind a position."""
    while True:
        page = (await http.get("/api/v1/ledger/events", params={"after": str(after), "limit": PAGE})).json()
        for event in page["events"]:
            yield event
        if page["next"] >= page["head"]:
            return
        after = page["next"]


def seconds_of(date: str) -> float:
    """An ISO 8601 date as seconds since 1970."""
    return datetime.fromisoformat(date).timestamp()
