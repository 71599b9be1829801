"""What the service does beside the engine, portion by portion, as long as there is something to do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from domain.errors import LedgerError, Unavailable

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
T = TypeVar("T")


async def keep_up(
    news: asyncio.Event, waiting: Callable[[], T], work: Callable[[T], Awaitable[None]], what: str
) -> None:
    """Do what waits whenever there is news, until cancelled; what goes wrong is said, and tried again.

    `waiting` gives the next portion, an empty one when there is none; `what` is said in the log of what cannot be done.
    """
    while True:
        await news.wait()
        news.clear()
        while portion := waiting():
            try:
                await work(portion)
            except (Unavailable, LedgerError) as error:
                log.warning(what, error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception as error:
                # Others must not wait for ever for what went wrong once.
                log.exception(what, error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
