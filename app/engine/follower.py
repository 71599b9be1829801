"""The follower: keeps the read models behind the ledger, in batches, and tells readers when it has come far enough."""

import asyncio
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from math import inf

import structlog

from app.engine.feed import Commit, Feed
from domain.ports import Head, Ledger
from projections.ports import ReadModels

log = structlog.get_logger(__name__)

LINGER_SECONDS = 0.1
"""How long a change may wait for others to share its transaction: a run that ends meanwhile costs one insert."""
BATCH_EVENTS_MAX = 10_000
"""How many events are followed at a time. Whoever is so far behind does not linger, or would stay behind under load."""
ALONE_LINGER_SECONDS_MAX = 0.5
ALONE_BATCH_EVENTS_MAX = 20_000
"""Both while nobody asks for lists and many events come: a run that waits in its queue for so long is written once."""
ALONE_SECONDS = 5.0
"""How long ago somebody must last have waited for a list, so that nobody asks for lists."""
MORE_SECONDS = 0.05
MANY_EVENTS = 500
"""With fewer in so long there is nothing to wait for."""
READ_EVENTS_MAX = 4_000
"""How many are read from the ledger at a time: those have to be brought into memory, with all that they hold."""
AGAIN_SECONDS = 1.0
LOOK_SECONDS = 2.0
"""How often it looks, while nothing happens, whether the database still has the rows that it was given."""


class Following(ABC):
    """How far the read models have followed; whatever keeps them behind the ledger says so here."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.stopped: str | None = None
        """Why they do not follow at present."""
        self.is_read_elsewhere = False
        """Whether other nodes have readers who wait for rows and cannot say so here."""
        self._moved = asyncio.Condition()

    async def reached(self, position: int, seconds: float) -> bool:
        """Wait until the read models are there, at most so long; whoever waits has the linger cut short."""
        if self.position >= position:
            return True
        self.hurry()
        try:
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: self.position >= position)
        except TimeoutError:
            return False
        return True

    @abstractmethod
    def hurry(self) -> None:
        """Cut the linger short: somebody waits."""

    @abstractmethod
    async def run(self) -> None:
        """Follow until cancelled."""


class Follower(Following):
    """Follows the feed, and the ledger where the feed does not reach back."""

    def __init__(self, read_models: ReadModels, ledger: Ledger, feed: Feed) -> None:
        super().__init__(read_models.position().position)
        self._read_models = read_models
        self._ledger = ledger
        self._feed = feed
        self._thread = ThreadPoolExecutor(1, "follower")
        self._wanted = asyncio.Event()
        self._wanted_at = -inf
        """When somebody last waited, on the clock of the event loop."""

    def hurry(self) -> None:
        """Cut the linger short: somebody waits."""
        self._wanted_at = asyncio.get_running_loop().time()
        self._wanted.set()

    async def moved(self, position: int, stopped: str | None) -> None:
        """Wait until it is somewhere else, or stopped for another reason."""
        async with self._moved:
            await self._moved.wait_for(lambda: (self.position, self.stopped) != (position, stopped))

    async def run(self) -> None:
        """Follow until cancelled. An error does not end it: it says so, and tries again."""
        try:
            while True:
                try:
                    await self._news()
                    await self._follow()
                except Exception as error:
                    # The engine goes on without its read models; /readyz is red until they follow again.
                    log.exception("the read models do not follow", position=self.position)
                    await self._come_to(self.position, f"{type(error).__name__}: {error}")
                    await asyncio.sleep(AGAIN_SECONDS)
        finally:
            self._thread.shutdown()

    async def _news(self) -> None:
        """Wait until there is something to follow; mostly it was just committed."""
        if self.stopped is not None:
            await self._look()
            if self.position >= self._feed.head.position:
                # What failed was done all the same, here or by somebody else, and nothing more may ever come.
                await self._come_to(self.position)
        while self._feed.head.position <= self.position:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._feed.grown(self.position)
            except TimeoutError:
                await self._look()
        await self._linger()

    async def _look(self) -> None:
        """See where the rows are: they do not wait for the disk, so a database that was killed forgets the last."""
        loop = asyncio.get_running_loop()
        self.position = (await loop.run_in_executor(self._thread, self._read_models.position)).position

    async def _linger(self) -> None:
        """Let changes gather: once, or again and again while many come and nobody asks for lists."""
        now = asyncio.get_running_loop().time
        latest, seconds = now() + ALONE_LINGER_SECONDS_MAX, LINGER_SECONDS
        while (head := self._feed.head.position) - self.position < self._batch_max():
            try:
                async with asyncio.timeout(seconds):
                    await self._wanted.wait()
            except TimeoutError:
                seconds = MORE_SECONDS
                have_many_come = self._feed.head.position - head >= MANY_EVENTS
                if have_many_come and self._is_alone() and now() < latest:
                    continue
            return

    def _is_alone(self) -> bool:
        """Whether nobody asks for lists. What the feed does not have is read in small parts, and does not wait."""
        if self.is_read_elsewhere or asyncio.get_running_loop().time() < self._wanted_at + ALONE_SECONDS:
            return False
        return self._feed.reaches(self.position)

    def _batch_max(self) -> int:
        return ALONE_BATCH_EVENTS_MAX if self._is_alone() else BATCH_EVENTS_MAX

    async def _follow(self) -> None:
        self._wanted.clear()
        loop = asyncio.get_running_loop()
        commit = self._feed.after(self.position, self._batch_max())
        await self._come_to(await loop.run_in_executor(self._thread, self._apply, commit, self.position))

    async def _come_to(self, position: int, stopped: str | None = None) -> None:
        self.position, self.stopped = position, stopped
        async with self._moved:
            self._moved.notify_all()

    def _apply(self, commit: Commit | None, position: int) -> int:
        if commit is None:
            records = self._ledger.read_after(position, limit=READ_EVENTS_MAX, upto=self._feed.head.position)
            if not records:
                return position
            last = records[-1].position
            digest = self._ledger.digest_at(last)
            assert digest is not None, "what was read is there"
            commit = Commit(records, Head(last, digest))
        # Someone may have rebuilt the read models meanwhile, to another position.
        return self._read_models.apply(commit.records, commit.head).position
