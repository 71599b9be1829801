"""The follower in a process of its own: what it does takes as long as all that the engine does, on another core.

The engine writes a line for each head, and one when a reader waits; the follower answers with how far it has come.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

from msgspec import Struct, json

from app.engine.backends import beside_an_engine
from app.engine.feed import Feed
from app.engine.follower import Follower
from app.settings import Settings
from domain.ports import START, Head

LINE_MAX = 65_536


class Told(Struct):
    """What the engine says: the position of the head, and whether a reader waits."""

    head: int
    is_wanted: bool = False


class Came(Struct):
    """What the follower says: where it is, and why it does not go on."""

    position: int
    stopped: str | None = None


class Heads(Feed):
    """A feed of which only the head is known; the events are read from the ledger."""

    def tell(self, position: int) -> None:
        """The head is there now."""
        self.head = Head(position, b"")
        self._grown.set()
        self._grown = asyncio.Event()


def follow(settings: Settings) -> None:
    """Follow until the engine that started this process is gone."""
    # Whoever stops the engine may mean all of its processes; this one ends when the engine has brought it to the head.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    with beside_an_engine(settings) as database:
        feed = Heads(START)
        asyncio.run(_follow(Follower(database.read_models, database.ledger, feed), feed))


async def _follow(follower: Follower, feed: Heads) -> None:
    running = asyncio.create_task(follower.run())
    saying = asyncio.create_task(_say(follower))
    try:
        async for told in _told():
            if told.head > feed.head.position:
                feed.tell(told.head)
            if told.is_wanted:
                follower.hurry()
    finally:
        running.cancel()
        saying.cancel()
        await asyncio.gather(running, saying, return_exceptions=True)


async def _say(follower: Follower) -> None:
    while True:
        came = Came(follower.position, follower.stopped)
        sys.stdout.buffer.write(json.encode(came) + b"\n")
        sys.stdout.buffer.flush()
        await follower.moved(came.position, came.stopped)


async def _told() -> AsyncIterator[Told]:
    reader = asyncio.StreamReader(LINE_MAX)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while line := await reader.readline():
        yield json.decode(line, type=Told)
