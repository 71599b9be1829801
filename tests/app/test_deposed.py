"""When another writer took over: this engine ends, says so, and writes nothing more."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.engine import start
from tests.app.faulty import FaultyLedger
from tests.app.harness import SOON_SECONDS, START_MS, Engine, Log, running_engine, sentence_of, until

TRIGGER = "/api/v1/tasks/greet/trigger"
READY = ("role", "head", "readModels")


@pytest.fixture
def ledger() -> FaultyLedger:
    return FaultyLedger()


@pytest.fixture
async def engine(ledger: FaultyLedger) -> AsyncIterator[Engine]:
    async with running_engine(ledger) as running:
        yield running


async def test_the_command_that_finds_out_is_refused_and_so_is_every_later_one(
    engine: Engine, ledger: FaultyLedger
) -> None:
    run = await engine.trigger()
    start.claim(ledger, ledger.head(), START_MS)
    head = ledger.head()

    answers = [await engine.client.post(TRIGGER, json={}) for _ in range(3)]

    assert [(answer.status_code, sentence_of(answer)) for answer in answers] == [
        (503, "The engine has stopped."),
        (503, "The engine is stopping."),
        (503, "The engine is stopping."),
    ]
    assert ledger.head() == head, "a deposed writer writes nothing"
    ready, live = await engine.client.get("/readyz"), await engine.client.get("/livez")
    assert ready.status_code == 503
    assert sentence_of(ready, *READY).startswith("The engine ended: Deposed: ")
    assert live.status_code == 200
    assert (await engine.retrieve(run))["status"] == "QUEUED"


async def test_that_is_expected_and_no_error(engine: Engine, ledger: FaultyLedger, log: Log) -> None:
    start.claim(ledger, ledger.head(), START_MS)

    await engine.client.post(TRIGGER, json={})

    said = [entry for entry in log if entry["log_level"] in {"warning", "error"}]
    assert [(entry["log_level"], entry["event"]) for entry in said] == [
        ("warning", "the engine ended, as the ledger is not as it left it")
    ]
    assert "exc_info" not in said[0]


async def test_workers_that_wait_are_sent_away(engine: Engine, ledger: FaultyLedger) -> None:
    version = await engine.register()
    body = {"session": "worker_1", "version": version, "sequence": 1, "want": 1, "waitMs": 20_000}
    turn = asyncio.create_task(engine.client.post("/worker/v1/turn", json=body))
    await engine.waits(1)
    start.claim(ledger, ledger.head(), START_MS)

    await engine.client.post(TRIGGER, json={})

    async with asyncio.timeout(SOON_SECONDS):
        assert (await turn).status_code == 503


async def test_a_run_of_the_batch_that_never_landed_can_still_be_read(engine: Engine, ledger: FaultyLedger) -> None:
    run = await engine.trigger()
    start.claim(ledger, ledger.head(), START_MS)
    await engine.client.post(f"/api/v2/runs/{run}/cancel")

    async with asyncio.timeout(1):
        assert (await engine.retrieve(run))["status"] == "QUEUED"


async def test_a_claim_whose_answer_was_lost_does_not_depose_its_own_writer(
    engine: Engine, ledger: FaultyLedger
) -> None:
    ledger.fails, ledger.loses_answers = 1, 1

    refused = await engine.client.post(TRIGGER, json={})
    await until(lambda: engine.service.loop.unavailable is None or engine.service.failure is not None)
    accepted = await engine.client.post(TRIGGER, json={})

    assert (refused.status_code, accepted.status_code) == (503, 200)
