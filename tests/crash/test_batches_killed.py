"""A batch that comes in a stream, and a bulk cancel of it, while the engine dies by kill -9 in the middle."""

import asyncio
from collections import Counter
from contextlib import closing
from typing import Any

import msgspec
import pytest

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from domain.events import RunCanceled, RunTriggered
from tests.crash.checks import Files
from tests.crash.engine_process import MOMENTS
from tests.crash.scenario import Scenario

COUNT = 900
"""Several commands of items, and several chunks of a bulk action."""
PADDING = "x" * 2_000
"""So that the items come in many pieces, and go into the ledger with many appends."""
ITEMS = [{"index": n, "task": "nobody-has-it", "payload": {"n": n, "padding": PADDING}} for n in range(COUNT)]
ND_JSON = {"content-type": "application/x-ndjson"}
LINES = b"".join(msgspec.json.encode(item) + b"\n" for item in ITEMS)


async def batch_of(scenario: Scenario, moment: str) -> str:
    """A batch whose items all came, though the engine died twice meanwhile."""
    scenario.start_engine()
    batch: str = (await scenario.clients.insist("/api/v3/batches", json={"runCount": COUNT}))["id"]
    await scenario.kill_engine()
    scenario.start_engine(f"append.{moment}", 2)
    sent = scenario.clients.insist(f"/api/v3/batches/{batch}/items", content=LINES, headers=ND_JSON)
    asking = asyncio.create_task(sent)
    await scenario.engine_is_killed()
    scenario.start_engine(f"append.{moment}", 1)
    await scenario.engine_is_killed()
    scenario.start_engine()
    taken = await asking

    assert taken["sealed"] is True
    assert 0 < taken["itemsDeduplicated"] < COUNT
    assert taken["itemsAccepted"] + taken["itemsDeduplicated"] == COUNT
    return batch


async def canceled(scenario: Scenario, moment: str, **what: Any) -> Any:
    """What a bulk cancel says of itself at its end, though the engine died in the middle of it."""
    await scenario.kill_engine()
    # The first append begins the action, the second one is its first chunk.
    scenario.start_engine(f"append.{moment}", 2)
    body, key = {"action": "cancel"} | what, {"x-trigger-request-idempotency-key": "once"}
    begun = await scenario.clients.insist("/api/v1/bulk-actions", json=body, headers=key)
    await scenario.engine_is_killed()
    scenario.start_engine()
    path = f"/api/v1/bulk-actions/{begun['id']}"
    first = await scenario.until_engine_says(path, lambda status, _: status == 200)
    assert first["counts"]["success"] in {0, 500, COUNT}
    return await scenario.until_engine_says(path, lambda _, said: said["status"] != "PENDING")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_each_index_makes_one_run_and_each_run_is_canceled_once(scenario: Scenario, moment: str) -> None:
    batch = await batch_of(scenario, moment)
    runs = (await scenario.until_engine_says(f"/api/v2/batches/{batch}", lambda status, _: status == 200))["runs"]

    told = await canceled(scenario, moment, filter={"batch": batch})
    await scenario.stop()

    assert told["status"] == "COMPLETED"
    assert told["counts"] == {"total": COUNT, "success": COUNT, "failure": 0}
    with (
        closing(SqliteLedger(scenario.ledger, writes=False)) as ledger,
        closing(SqliteReadModels(scenario.views)) as read_models,
    ):
        files = Files(ledger, read_models)
        files.check_read_models()
        assert files.log.unfinished == set()
        check_runs(files, runs)


def check_runs(files: Files, runs: list[str]) -> None:
    """Each index has one run, and each run ended once."""
    triggered = [(each.stream, each.event) for each in files.records if isinstance(each.event, RunTriggered)]
    ends = Counter(each.stream for each in files.records if isinstance(each.event, RunCanceled))

    assert [run for run, _ in triggered] == runs
    assert [msgspec.json.decode(event.payload)["n"] for _, event in triggered] == list(range(COUNT))
    assert ends == Counter(runs)
