"""The shop of the tutorial, whose worker begins another life whenever it has died."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.crash.databases import Database
from tests.crash.processes import ROOT, TutorialWorker
from tests.crash.scenario import Scenario
from tests.crash.tutorial_worker import MARKS
from tests.examples.test_written import blocks

TASKS = blocks((ROOT / "docs" / "tutorial-order.md").read_text(), "python")[0]
ORDER = {"id": "A1", "amount": 30, "addresses": ["Ada", "Bob", "Cleo"], "remind_after": "1s"}
LEASE_MS = 500
LIFE_SECONDS = 120.0
"""The longest life of a worker, which may be that of the test."""


class Tutorial(Scenario):
    """One order, from the trigger to its end."""

    def __init__(self, folder: Path, database: Database, kind: str, *, seed: int = 1) -> None:
        super().__init__(folder, seed=seed, database=database, lease_ms=LEASE_MS)
        (folder / MARKS).mkdir()
        (folder / "orders.py").write_text(TASKS)
        self.deaths = 0
        """Those of the worker."""
        self._kind = kind
        self._living: TutorialWorker | None = None
        self._lives: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start engine and worker."""
        self.start_engine()
        self._lives = asyncio.create_task(self._live_on())

    async def done(self) -> str:
        """Make the order, approve it once the reminder is out and the run is frozen, and let it end; its id."""
        said = await self.clients.insist(
            "/api/v1/tasks/order/trigger", json={"payload": ORDER, "options": {"idempotencyKey": "order A1"}}
        )
        run: str = said["id"]
        await self.until_engine_says(f"/api/v1/runs/{run}/journal", lambda _, said: _waits_again(said))
        await self.until_engine_says(f"/api/v3/runs/{run}", lambda _, said: said["status"] == "FROZEN")
        address = next(line for line in self.diary() if "approve at" in line).partition("approve at ")[2]
        assert await self.clients.insist(urlsplit(address).path, json={"by": "Grace"}) == {"success": True}
        await self.until_engine_says(f"/api/v3/runs/{run}", lambda _, said: said["isCompleted"])
        return run

    def diary(self) -> list[str]:
        """What the outside world sees."""
        file = self.folder / "diary.txt"
        return file.read_text().splitlines() if file.exists() else []

    def boundaries(self) -> list[str]:
        """Where the worker died, each with the run whose it was."""
        return sorted(mark.name for mark in (self.folder / MARKS).iterdir())

    def kill_living(self) -> None:
        """Kill the worker that there is now."""
        if self._living is not None:
            self._living.signal(signal.SIGKILL)

    async def close(self) -> None:
        """Leave nothing behind, however the test ended; say what was said."""
        try:
            if self._lives is not None:
                self._lives.cancel()
                with suppress(asyncio.CancelledError):
                    await self._lives
        finally:
            self.kill_living()
            await super().close()
            if (log := self.folder / "worker.log").exists():
                print(log.read_text()[-2_000:])  # noqa: T201 (pytest shows it when the test fails)

    async def _live_on(self) -> None:
        while True:
            self._living = TutorialWorker(
                self.environment, self.folder, self._kind, "orders.py", "--freeze-after", "0.2"
            )
            assert await self._living.ended(LIFE_SECONDS) == -signal.SIGKILL, "the worker ended by itself"
            self.deaths += 1


def _waits_again(said: Any) -> bool:
    return [each["name"] for each in said["entries"]].count("wait.token") == 2
