"""A scenario of one run with a journal, and of the lives of its worker."""

import signal
from pathlib import Path
from typing import Any

from tests.crash.databases import Database
from tests.crash.jobs import Job, Request
from tests.crash.processes import WorkerProcess
from tests.crash.scenario import LEASE_MS, Scenario
from tests.crash.told import Told

ORDERS = "tests/crash/orders.py"
FILES = {
    "order": ORDERS,
    "endure": ORDERS,
    "nap": ORDERS,
    "walk": ORDERS,
    "race": "tests/crash/racing.py",
    "plain_order": "tests/crash/plain_orders.py",
}


class Orders(Scenario):
    """One run of one task, and the lives of its worker."""

    def __init__(
        self, folder: Path, database: Database, task: str, *, victim: str = "nobody", lease_ms: int = LEASE_MS
    ) -> None:
        super().__init__(folder, seed=1, database=database, lease_ms=lease_ms)
        self.task = task
        self._log_of_workers = folder / "worker.log"
        self._workers: list[WorkerProcess] = []
        self._victim = {"CRASH_FOLDER": str(folder), "CRASH_VICTIM": victim}

    async def ask(self, **payload: Any) -> str:
        """The run of an order."""
        request = Request("order", [Job(self.task, {"n": "order", **payload})])
        await self.clients.ask(request)
        return request.runs[0]

    def start_life(self, *options: str) -> WorkerProcess:
        """The next worker."""
        environment = {**self.environment, **self._victim}
        worker = WorkerProcess(environment, self._log_of_workers, FILES[self.task], "--processes", "1", *options)
        self._workers.append(worker)
        return worker

    async def finish_run(self, run: str) -> Told:
        """Let the run end, then all processes; returns what is told of it then."""
        await self.until_engine_says(f"/api/v3/runs/{run}", lambda _, said: said["isCompleted"])
        self._workers[-1].signal(signal.SIGTERM)
        assert await self._workers[-1].ended() == 0
        await self.stop()
        with self.database.reading() as (ledger, read_models):
            return Told(ledger, read_models, self.folder)

    async def close(self) -> None:
        """Leave nothing behind, however the test ended; say what was said."""
        for worker in self._workers:
            worker.signal(signal.SIGKILL)
        await super().close()
        print(self._log_of_workers.read_text()[-2_000:])  # noqa: T201 (pytest shows it when the test fails)
