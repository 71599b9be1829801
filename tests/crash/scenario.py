"""An engine on real files, a worker and clients, of which any may be killed and started again."""

import asyncio
import json
import random
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.crash.checks import Files
from tests.crash.clients import Clients
from tests.crash.databases import Database, sqlite_in
from tests.crash.death import NEVER
from tests.crash.engine_process import FULL
from tests.crash.processes import EngineProcess, Program, WatchedWorker
from tests.simulation.log_check import LogCheck

KEY = "tr_prod_0123456789abcdef"
DEVELOPMENT_KEY = "tr_dev_0123456789abcdef"
"""In development a worker that is lost interrupts its runs; elsewhere they are tried again."""
LEASE_MS = 1_000
POLL_SECONDS = 0.02
DONE_SECONDS = 60.0
TAIL_LINES = 20
EXPECTED_ERRORS = ("cannot commit", "the read models do not follow", "the engine ended")
"""What an engine says of a disk that is full."""
TASKS = "tests/crash/tasks.py"


class Scenario:
    """What one test does to one ledger."""

    def __init__(
        self, folder: Path, *, seed: int, lease_ms: int = LEASE_MS, key: str = KEY, database: Database | None = None
    ) -> None:
        self.seed = seed
        self.folder = folder
        self.ledger = folder / "ledger.db"
        self.views = folder / "ledger.views.db"
        self.database = database or sqlite_in(folder)
        port = free_port()
        self.environment = {
            **self.database.environment,
            "RUNFOLD_SECRET_KEY": key,
            "RUNFOLD_HOST": "127.0.0.1",
            "RUNFOLD_PORT": str(port),
            "RUNFOLD_API_URL": f"http://127.0.0.1:{port}",
            "RUNFOLD_LEASE_MS": str(lease_ms),
            "RUNFOLD_VERIFY_PER_SECOND": "0",
            "RUNFOLD_LOG_LEVEL": "warning",
            "RUNFOLD_LOG_FORMAT": "json",
        }
        self.clients = Clients([self.environment["RUNFOLD_API_URL"]], key, seed)
        self.engine: EngineProcess | None = None
        self.worker: WatchedWorker | None = None
        self._full = folder / FULL
        self._log = folder / "engine.log"
        self._journal = folder / "reports.jsonl"
        self._programs: list[Program | WatchedWorker] = []

    def start_engine(self, place: str = NEVER, count: int = 1) -> EngineProcess:
        """The next life of the engine, which ends at this place."""
        self.engine = EngineProcess(self.environment, self._log, place, count)
        return self.engine

    def start_worker(
        self, place: str = NEVER, count: int = 1, *options: str, tasks: str = TASKS, processes: int = 1
    ) -> WatchedWorker:
        """The next life of the worker."""
        options = tasks, "--processes", str(processes), *options
        self.worker = WatchedWorker(self.environment, self._journal, place, count, *options)
        self._programs.append(self.worker)
        return self.worker

    async def start(self, module: str, *arguments: str) -> Program:
        """Any program of the checkout."""
        program = await Program.start(self.environment, module, *arguments)
        self._programs.append(program)
        return program

    async def kill_engine(self) -> None:
        """Kill it with -9."""
        assert self.engine is not None
        self.engine.signal(signal.SIGKILL)
        await self.engine_is_killed()

    async def kill_worker(self) -> None:
        """Kill it with -9; what it has started ends by itself."""
        assert self.worker is not None
        self.worker.signal(signal.SIGKILL)
        await self.worker_is_killed()

    async def engine_is_killed(self) -> None:
        """Wait until the engine has got to the place where it kills itself."""
        assert self.engine is not None
        assert await self.engine.ended() == -signal.SIGKILL, self._log.read_text()

    async def worker_is_killed(self) -> None:
        """Wait until the worker has got to the place where it kills itself, and its children have noticed."""
        assert self.worker is not None
        assert await self.worker.ended() == -signal.SIGKILL, self.worker.said

    async def turn(self, turn: dict[str, Any]) -> httpx.Response:
        """A turn of a worker that is not there."""
        registered = await self.clients.post("/worker/v1/register", {"tasks": [{"id": "unheard-of"}]})
        return await self.clients.post("/worker/v1/turn", turn | {"version": registered.json()["version"]})

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

    async def until_engine_says(self, path: str, condition: Callable[[int, Any], bool]) -> Any:
        """Ask the engine again and again, until status and body of its answer are so; returns the body."""
        deadline = time.monotonic() + DONE_SECONDS
        said = None
        while True:
            response = await self.clients.get(path)
            if response is not None and condition(response.status_code, said := response.json()):
                return said
            assert time.monotonic() < deadline, f"After {DONE_SECONDS} s {path} says {said}."
            await asyncio.sleep(POLL_SECONDS)

    async def until_ready(self) -> None:
        """Wait until the engine commits, and its read models follow."""
        await self.until_engine_says("/readyz", lambda status, _: status == 200)

    async def until_run_has(self, run: str, event: str, times: int) -> list[dict[str, Any]]:
        """Wait until so many events of this type have happened to the run; returns all that have."""
        path = f"/api/v1/runs/{run}/events"
        said = await self.until_engine_says(
            path, lambda _, said: sum(each["type"] == event for each in said["events"]) >= times
        )
        events: list[dict[str, Any]] = said["events"]
        return events

    async def finish(self) -> None:
        """Let everything be answered and done, end the processes in order, and check what is left."""
        async with asyncio.timeout(DONE_SECONDS):
            await self.clients.finish()
        await self.all_done()
        await self.clients.ask_again()
        await self.stop()
        with self.database.reading() as (ledger, read_models):
            Files(ledger, read_models).check(self.clients.requests, self._journal)

    async def stop(self) -> None:
        """End the processes in order, once the read models have followed."""
        await self.until_engine_says("/readyz", lambda _, said: said["head"] == said["readModels"])
        for program in reversed(self._programs):
            if program.is_running:
                program.signal(signal.SIGTERM)
                assert await program.ended() == 0, program.said
        if self.engine is not None:
            self.engine.signal(signal.SIGTERM)
            assert await self.engine.ended() == 0
            self._check_log()

    async def all_done(self) -> None:
        """Wait until every run in the ledger has ended."""
        log = LogCheck()
        position = 0

        def is_done() -> bool:
            nonlocal position
            records = ledger.read_after(position, limit=1_000_000)
            log.read(records)
            position += len(records)
            return not log.unfinished

        # Opened when nothing is killed any more: a file that somebody has open needs no recovery.
        with closing(self.database.open_ledger()) as ledger:
            await self.until(is_done, lambda: f"there are unfinished runs: {log.unfinished}")

    def _check_log(self) -> None:
        """The engine met nothing that it did not expect."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        errors = [line for line in lines if line["level"] == "error"]

        assert [line for line in errors if line["event"] not in EXPECTED_ERRORS] == []

    async def close(self) -> None:
        """Leave nothing behind, however the test ended; say what was said."""
        await self.clients.close()
        if self.engine is not None:
            self.engine.signal(signal.SIGKILL)
        for program in self._programs:
            for number in (signal.SIGCONT, signal.SIGKILL):
                program.signal(number)
            await program.ended()
            print(*program.said.splitlines()[-TAIL_LINES:], sep="\n")  # noqa: T201 (pytest shows it when the test fails)
        if self._log.exists():
            print(*self._log.read_text().splitlines()[-TAIL_LINES:], sep="\n")  # noqa: T201

    def fill_disk(self) -> None:
        """No database of the engine can grow from now on."""
        self._full.touch()

    def free_disk(self) -> None:
        """There is space again."""
        self._full.unlink()


def free_port() -> int:
    """A port that is not given to outgoing connections, so that nobody takes it between two engines."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(15_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
