"""Streams the events of environments to sinks: in order, without a gap, and again and again until they have arrived."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
from msgspec import Raw, Struct

from app.engine.loop import EngineLoop
from app.engine.reader import Reader
from app.keeping.sink_ways import NotDelivered, ToFile, ToWebhook, Way
from app.requests import call_of
from domain.announcing import request_to
from domain.calls import HttpCaller
from domain.commands import AdvanceSink
from domain.errors import InvalidInput, LedgerError, Unavailable
from domain.events import SinkAdvanced, SinkSpec
from domain.retry import Retry
from domain.sink import Sink

log = structlog.get_logger(__name__)

PORTION = 200
RETRY = Retry(min_timeout_in_ms=500, max_timeout_in_ms=60_000)
"""Only the pauses: it is tried until it works, because what comes behind must not overtake."""


class Progress(Struct):
    """How far a sink is, and what holds it up."""

    position: int
    attempts: int = 0
    """How often in a row the next event could not be delivered."""
    error: str | None = None
    delivered_at: int | None = None


class Sinks:
    """A task for each sink there is. Without a caller or a folder, sinks of that kind say that they have to wait."""

    def __init__(self, reader: Reader, loop: EngineLoop, chance: random.Random) -> None:
        self.progress: dict[str, Progress] = {}
        self.caller: HttpCaller | None = None
        self.folder: Path | None = None
        self.secret_of: Callable[[str, str], str] | None = None
        self._reader = reader
        self._loop = loop
        self._chance = chance
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._news.set()

    def look(self) -> None:
        """A sink was added or removed."""
        self._news.set()

    async def run(self) -> None:
        """Stream to every sink that there is, and to those that come, until cancelled."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                sinks = self._loop.engine.memory.sinks
                for gone in self._tasks.keys() - sinks.keys():
                    self._tasks.pop(gone).cancel()
                    self.progress.pop(gone, None)
                for stream, sink in list(sinks.items()):
                    if stream not in self._tasks:
                        self.progress[stream] = Progress(sink.position)
                        self._tasks[stream] = asyncio.create_task(self._stream(sink), name=f"sink {stream}")
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _stream(self, sink: Sink) -> None:
        progress = self.progress[sink.id]
        way: Way | None = None
        while True:
            try:
                await self._loop.settled(sink.id)
                way = way or self._way_to(sink)
                progress.position = await way.begin(progress.position)
                while True:
                    await self._loop.feed.grown(progress.position)
                    await self._portion(sink, way, progress)
            except (NotDelivered, Unavailable, LedgerError, InvalidInput) as error:
                progress.attempts += 1
                progress.error = str(error)
                log.warning("a sink has to wait", sink=sink.id, attempts=progress.attempts, error=str(error))
            except Exception as error:
                # Other sinks go on, and so does this one when what is wrong was mended.
                progress.attempts += 1
                progress.error = f"{type(error).__name__}: {error}"
                log.exception("a sink cannot go on", sink=sink.id)
            finally:
                if way is not None:
                    way.end()
            await asyncio.sleep(self._pause_ms(progress.attempts) / 1_000)

    async def _portion(self, sink: Sink, way: Way, progress: Progress) -> None:
        head, after = self._loop.feed.head.position, progress.position
        ledger = self._reader.ledger
        records = await self._reader.read(lambda: ledger.read_after(after, limit=PORTION, upto=head))
        wanted = [
            each
            for each in records
            if each.environment == sink.environment and not isinstance(each.event, SinkAdvanced)
        ]
        if wanted:
            if not self._loop.may_answer():
                raise Unavailable("Another node may have taken over meanwhile.")
            await way.deliver(wanted)
            progress.attempts, progress.error = 0, None
            progress.delivered_at = self._reader.clock.now().wall
            await self._loop.submit(
                AdvanceSink(
                    environment=sink.environment,
                    actor="engine",
                    cause=sink.id,
                    at=progress.delivered_at,
                    sink=sink.id,
                    position=records[-1].position,
                )
            )
        if records:
            progress.position = records[-1].position

    def _way_to(self, sink: Sink) -> Way:
        if sink.spec.file:
            if self.folder is None:
                raise Unavailable("There is no folder for files of sinks: set RUNFOLD_SINKS_FOLDER.")
            return ToFile(self.folder / sink.spec.file, sink.spec.format, self._reader)
        if self.caller is None or self.secret_of is None:
            raise Unavailable("Nothing of this node makes calls: RUNFOLD_HTTP_EXECUTOR is off.")
        return ToWebhook(sink, self.caller, partial(self.secret_of, sink.environment), self._now)

    def _pause_ms(self, attempts: int) -> int:
        return RETRY.delay_after(attempts, self._chance.random())

    def _now(self) -> int:
        return self._reader.clock.now().wall


def check_spec(spec: SinkSpec, folder: Path | None) -> None:
    """See to it that events can go there. Raises InvalidInput."""
    if bool(spec.url) == bool(spec.file):
        raise InvalidInput("A sink has either a url or a file.")
    if spec.url:
        call_of(request_to(spec.url, {}, None), {}, lambda _: "", (), Raw(b"{}"))
        return
    if Path(spec.file).name != spec.file or spec.file.startswith(".") or not spec.file.isprintable():
        raise InvalidInput("The file of a sink is a plain name, which stands in the folder of RUNFOLD_SINKS_FOLDER.")
    if spec.secret:
        raise InvalidInput("A file is not signed: secret is for a url.")
    if folder is None:
        raise InvalidInput("There is no folder for files of sinks: set RUNFOLD_SINKS_FOLDER, and start it again.")
