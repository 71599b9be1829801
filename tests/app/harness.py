"""A whole engine in this process: real routes, core and SQLite (in memory), and a clock that tests move."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from adapters.ids import Uuid7Ids
from adapters.secrets import MasterKey, Vault
from adapters.sqlite.ledger import MEMORY, SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app.engine.environments import digest_of, new_key
from app.service import Service, start_service
from app.web.application import create_application
from domain.commands import AddKey, CreateEnvironment, EndTurn
from domain.conduct import Conduct
from domain.engine import Now
from domain.ports import CopyableLedger, Ids
from projections.ports import ReadModels

KEY = "tr_dev_0123456789abcdef"
ADMIN_KEY = "admin_0123456789abcdef"
MASTER_KEY = MasterKey(bytes(range(32)))
LEASE_MS = 30_000
START_MS = 1_800_000_000_000
START = "2027-01-15T08:00:00.000Z"
RETRY = {"maxAttempts": 3, "minTimeoutInMs": 1_000, "maxTimeoutInMs": 60_000, "factor": 2.0, "randomize": False}
SOON_SECONDS = 5
"""More than anything takes that comes by itself."""
Log = list[MutableMapping[str, Any]]
ERROR_FIELDS = {"error", "type", "title", "status", "detail"}


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.wall = START_MS
        self.mono = 0

    def now(self) -> Now:
        return Now(self.wall, self.mono)

    def move_to(self, wall: int) -> None:
        self.wall = max(self.wall, wall)


class Engine:
    """A running service, a client that has the key of one environment, and that environment's one worker."""

    def __init__(self, service: Service, clock: ManualClock, client: httpx.AsyncClient, session: str) -> None:
        self.service = service
        self.clock = clock
        self.client = client
        self.session = session
        self.sequence = 0

    @property
    def head(self) -> int:
        """How many events are committed."""
        return self.service.loop.feed.head.position

    async def advance(self, milliseconds: int) -> None:
        """Move the clock and let the engine do what is due then."""
        while milliseconds > 0:
            # In steps that the engine does not take for a pause in which it was deaf.
            step = min(milliseconds, self.service.loop.engine.deaf_ms)
            milliseconds -= step
            self.clock.wall += step
            self.clock.mono += step
            await self.come_to_now()

    async def come_to_now(self) -> None:
        """Until what is due is done, and what was decided before is committed."""
        # A command that changes nothing is answered with the batch that does what is due.
        nothing = EndTurn(environment="", actor="test", cause="clock", at=self.clock.wall, session="", sequence=1)
        await self.service.loop.submit(nothing)

    async def get(self, path: str, **parameters: Any) -> Any:
        response = await self.client.get(path, params=parameters or None)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        response = await self.client.post(path, json=body, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def put(self, path: str, body: Any) -> Any:
        response = await self.client.put(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def delete(self, path: str) -> Any:
        response = await self.client.delete(path)
        assert response.status_code == 200, response.text
        return response.json()

    async def refused(self, method: str, path: str, status: int, **request: Any) -> str:
        """Send what must be refused with this status, and write nothing; returns the sentence that says why."""
        before = self.head
        response = await self.client.request(method, path, **request)
        assert response.status_code == status, response.text
        assert self.head == before, "a refused request writes nothing"
        return sentence_of(response, *(["code"] if "code" in response.json() else []))

    async def register(self, *tasks: dict[str, Any]) -> str:
        answer = await self.post("/worker/v1/register", {"tasks": list(tasks) or [{"id": "greet"}]})
        version: str = answer["version"]
        return version

    async def trigger(self, task: str = "greet", payload: Any = None, **options: Any) -> str:
        answer = await self.post(f"/api/v1/tasks/{task}/trigger", {"payload": payload, "options": options})
        run: str = answer["id"]
        return run

    async def retrieve(self, run: str, **parameters: Any) -> Any:
        return await self.get(f"/api/v3/runs/{run}", **parameters)

    async def listed(self, **parameters: Any) -> list[str]:
        """The ids on the first page of a list."""
        return [run["id"] for run in (await self.get("/api/v1/runs", **parameters))["data"]]

    async def events(self, run: str) -> list[str]:
        """The types of all events of a run."""
        return [each["type"] for each in (await self.get(f"/api/v1/runs/{run}/events"))["events"]]

    async def waits(self, sequence: int) -> None:
        """Until the engine holds this turn of the worker, because there is nothing to say."""
        sessions = self.service.loop.engine._turns._sessions  # pyright: ignore[reportPrivateUsage]
        await until(lambda: self.session in sessions and sessions[self.session].sequence == sequence)

    async def turn(self, version: str, *reports: dict[str, Any], want: int = 10, **fields: Any) -> Any:
        """The next turn of the worker, which has received all answers so far."""
        self.sequence += 1
        body = {"session": self.session, "version": version, "sequence": self.sequence, "received": self.sequence - 1}
        return await self.post("/worker/v1/turn", body | {"want": want, "reports": list(reports)} | fields)

    async def take(self, version: str) -> dict[str, Any]:
        """The next run, handed out and started."""
        (handed,) = (await self.turn(version, want=1))["runs"]
        await self.turn(version, report(handed, "started", at=self.clock.wall), want=0)
        return dict(handed)

    async def perform(self, version: str, kind: str = "succeeded", **fields: Any) -> dict[str, Any]:
        """Take the next run and report its end."""
        handed = await self.take(version)
        answer = await self.turn(version, report(handed, kind, at=self.clock.wall, **fields), want=0)
        assert answer["refused"] == []
        return handed


async def until(condition: Callable[[], bool]) -> None:
    """Let the engine go on until this holds."""
    async with asyncio.timeout(SOON_SECONDS):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0)


def report(run: dict[str, Any], kind: str, **fields: Any) -> dict[str, Any]:
    """What a worker says of a run that it was handed."""
    return {"run": run["id"], "token": run["token"], "kind": kind, "at": START_MS} | fields


def sentence_of(response: httpx.Response, *more: str) -> str:
    """The sentence of an error, whose body must be as all errors are, but for these fields."""
    body = response.json()
    if response.url.path.startswith("/v1/"):
        # The executions document has a shape of its own.
        assert body.keys() == {"error"}, body
        assert body["error"].keys() == {"code", "message", "details"}, body
        return str(body["error"]["message"])
    assert body.keys() == ERROR_FIELDS | set(more), body
    assert (body["type"], body["status"], body["detail"]) == ("about:blank", response.status_code, body["error"])
    assert body["title"], body
    assert body["error"].endswith("."), body
    return str(body["error"])


async def environment(engine: Engine, slug: str) -> Engine:
    """Another environment of the same engine, through the eyes of one who has its key."""
    service, now = engine.service, engine.clock.wall
    key, name = f"tr_{slug}_0123456789abcdef", service.ids.new("env", now)
    origin: dict[str, Any] = {"environment": name, "actor": "test", "cause": "test", "at": now}
    await service.loop.submit(CreateEnvironment(slug=slug, type="STAGING", **origin))
    await service.loop.submit(AddKey(sha256=digest_of(key), hint="tr_…", **origin))
    client = _client(transport_of(engine), key)
    other = Engine(service, engine.clock, client, f"worker_{slug}")
    await other.register()
    return other


@asynccontextmanager
async def running_engine(
    ledger: CopyableLedger | None = None,
    read_models: ReadModels | None = None,
    clock: ManualClock | None = None,
    ids: Ids | None = None,
    secret_key: str | None = KEY,
    vault: Vault | None = None,
    admin_key: str | None = ADMIN_KEY,
    *,
    is_known: bool = True,
) -> AsyncGenerator[Engine]:
    """An engine on these parts, or on new ones in memory; `is_known` says whether a version knows the task greet."""
    clock = clock or ManualClock()
    name = uuid4().hex
    service = start_service(
        ledger or SqliteLedger(MEMORY, name=f"ledger-{name}"),
        read_models or SqliteReadModels(MEMORY, name=f"views-{name}"),
        clock,
        ids or Uuid7Ids(),
        lease_ms=LEASE_MS,
        chance=random.Random(1),
        vault=vault or Vault([MASTER_KEY], os.urandom),
    )
    await service.start()
    service.stream_to_sinks()
    async with AsyncExitStack() as stack:
        stack.callback(service.ledger.close)
        stack.callback(service.read_models.close)
        stack.push_async_callback(service.stop)
        key = secret_key or new_key("DEVELOPMENT", os.urandom)
        await service.ensure_environment(key)
        transport = httpx.ASGITransport(create_application(lambda: service, admin_key), raise_app_exceptions=False)
        engine = Engine(service, clock, await stack.enter_async_context(_client(transport, key)), "worker_1")
        if is_known:
            await engine.register()
        yield engine


async def ledger_mistakes(engine: Engine) -> list[str]:
    """Where the ledger is not what was appended, or not in order. Raises LedgerCorrupt for what cannot be read."""
    service = engine.service
    # A bulk action may still be carried on meanwhile.
    head = engine.head
    events = await service.read(lambda: service.ledger.read_after(0, limit=head))
    assert len(events) == head
    conduct = Conduct()
    faults = [fault for each in events if (fault := conduct.fault(each))]
    return faults + await service.read(lambda: list(service.ledger.verify()))


def admin(engine: Engine) -> Engine:
    """The same engine, through the eyes of whoever has its admin key."""
    return Engine(engine.service, engine.clock, _client(transport_of(engine), ADMIN_KEY), engine.session)


def application_of(engine: Engine) -> FastAPI:
    """The web application that the client of an engine talks to."""
    application = transport_of(engine).app
    assert isinstance(application, FastAPI)
    return application


def transport_of(engine: Engine) -> httpx.ASGITransport:
    """What brings the requests of a client to the application."""
    transport = engine.client._transport  # pyright: ignore[reportPrivateUsage]
    assert isinstance(transport, httpx.ASGITransport)
    return transport


def _client(transport: httpx.AsyncBaseTransport, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=transport, base_url="http://engine", headers=headers)
