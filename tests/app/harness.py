"""A whole engine in this process: real routes, core and SQLite (in memory), and a clock that tests move."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from adapters.ids import Uuid7Ids
from adapters.sqlite.ledger import MEMORY, SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from app.service import Service, start_service
from app.web.application import create_application
from domain.commands import EndTurn
from domain.engine import Now
from domain.ports import Ledger

KEY = "tr_dev_0123456789abcdef"
LEASE_MS = 30_000
START_MS = 1_800_000_000_000


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.wall = START_MS
        self.mono = 0

    def now(self) -> Now:
        return Now(self.wall, self.mono)


class Engine:
    """A running service and a client that has its key."""

    def __init__(self, service: Service, clock: ManualClock, client: httpx.AsyncClient) -> None:
        self.service = service
        self.clock = clock
        self.client = client
        self.sequence = 0

    async def advance(self, milliseconds: int) -> None:
        """Move the clock and let the engine do what is due then."""
        # In steps that the engine does not take for a pause in which it was deaf.
        while milliseconds > 0:
            step = min(milliseconds, 1_000)
            milliseconds -= step
            self.clock.wall += step
            self.clock.mono += step
            # A command that changes nothing is answered with the batch that does what is due.
            nothing = EndTurn(environment="", actor="test", cause="clock", at=self.clock.wall, session="", sequence=1)
            await self.service.loop.submit(nothing)

    async def get(self, path: str, **parameters: Any) -> Any:
        response = await self.client.get(path, params=parameters or None)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any = None) -> Any:
        response = await self.client.post(path, json=body) if body is not None else await self.client.post(path)
        assert response.status_code == 200, response.text
        return response.json()

    async def register(self, *tasks: dict[str, Any]) -> str:
        answer = await self.post("/worker/v1/register", {"tasks": list(tasks) or [{"id": "greet"}]})
        version: str = answer["version"]
        return version

    async def trigger(self, task: str = "greet", payload: Any = None, **options: Any) -> str:
        answer = await self.post(f"/api/v1/tasks/{task}/trigger", {"payload": payload, "options": options})
        run: str = answer["id"]
        return run

    async def turn(self, version: str, *reports: dict[str, Any], want: int = 10, **fields: Any) -> Any:
        """The next turn of this engine's one worker, which has received all answers so far."""
        self.sequence += 1
        body = {"session": "worker_1", "version": version, "sequence": self.sequence, "received": self.sequence - 1}
        return await self.post("/worker/v1/turn", body | {"want": want, "reports": list(reports)} | fields)


def report(run: dict[str, Any], kind: str, **fields: Any) -> dict[str, Any]:
    """What a worker says of a run that it was handed."""
    return {"run": run["id"], "token": run["token"], "kind": kind, "at": START_MS} | fields


@asynccontextmanager
async def running_engine(
    ledger: Ledger | None = None, read_models: SqliteReadModels | None = None, clock: ManualClock | None = None
) -> AsyncIterator[Engine]:
    """An engine on these parts, or on new ones in memory."""
    clock = clock or ManualClock()
    name = uuid4().hex
    service = start_service(
        ledger or SqliteLedger(MEMORY, name=name),
        read_models or SqliteReadModels(MEMORY),
        clock,
        Uuid7Ids(),
        lease_ms=LEASE_MS,
        chance=random.Random(1),
    )
    await service.start()
    transport = httpx.ASGITransport(create_application(service), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {KEY}"}
    try:
        await service.ensure_environment(KEY)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine", headers=headers) as client:
            yield Engine(service, clock, client)
    finally:
        await service.stop()
