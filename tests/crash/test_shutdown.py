"""SIGTERM is not a crash: what was accepted is committed, who waits is answered, and the engine ends soon."""

import asyncio
import signal
import time
from contextlib import closing

import pytest

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from tests.crash.scenario import Scenario

STOP_SECONDS = 8.0
"""Service managers lose their patience after ten."""
SECOND_ENGINE = 1


@pytest.mark.parametrize("lease_ms", [30_000])
async def test_an_engine_that_is_told_to_stop_under_load_answers_everyone_and_ends(scenario: Scenario) -> None:
    scenario.clients.begin()
    engine = await scenario.start("app", "serve")
    scenario.start_worker()
    await scenario.until_ready()
    waiting = asyncio.create_task(_wait_for_work(scenario))
    await scenario.until_answered(20)
    assert not waiting.done()

    engine.signal(signal.SIGTERM)
    told = time.monotonic()
    await engine.ended()
    took = time.monotonic() - told
    status = await waiting
    scenario.start_engine()

    assert took < STOP_SECONDS
    assert status in {200, 503}
    await scenario.finish()


async def test_an_engine_that_is_told_to_stop_brings_its_read_models_to_the_head(scenario: Scenario) -> None:
    engine = await scenario.start("app", "serve")
    await scenario.until_ready()
    scenario.clients.begin()
    await scenario.until_answered(10)

    engine.signal(signal.SIGTERM)
    code = await engine.ended()

    with (
        closing(SqliteLedger(scenario.ledger, writes=False)) as ledger,
        closing(SqliteReadModels(scenario.views)) as read_models,
    ):
        assert (code, read_models.position()) == (0, ledger.head())


async def test_an_engine_whose_disk_is_full_ends_as_well(scenario: Scenario) -> None:
    scenario.clients.begin()
    engine = scenario.start_engine()
    scenario.start_worker()
    await scenario.until_answered(10)
    scenario.fill_disk()
    await scenario.until_engine_says("/readyz", lambda status, _: status == 503)

    engine.signal(signal.SIGTERM)
    told = time.monotonic()
    await engine.ended()
    took = time.monotonic() - told
    scenario.free_disk()
    scenario.start_engine()

    assert took < STOP_SECONDS
    await scenario.finish()


async def test_a_second_engine_on_the_same_file_is_refused_with_a_sentence(scenario: Scenario) -> None:
    scenario.start_engine()
    await scenario.until_ready()

    second = await scenario.start("app", "serve")
    code = await second.ended()

    assert code == SECOND_ENGINE
    assert second.said == f"Another engine is running on this database ({scenario.ledger}.lock is locked).\n"


async def _wait_for_work(scenario: Scenario) -> int:
    """A turn of a worker that waits for a long time, and wants nothing; returns the status that it gets."""
    response = await scenario.turn({"session": "worker_waiting", "sequence": 1, "waitMs": 20_000})
    assert response.status_code == 200 or response.headers["retry-after"] == "1"
    return response.status_code
