"""A large value that is no longer beside the ledger: its run says so, and nothing else suffers."""

from collections.abc import AsyncIterator

import pytest

from app.engine.delivering import AGAIN_MS
from domain.named_event import stream_of
from tests.app.faulty import FaultyLedger
from tests.app.harness import Engine, running_engine, sentence_of

LARGE = "x" * 40_000


@pytest.fixture
def ledger() -> FaultyLedger:
    return FaultyLedger()


@pytest.fixture
async def engine(ledger: FaultyLedger) -> AsyncIterator[Engine]:
    async with running_engine(ledger) as running:
        yield running


async def test_a_run_whose_payload_is_lost_ends_and_the_others_are_handed_out(
    engine: Engine, ledger: FaultyLedger
) -> None:
    version = await engine.register()
    runs = [await engine.trigger(payload=LARGE) for _ in range(3)]
    ledger.lost.add(runs[1])

    handed = (await engine.turn(version))["runs"]

    assert [run["id"] for run in handed] == [runs[0], runs[2]]
    assert await engine.events(runs[1]) == ["RunTriggered", "RunDequeued", "RunSystemFailed"]
    assert await engine.listed(**{"filter[status]": "SYSTEM_FAILURE"}) == [runs[1]]


async def test_the_worker_need_not_be_told_of_it(engine: Engine, ledger: FaultyLedger) -> None:
    version = await engine.register()
    run = await engine.trigger(payload=LARGE)
    ledger.lost.add(run)
    await engine.turn(version)

    holds_nothing = await engine.turn(version, holds=[])

    assert (holds_nothing["runs"], holds_nothing["refused"]) == ([], [])


async def test_the_run_itself_says_what_is_lost(engine: Engine, ledger: FaultyLedger) -> None:
    run = await engine.trigger(payload=LARGE)
    ledger.lost.add(run)

    response = await engine.client.get(f"/api/v3/runs/{run}")

    assert response.status_code == 500
    assert sentence_of(response) == f"The value {run}/payload is no longer there."
    assert await engine.events(run) == ["RunTriggered"]
    assert await engine.listed() == [run]


async def test_an_event_whose_payload_is_lost_is_canceled_and_the_others_are_delivered(
    engine: Engine, ledger: FaultyLedger
) -> None:
    await engine.register({"id": "greet", "event": {"name": "made"}})
    for event in ("lost", "kept"):
        body = {"event": {"name": "made", "id": event, "payload": LARGE}, "options": {"deliverAfter": 1}}
        await engine.post("/api/v1/events", body)
    environment = engine.service.environments()[0].id
    ledger.lost.add(stream_of(environment, "lost"))
    await engine.advance(1_000)
    while (head := engine.head) and engine.service.loop.engine.memory.deliveries:
        await engine.service.loop.feed.grown(head)
    ledger.lost.clear()

    lost, kept = [await engine.get(f"/api/v1/events/{event}") for event in ("lost", "kept")]
    assert (lost["status"], lost["runs"], kept["status"], len(kept["runs"])) == ("CANCELED", [], "DELIVERED", 1)
    assert lost["reason"] == f"The value {stream_of(environment, 'lost')}/payload is no longer there."


async def test_an_event_that_cannot_be_read_says_so_and_holds_up_no_others(
    engine: Engine, ledger: FaultyLedger
) -> None:
    await engine.register({"id": "greet", "event": {"name": "made"}})
    environment = engine.service.environments()[0].id
    # What is due at the same time is delivered in the order of the streams.
    (damaged, first), (whole, second) = sorted((stream_of(environment, event), event) for event in ("one", "other"))
    for event in (first, second):
        await engine.post("/api/v1/events", {"name": "made", "id": event, "options": {"deliverAfter": 1}})
    ledger.unreadable.add(damaged)
    await engine.advance(1_000)
    deliveries = engine.service.loop.engine.memory.deliveries
    while (head := engine.head) and whole in deliveries:
        await engine.service.loop.feed.grown(head)
    ledger.unreadable.clear()

    told = [await engine.get(f"/api/v1/events/{event}") for event in (first, second)]
    assert [each["status"] for each in told] == ["PENDING", "DELIVERED"]
    assert [each.get("stuck") for each in told] == [f"An event of {damaged} cannot be read.", None]
    await engine.advance(AGAIN_MS)
    while (head := engine.head) and damaged in deliveries:
        await engine.service.loop.feed.grown(head)
    again = await engine.get(f"/api/v1/events/{first}")
    assert (again["status"], len(again["runs"]), again.get("stuck")) == ("DELIVERED", 1, None)
