"""Several nodes on one PostgreSQL schema, workers and clients, of which any may be killed, paused and started again."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from adapters.http.trust import world
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.postgres.read_models import PostgresReadModels
from tests.crash.checks import Files
from tests.crash.clients import Clients
from tests.crash.death import NEVER
from tests.crash.processes import EngineProcess, WatchedWorker
from tests.crash.scenario import KEY, POLL_SECONDS, TASKS, free_port
from tests.simulation.log_check import LogCheck

WORKER_LEASE_MS = 2_000
WRITER_LEASE_MS = 500
DONE_SECONDS = 60.0
TAIL_LINES = 30


class Node:
    """One of the nodes, through all its lives."""

    def __init__(self, number: int, folder: Path, url: str, schema: str, writer_lease_ms: int) -> None:
        self.name = f"node-{number}"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / f"{self.name}.log"
        self.environment = {
            "RUNFOLD_DATABASE_URL": url,
            "RUNFOLD_DATABASE_SCHEMA": schema,
            "RUNFOLD_SECRET_KEY": KEY,
            "RUNFOLD_PORT": str(port),
            "RUNFOLD_API_URL": self.url,
            "RUNFOLD_LEASE_MS": str(WORKER_LEASE_MS),
            "RUNFOLD_WRITER_LEASE_MS": str(writer_lease_ms),
            "RUNFOLD_VERIFY_PER_SECOND": "0",
            "RUNFOLD_LOG_LEVEL": "info",
            "RUNFOLD_LOG_FORMAT": "json",
        }
        self.process: EngineProcess | None = None

    def start(self) -> None:
        """Its next life."""
        self.process = EngineProcess(self.environment, self.log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, if it lives."""
        if self.process:
            self.process.signal(number)

    async def kill(self) -> None:
        """Kill it with -9."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal that ends it, and wait until it has."""
        assert self.process is not None
        self.process.signal(number)
        code = await self.process.ended()
        self.process = None
        return code

    def said(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]


class Cluster:
    """What one test does to the nodes of one schema of the database at `url`."""

    def __init__(
        self,
        folder: Path,
        url: str,
        schema: str,
        *,
        seed: int,
        nodes: int,
        writer_lease_ms: int = WRITER_LEASE_MS,
    ) -> None:
        migrate(url, schema)
        self.seed = seed
        self.nodes = [Node(number, folder, url, schema, writer_lease_ms) for number in range(1, nodes + 1)]
        self.clients = Clients([node.url for node in self.nodes], KEY, seed)
        self._database = url, schema
        self._journal = folder / "reports.jsonl"
        self.workers: list[WatchedWorker] = []

    def start(self) -> None:
        """All nodes."""
        for node in self.nodes:
            node.start()

    def start_worker(self, *nodes: Node) -> WatchedWorker:
        """A worker that knows these nodes only, and asks the first one first."""
        environment = nodes[0].environment | {"RUNFOLD_API_URL": ",".join(node.url for node in nodes)}
        worker = WatchedWorker(environment, self._journal, NEVER, 1, TASKS, "--processes", "1")
        self.workers.append(worker)
        return worker

    async def ready(self, node: Node) -> dict[str, Any] | None:
        """What a node says of itself, None if it says nothing."""
        async with httpx.AsyncClient(trust_env=False, timeout=5, verify=world()) as http:
            try:
                response = await http.get(f"{node.url}/readyz")
            except httpx.TransportError:
                return None
            said: dict[str, Any] = response.json()
            return said

    async def roles(self) -> dict[str, str]:
        """The role of each node that is ready, by name."""
        said = [(node.name, await self.ready(node)) for node in self.nodes if node.process]
        return {name: body["role"] for name, body in said if body and body["status"] == "ok"}

    async def until_roles(self, *roles: str) -> None:
        """Wait until this many nodes are ready, in these roles."""
        deadline = time.monotonic() + DONE_SECONDS
        while sorted((found := await self.roles()).values()) != sorted(roles):
            assert time.monotonic() < deadline, f"After {DONE_SECONDS} s the roles are {found}, not {roles}."
            await asyncio.sleep(POLL_SECONDS)

    async def writer(self) -> Node:
        """The node that writes, once there is one."""
        deadline = time.monotonic() + DONE_SECONDS
        while True:
            roles = await self.roles()
            found = [node for node in self.nodes if roles.get(node.name) == "writer"]
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"After {DONE_SECONDS} s no node writes: {roles}."
            await asyncio.sleep(POLL_SECONDS)

    async def until(self, condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        """Look again and again: there is nothing to wait for in another process."""
        deadline = time.monotonic() + DONE_SECONDS
        while not condition():
            self.clients.check()
            assert time.monotonic() < deadline, f"After {DONE_SECONDS} s {otherwise()}."
            await asyncio.sleep(POLL_SECONDS)

    async def until_answered(self, more: int) -> None:
        """Wait until the clients have got so many further answers."""
        enough = self.clients.answered + more
        await self.until(lambda: self.clients.answered >= enough, lambda: f"{self.clients.answered} are answered")

    async def finish(self) -> None:
        """Let everything be answered and done, end the processes in order, and check what is left."""
        async with asyncio.timeout(DONE_SECONDS):
            await self.clients.finish()
        with closing(PostgresLedger(*self._database)) as ledger:
            await self._all_done(ledger)
            await self.clients.ask_again()
            await self.followed()
            for worker in self.workers:
                if worker.is_running:
                    worker.signal(signal.SIGTERM)
                    code = await worker.ended()
                    assert code == 0, f"{code}: {worker.said}"
            for node in self.nodes:
                if node.process:
                    assert await node.end(signal.SIGTERM) == 0
            with closing(PostgresReadModels(*self._database)) as read_models:
                Files(ledger, read_models).check(self.clients.requests, self._journal)

    async def close(self) -> None:
        """Leave nothing behind, however the test ended; say what was said."""
        await self.clients.close()
        for worker in self.workers:
            for number in (signal.SIGCONT, signal.SIGKILL):
                worker.signal(number)
            await worker.ended()
        for node in self.nodes:
            node.send(signal.SIGCONT)
            if node.process:
                await node.kill()
            print(node.name, *node.said()[-TAIL_LINES:], sep="\n")  # noqa: T201 (pytest shows it when the test fails)

    async def followed(self) -> None:
        """Wait until the read models are at the head: a follower may wait for a dead one's transaction to end."""
        deadline = time.monotonic() + DONE_SECONDS
        while True:
            said = await self.ready(await self.writer())
            if said and said["head"] == said["readModels"]:
                return
            assert time.monotonic() < deadline, f"After {DONE_SECONDS} s the writer says {said}."
            await asyncio.sleep(POLL_SECONDS)

    async def _all_done(self, ledger: PostgresLedger) -> None:
        log = LogCheck()
        position = 0

        def is_done() -> bool:
            nonlocal position
            records = ledger.read_after(position, limit=1_000_000)
            log.read(records)
            position += len(records)
            return not log.unfinished

        await self.until(is_done, lambda: f"there are unfinished runs: {log.unfinished}")
