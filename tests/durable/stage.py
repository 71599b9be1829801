"""A whole engine and real workers in one process, on a clock that tests move: what users' code gets to see."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import httpx

from domain.events import Event, Recorded
from domain.status import Status
from runfold import Task
from runfold.aio import runs
from runfold.config import Settings
from runfold.run import RunResult
from runfold.transport import Transport
from runfold.worker.children import Children
from runfold.worker.connection import Connection
from runfold.worker.registering import registration_of
from runfold.worker.service import Worker
from tests.app.harness import Engine, running_engine, transport_of

T = TypeVar("T")

KEY = "tr_prod_0123456789abcdef"
SETTINGS = Settings("http://engine", KEY)
KEEP_SECONDS = 3_600.0
"""Longer than any test: a run that waits keeps its process."""
SOON_SECONDS = 20.0


class Stage:
    """What one test does to one engine. The calls of the SDK, in tasks and in tests, reach it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._workers = AsyncExitStack()
        self._leaving: list[AsyncExitStack] = []

    async def worker(
        self, *tasks: Task[Any, Any], concurrency: int = 10, freeze_seconds: float = KEEP_SECONDS
    ) -> AsyncExitStack:
        """Another worker, which can do these; closing what this returns stops it in order."""
        connection = Connection(SETTINGS, registration_of(tasks), http=self._http())
        await connection.register()
        children = Children("tests.durable.jobs", 1)
        worker = Worker(
            {task.id: task for task in tasks}, connection, children, concurrency, freeze_seconds=freeze_seconds
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop, SOON_SECONDS))
        leaving = await self._workers.enter_async_context(AsyncExitStack())

        async def leave() -> None:
            stop.set()
            await running

        leaving.push_async_callback(leave)
        return leaving

    async def events(self, stream: str) -> list[Event]:
        """All that has happened to a run, a batch or a token."""
        return [recorded.event for recorded in await self.engine.service.history(stream)]

    async def until(self, run: str, kind: type[Event], times: int = 1) -> list[Event]:
        """Wait until so many events of a kind have happened to it; returns all that have."""
        return await _until(lambda: self.events(run), lambda events: kinds(events).count(kind) >= times)

    async def happened(self, run: str, kind: type[Event]) -> None:
        """Wait until such an event has happened to it, without asking all the while, which takes longer and longer."""
        there = asyncio.Event()

        def note(records: Sequence[Recorded]) -> None:
            if any(each.stream == run and isinstance(each.event, kind) for each in records):
                there.set()

        self.engine.service.loop.feed.listen(note)
        if kind not in kinds(await self.events(run)):
            await there.wait()

    async def records(self) -> list[Recorded]:
        """All that has happened."""
        ledger, head = self.engine.service.ledger, self.engine.head
        return await self.engine.service.read(lambda: ledger.read_after(0, limit=head))

    async def status(self, run: str) -> Status:
        """As the read models have it, once they have followed."""
        return Status((await self.engine.retrieve(run))["status"])

    async def result(self, run: str) -> RunResult[Any]:
        """How it ended, once it has."""
        result = await _until(lambda: runs.result(run), lambda result: result is not None)
        assert result is not None, "it was waited for"
        return result

    async def output(self, run: str) -> Any:
        """What it returned; raises RunFailedError if it did not."""
        return (await self.result(run)).unwrap()

    def transport(self) -> Transport:
        """How the SDK reaches this engine."""
        return Transport(connect=self._http, settings=lambda: SETTINGS)

    async def close(self) -> None:
        """Stop every worker."""
        await self._workers.aclose()

    def way_in(self) -> httpx.AsyncBaseTransport:
        """What brings requests to the engine."""
        return transport_of(self.engine)

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.way_in())


@asynccontextmanager
async def open_stage(replace: Callable[[Transport], None]) -> AsyncGenerator[Stage]:
    """A new engine; `replace` makes the SDK's calls reach it."""
    async with running_engine(secret_key=KEY, is_known=False) as engine:
        stage = Stage(engine)
        replace(stage.transport())
        try:
            yield stage
        finally:
            await stage.close()


async def _until(look: Callable[[], Awaitable[T]], is_there: Callable[[T], bool]) -> T:
    async with asyncio.timeout(SOON_SECONDS):
        while not is_there(found := await look()):  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0)
    return found


def kinds(events: Sequence[Event]) -> list[type[Event]]:
    """What happened, in order."""
    return [type(event) for event in events]
