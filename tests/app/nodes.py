"""Nodes in this process, on one schema of a real PostgreSQL, behind real ports, and with clocks that tests move."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import httpx
import psycopg
import uvicorn
from psycopg import sql
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.trust import world
from adapters.ids import Uuid7Ids
from adapters.postgres.lease import PostgresLease
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.read_models import PostgresReadModels
from adapters.secrets import Vault
from app.engine.backends import Database
from app.engine.environments import digest_of
from app.nodes import tenure as tenure_module
from app.nodes.node import Node
from app.web.application import create_application
from app.web.forwarding import Forwarding, new_client
from tests.app.harness import ADMIN_KEY, KEY, LEASE_MS, MASTER_KEY, ManualClock
from tests.postgres import database_url

WRITER_LEASE_MS = 5_000
"""Longer than this process may be held up, as nobody is to lose the lease but who is meant to."""
LOOKS_PER_LEASE = 50
SOON_SECONDS = 10
"""More than anything takes that comes by itself, of which renewals are the slowest."""
TRIGGER = "/api/v1/tasks/greet/trigger"


@dataclass
class RunningNode:
    """A node named `name`, which holds the lease under that name, and a client that asks this node alone."""

    name: str
    schema: str
    address: str
    node: Node
    clock: ManualClock
    client: httpx.AsyncClient

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what comes with a renewal of the lease, or when one fails."""
        async with asyncio.timeout(SOON_SECONDS):
            while not condition():  # noqa: ASYNC110 (a renewal goes by the real clock, and tells nobody)
                await asyncio.sleep(0.005)

    async def until_writer(self) -> None:
        await self.until(lambda: self.node.service is not None)

    async def until_standby_of(self, address: str | None) -> None:
        await self.until(lambda: self.node.service is None and self.node.writer == address)

    async def trigger(self, **headers: str) -> str:
        answer = await self.client.post(TRIGGER, json={}, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def ready(self) -> tuple[int, dict[str, Any]]:
        answer = await self.client.get("/readyz")
        return answer.status_code, answer.json()

    def hand_lease_over(self, *, to: "RunningNode") -> None:
        """As when the other one took it because this one was silent for too long."""
        give_lease(self.schema, to.name, to.address)


class Writer:
    """Stands where the writer's web application does, and keeps what it is asked; silent while it may not answer."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[tuple[Scope, bytes]] = []
        self.answer: Response = JSONResponse({"id": "run_1"})
        self.may_answer, self.hears, self.hung_up = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        self.asked.append((scope, body))
        self.hears.set()
        if not self.may_answer.is_set():
            gone, may = asyncio.create_task(self._gone(receive)), asyncio.create_task(self.may_answer.wait())
            await asyncio.wait([gone, may], return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            may.cancel()
        await self.answer(scope, receive, send)

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.hung_up.set()


@asynccontextmanager
async def running_node(
    schema: str,
    name: str,
    *,
    clock: ManualClock | None = None,
    ledger: PostgresLedger | None = None,
    writer_lease_ms: int = WRITER_LEASE_MS,
    secret_key: str | None = None,
) -> AsyncGenerator[RunningNode]:
    """A node that was started, until the end of the test. Only a `secret_key` that is given counts as its own."""
    listening, address = listen()
    clock = clock or ManualClock()
    database = Database(ledger or PostgresLedger(database_url(), schema), PostgresReadModels(database_url(), schema))
    lease = PostgresLease(database_url(), schema, holder=name, address=address, lease_ms=writer_lease_ms)
    node = Node(
        database,
        lease,
        clock,
        Uuid7Ids(),
        random.Random(1),
        lease_ms=LEASE_MS,
        follows_apart=False,
        greet=lambda service: service.ensure_environment(secret_key or KEY),
        vault=Vault([MASTER_KEY], os.urandom),
    )
    node.standby.own_key = digest_of(secret_key) if secret_key else None
    try:
        async with AsyncExitStack() as stack:
            stack.enter_context(patch.object(tenure_module, "LOOKS_PER_LEASE", LOOKS_PER_LEASE))
            await node.start()
            http = await stack.enter_async_context(new_client())
            application = Forwarding(create_application(lambda: node.reader, ADMIN_KEY), node, http)
            await stack.enter_async_context(serving(application, listening))
            client = await stack.enter_async_context(client_of(address))
            # Whoever waits for something is answered then, instead of holding up the end of the test.
            stack.push_async_callback(node.hand_over)
            yield RunningNode(name, schema, address, node, clock, client)
    finally:
        await node.stop()


def listen() -> tuple[socket.socket, str]:
    """A port of this test's own, and its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


@asynccontextmanager
async def serving(application: ASGIApp, listening: socket.socket) -> AsyncGenerator[None]:
    """An application behind a port."""
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]  # signals are pytest's
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def client_of(address: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=SOON_SECONDS, verify=world())


def give_lease(schema: str, holder: str, address: str, *, ms: int = 60_000) -> None:
    """As when this holder took the lease, so many milliseconds before it ends."""
    with psycopg.connect(database_url()) as connection:
        table = sql.Identifier(schema, "lease")
        connection.execute(sql.SQL("delete from {}").format(table))
        statement = "insert into {} values ('writer', %s, %s, clock_timestamp() + %s * interval '1 ms')"
        connection.execute(sql.SQL(statement).format(table), (holder, address, ms))


def lose_tail(schema: str, position: int) -> None:
    """As when a backup was put back that has only the events up to this position."""
    with psycopg.connect(database_url()) as connection:
        events, blobs = sql.Identifier(schema, "events"), sql.Identifier(schema, "blobs")
        connection.execute(sql.SQL("delete from {} where notification_id > %s").format(events), (position,))
        statement = "delete from {} where split_part(key, '/', 1) not in (select originator_id from {})"
        connection.execute(sql.SQL(statement).format(blobs, events))


@contextmanager
def nobody_gets_the_lease(schema: str) -> Generator[None]:
    """As when the database does not answer whoever asks for the lease, and answers everything else."""
    with psycopg.connect(database_url()) as connection:
        connection.execute(sql.SQL("select from {} for update").format(sql.Identifier(schema, "lease")))
        yield
