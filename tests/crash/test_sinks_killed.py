"""An engine that streams events into a file is killed again and again: each position is there once, without a gap."""

import json
import random
from functools import partial
from pathlib import Path

from domain.events import SinkAdvanced
from tests.crash.scenario import Scenario

KILLS = 3


async def test_a_file_has_every_position_once_whenever_the_engine_is_killed(scenario: Scenario) -> None:
    chance = random.Random(f"{scenario.seed} sinks")
    scenario.environment["RUNFOLD_SINKS_FOLDER"] = str(scenario.folder / "sinks")
    file = scenario.folder / "sinks" / "all.jsonl"
    scenario.start_engine()
    await scenario.until_ready()
    added = await scenario.clients.post("/api/v1/sinks", {"name": "all", "file": "all.jsonl", "after": 0})
    assert added.status_code == 201, added.text
    scenario.start_worker()
    scenario.clients.begin()
    for _ in range(KILLS):
        # Sometimes in the middle of a write, and sometimes between a write and the note of it.
        enough = _size_of(file) + chance.randrange(1, 20_000)
        await scenario.until(partial(_has, file, enough), lambda: "nothing was written")
        await scenario.kill_engine()
        scenario.start_engine()
        await scenario.until_ready()

    await scenario.until_answered(5)
    await scenario.until_engine_says("/api/v1/sinks", lambda _, said: said["data"][0]["lag"] == 0)
    await scenario.finish()

    told = [int(json.loads(line)["id"]) for line in file.read_text().splitlines()]
    with scenario.database.reading() as (ledger, _):
        records = ledger.read_after(0, limit=1_000_000)
    wanted = [each.position for each in records if each.environment and not isinstance(each.event, SinkAdvanced)]
    assert told == wanted[: len(told)], "no position is there twice, and none is left out"
    assert len(told) > 10


def _has(file: Path, size: int) -> bool:
    return _size_of(file) >= size


def _size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
