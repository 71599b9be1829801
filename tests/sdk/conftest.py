"""What the tests of the SDK share: an engine, workers, and an API without a network."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from runfold import Task, transport
from runfold.config import Settings
from runfold.transport import Transport
from runfold.worker.children import Children
from runfold.worker.connection import Connection
from runfold.worker.memory import OutOfMemoryKills
from runfold.worker.registering import registration_of
from runfold.worker.service import Worker
from runfold.worker.spans import Spans
from tests.sdk import jobs
from tests.sdk.fake_engine import FakeEngine

Reply = httpx.Response | httpx.TransportError


@dataclass
class FakeApi:
    """Answers in the order of `replies`, the last one for ever; no time passes while a caller sleeps."""

    replies: list[Reply] = field(default_factory=list[Reply])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    slept: list[float] = field(default_factory=list[float])
    now: float = 0.0

    def answer(self, *bodies: Any) -> None:
        self.replies = [httpx.Response(200, json=body) for body in bodies]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, httpx.TransportError):
            raise reply
        return reply

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = FakeApi()
    fake = Transport(
        connect=lambda: httpx.AsyncClient(transport=httpx.MockTransport(api.handle)),
        settings=lambda: Settings("http://engine.test", "secret"),
        sleep=api.sleep,
        clock=api.clock,
        chance=lambda: 1.0,
    )
    monkeypatch.setattr(transport, "default", fake)
    return api


@pytest.fixture
async def engine() -> FakeEngine:
    return FakeEngine()


WORKERS = Callable[..., AbstractAsyncContextManager["RunningWorker"]]


@dataclass
class RunningWorker:
    """A worker in this process that talks to the fake engine."""

    stop: asyncio.Event
    result: "asyncio.Task[bool]"
    slept: list[float]


@pytest.fixture
def working(engine: FakeEngine) -> WORKERS:
    @asynccontextmanager
    async def working(
        *tasks: Task[Any, Any],
        concurrency: int = 10,
        processes: int = 1,
        grace_seconds: float = 20.0,
        engine: FakeEngine = engine,
        spans: Spans | None = None,
        machines: Sequence[str] = (),
        promote: bool | None = None,
        kills: OutOfMemoryKills | None = None,
        freeze_seconds: float = 10.0,
    ) -> AsyncGenerator[RunningWorker]:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await asyncio.sleep(0)

        connection = Connection(
            Settings("http://engine.test", "secret"),
            registration_of(tasks, promote=promote),
            http=httpx.AsyncClient(transport=httpx.ASGITransport(engine)),
            sleep=sleep,
            clock=lambda: sum(slept),
        )
        children = Children(jobs.__name__, processes, kills)
        worker = Worker(
            {task.id: task for task in tasks}, connection, children, concurrency, spans, machines, freeze_seconds
        )
        stop = asyncio.Event()
        running = RunningWorker(stop, asyncio.create_task(worker.run(stop, grace_seconds)), slept)
        try:
            yield running
        finally:
            stop.set()
            await running.result

    return working


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNFOLD_API_URL", raising=False)
    monkeypatch.delenv("RUNFOLD_SECRET_KEY", raising=False)
