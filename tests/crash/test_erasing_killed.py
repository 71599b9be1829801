"""An engine is killed while it erases and archives: what was decided is done in the end, and the log verifies."""

import asyncio
import gzip
import random
from pathlib import Path
from typing import Any

import httpx

from tests.crash.scenario import Scenario

KILLS = 3
RUNS = 12
MARK = "m4rk3r-of-a-run"


async def test_what_was_to_be_erased_is_gone_whenever_the_engine_is_killed(scenario: Scenario) -> None:
    chance = random.Random(f"{scenario.seed} erasing")
    scenario.start_engine()
    await scenario.until_ready()
    runs: list[str] = []
    for number in range(RUNS):
        payload = {"payload": {"of": MARK * chance.choice((1, 3_000))}, "options": {"tags": [f"{MARK}-{number}"]}}
        made = await scenario.clients.post("/api/v1/tasks/unheard-of/trigger", payload)
        runs.append(made.json()["id"])
        await scenario.clients.post(f"/api/v2/runs/{runs[-1]}/cancel", {})
    for _ in range(KILLS):
        asked = [asyncio.create_task(_erase(scenario, run)) for run in chance.sample(runs, 4)]
        # Somewhere between the request and the end of what follows from it.
        await asyncio.sleep(chance.uniform(0, 0.15))
        await scenario.kill_engine()
        await asyncio.gather(*asked, return_exceptions=True)
        scenario.start_engine()
        await scenario.until_ready()

    for run in runs:
        assert (await _erase(scenario, run)).status_code == 200
    metrics = await scenario.clients.get("/metrics")
    assert metrics is not None
    assert "runfold_erasures_pending 0.0" in metrics.text
    await scenario.stop()

    with scenario.database.reading() as (ledger, _):
        assert list(ledger.verify()) == []
    assert [file.name for file in _files(scenario.folder) if MARK.encode() in _content_of(file)] == []


async def _erase(scenario: Scenario, run: str) -> Any:
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(
            f"{scenario.environment['RUNFOLD_API_URL']}/api/v1/runs/{run}/erase",
            json={"withNames": True},
            headers={"authorization": f"Bearer {scenario.environment['RUNFOLD_SECRET_KEY']}"},
        )


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def _content_of(file: Path) -> bytes:
    content = file.read_bytes()
    return gzip.decompress(content) if file.suffix == ".gz" else content
