"""Who watches runs, and what they are told: one notifier for all of a node.

A commit wakes it once, it reads what the commit changed once, however many watch that, and puts it into the mailbox of
each watcher. A mailbox holds the latest row of each run and no more, so a slow reader holds nobody up.
"""

import asyncio
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import NamedTuple, Protocol

import structlog

from app.engine.feed import Feed
from domain.events import ApiKeyRevoked, Recorded, RunEvent, RunTriggered, TagsAdded
from domain.ports import Ledger
from domain.run import Run
from domain.status import FINAL
from projections import run_list
from projections.run_row import RunRow

log = structlog.get_logger(__name__)

READ_MAX = 200
ENDED_MAX = 10_000
"""Of how many runs that are over it is remembered what they had."""
AGAIN_SECONDS = 0.5


class Seen(NamedTuple):
    """A run as it is after the last of its events."""

    row: RunRow
    history: Sequence[Recorded]


def seen(history: Sequence[Recorded]) -> Seen:
    """The run of a history."""
    row: RunRow | None = None
    for recorded in history:
        row = run_list.project(row, recorded)
    assert row is not None, "a history begins with a trigger"
    return Seen(row, history)


class Named(Protocol):
    """By what runs are watched."""

    @property
    def batch(self) -> str | None:
        """The batch of the run."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """Its tags."""
        ...


class _Ended(NamedTuple):
    """What is remembered of a run that is over."""

    batch: str | None
    tags: Sequence[str]


class Watcher:
    """One who watches: one run by its id, or the runs of an environment that have a batch or all of some tags."""

    def __init__(
        self, environment: str, *, run: str | None = None, batch: str | None = None, tags: frozenset[str] = frozenset()
    ) -> None:
        self.environment = environment
        self.run = run
        self.batch = batch
        self.tags = tags
        self._news: dict[str, Seen] = {}
        self._arrived = asyncio.Event()

    def wants(self, row: RunRow) -> bool:
        """Whether it watches this run."""
        return row.id == self.run if self.run is not None else self.covers(row)

    def covers(self, run: "Named") -> bool:
        """Whether a run has the batch or the tags."""
        return (self.batch is None or run.batch == self.batch) and self.tags.issubset(run.tags)

    def tell(self, news: Seen) -> None:
        """Put a run into the mailbox, in the place of what it was before."""
        self._news[news.row.id] = news
        self._arrived.set()

    def wake(self) -> None:
        """Let it wait no longer, whether there is anything or not."""
        self._arrived.set()

    async def news(self, seconds: float) -> list[Seen]:
        """What has arrived, as soon as there is anything; nothing if there is nothing for so long."""
        # What arrives in the moment in which the time is over is taken along: it counts as told.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        self._arrived.clear()
        news, self._news = list(self._news.values()), {}
        return news


class Watching:
    """The notifier. `note` is called with each commit of the feed, `peek` gives the state of a run that is not over."""

    def __init__(self, ledger: Ledger, feed: Feed, peek: Callable[[str], Run | None]) -> None:
        self._ledger = ledger
        self._feed = feed
        self._peek = peek
        self._ended: dict[str, _Ended] = {}
        self._of_runs: dict[str, set[Watcher]] = {}
        self._of_many: dict[str, set[Watcher]] = {}
        self._held: dict[str, set[asyncio.Future[None]]] = {}
        """Of the keys by which something is held: what is done when they are revoked."""
        self._touched: dict[str, None] = {}
        self._work = asyncio.Event()
        self._noted = feed.head.position
        self.told = feed.head.position
        """Whatever was committed up to this position, and is watched, has arrived."""
        self.is_closed = False
        self.long_answers = asyncio.Lock()
        """Who tells of many runs reads some of them while holding this."""
        self._pulse = asyncio.Event()

    @contextmanager
    def watcher(self, watcher: Watcher) -> Generator[Watcher]:
        """Watch from now on: what is committed after this arrives."""
        known, name = self._place(watcher)
        known.setdefault(name, set()).add(watcher)
        try:
            yield watcher
        finally:
            known[name].discard(watcher)
            if not known[name]:
                del known[name]

    @contextmanager
    def revoked(self, sha256: str) -> Generator["asyncio.Future[None]"]:
        """What is done as soon as this key is revoked, for one who waits for something else meanwhile."""
        future = asyncio.get_running_loop().create_future()
        self._held.setdefault(sha256, set()).add(future)
        try:
            yield future
        finally:
            self._held[sha256].discard(future)
            if not self._held[sha256]:
                del self._held[sha256]
            future.cancel()

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return sum(map(len, self._of_runs.values())) + sum(map(len, self._of_many.values()))

    def note(self, records: Sequence[Recorded]) -> None:
        """These events were committed."""
        self._noted = records[-1].position
        self._beat()
        if self._held:
            for recorded in records:
                if isinstance(recorded.event, ApiKeyRevoked):
                    self._release(recorded.event.sha256)
        if self._of_runs or self._of_many:
            for recorded in records:
                if recorded.stream not in self._touched and self._is_watched(recorded):
                    self._touched[recorded.stream] = None
        if self._touched:
            self._work.set()
        else:
            self.told = self._noted

    def touched(self, watcher: Watcher, position: int) -> list[str] | None:
        """The runs behind a position that a watcher may want, the last one first; None if memory does not reach back.

        So a poll asks no database whether there is anything for it.
        """
        records = self._feed.back_to(position)
        if records is None:
            return None
        if watcher.run is not None:
            return [watcher.run] if any(each.stream == watcher.run for each in records) else []
        wanted = (
            each.stream
            for each in records
            if each.environment == watcher.environment
            and isinstance(each.event, RunEvent)
            and self._may_want(watcher, each)
        )
        return list(dict.fromkeys(wanted))

    def remember(self, run: Seen) -> None:
        """What a run had that is over, so that it need not be looked at again to know who wants it."""
        row = run.row
        since = self._feed.back_to(row.position) if row.status in FINAL else None
        # It may have been given tags while it was read.
        if since is not None and all(each.stream != row.id for each in since):
            self._ended[row.id] = _Ended(row.batch, row.tags)
            if len(self._ended) > ENDED_MAX:
                del self._ended[next(iter(self._ended))]

    async def anything(self, position: int, seconds: float) -> None:
        """Wait until anything is committed behind this position, at most so long."""
        if self._noted > position or self.is_closed:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._pulse.wait()
        except TimeoutError:
            return

    async def run(self) -> None:
        """Tell watchers of what was committed, until cancelled. An error does not end it: it tries again."""
        while True:
            await self._work.wait()
            try:
                await self._tell()
            except Exception:
                log.exception("watchers are not told")
                await asyncio.sleep(AGAIN_SECONDS)

    def close(self) -> None:
        """Let nobody wait any longer."""
        self.is_closed = True
        self._beat()
        for watchers in (*self._of_runs.values(), *self._of_many.values()):
            for watcher in watchers:
                watcher.wake()

    def _wake(self, environment: str) -> None:
        """Let those who watch an environment see whether they still may."""
        of_runs = (each for watchers in self._of_runs.values() for each in watchers)
        for watcher in (*of_runs, *self._of_many.get(environment, ())):
            if watcher.environment == environment:
                watcher.wake()

    def _release(self, sha256: str) -> None:
        for future in self._held.get(sha256, ()):
            if not future.done():
                future.set_result(None)

    def _beat(self) -> None:
        self._pulse.set()
        self._pulse = asyncio.Event()

    async def _tell(self) -> None:
        upto, runs = self._noted, list(islice(self._touched, READ_MAX))
        is_all = len(runs) == len(self._touched)
        # What is touched while it is read is read again.
        for run in runs:
            del self._touched[run]
        try:
            histories = await asyncio.to_thread(self._ledger.read_streams, runs)
        except BaseException:
            self._touched |= dict.fromkeys(runs)
            raise
        if not self._touched:
            self._work.clear()
        if is_all:
            self.told = upto
        for history in histories.values():
            news = seen(history)
            self.remember(news)
            for watcher in self._watchers_of(news.row):
                watcher.tell(news)

    def _is_watched(self, recorded: Recorded) -> bool:
        if not isinstance(recorded.event, RunEvent):
            if isinstance(recorded.event, ApiKeyRevoked):
                self._wake(recorded.environment)
            return False
        if recorded.stream in self._of_runs:
            return True
        watchers = self._of_many.get(recorded.environment)
        return watchers is not None and any(self._may_want(watcher, recorded) for watcher in watchers)

    def _may_want(self, watcher: Watcher, recorded: Recorded) -> bool:
        """Whether it is worth while to look at the run. One that is over is looked at once, and then remembered."""
        event = recorded.event
        if isinstance(event, TagsAdded):
            # It had others when it was remembered, and may have them still in memory.
            self._ended.pop(recorded.stream, None)
            return True
        run: Named | None = event if isinstance(event, RunTriggered) else self._peek(recorded.stream)
        run = run or self._ended.get(recorded.stream)
        return run is None or watcher.covers(run)

    def _watchers_of(self, row: RunRow) -> Iterator[Watcher]:
        yield from self._of_runs.get(row.id, ())
        yield from (each for each in self._of_many.get(row.environment, ()) if each.wants(row))

    def _place(self, watcher: Watcher) -> tuple[dict[str, set[Watcher]], str]:
        return (self._of_runs, watcher.run) if watcher.run is not None else (self._of_many, watcher.environment)
