"""While a commit hangs, nobody is told of what is in it: a crash would take it back."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app.nodes import metrics
from tests.app.faulty import FaultyLedger
from tests.app.harness import SOON_SECONDS, Engine, environment, running_engine, until

TRIGGER = "/api/v1/tasks/greet/trigger"
QUEUE = "/api/v1/queues/greet?type=task"
LIMIT = "/api/v1/concurrency"
SINK = {"name": "audit", "url": "https://example.org/events"}


@pytest.fixture
def ledger() -> FaultyLedger:
    return FaultyLedger()


@pytest.fixture
async def engine(ledger: FaultyLedger) -> AsyncGenerator[Engine]:
    async with running_engine(ledger) as running:
        yield running


@asynccontextmanager
async def hanging(
    ledger: FaultyLedger, client: httpx.AsyncClient, method: str, path: str, body: Any
) -> AsyncGenerator[None]:
    """A request whose commit hangs meanwhile."""
    ledger.appending.clear()
    ledger.may_append.clear()
    request = asyncio.create_task(client.request(method, path, json=body))
    try:
        assert await asyncio.to_thread(ledger.appending.wait, SOON_SECONDS)
        yield
    finally:
        ledger.may_append.set()
        await request


async def begun(engine: Engine, path: str) -> asyncio.Task[httpx.Response]:
    """A question that is asked, and that has got as far as it can get now."""
    question = asyncio.create_task(engine.client.get(path))
    # No event tells how far it is: a question that waits for nothing is answered within far fewer turns.
    for _ in range(200):
        await asyncio.sleep(0)
    return question


@pytest.mark.parametrize(
    ("path", "method", "asked", "body"),
    [
        (QUEUE, "POST", TRIGGER, {}),
        ("/api/v1/queues", "POST", TRIGGER, {"options": {"queue": {"name": "new"}}}),
        (LIMIT, "PUT", LIMIT, {"concurrencyLimit": 3}),
        ("/api/v1/sinks", "POST", "/api/v1/sinks", SINK),
    ],
)
@pytest.mark.parametrize("lands", [True, False])
async def test_an_answer_waits_for_the_commit_and_tells_what_became_of_it(
    engine: Engine, ledger: FaultyLedger, path: str, method: str, asked: str, body: Any, *, lands: bool
) -> None:
    before = await engine.get(path)

    async with hanging(ledger, engine.client, method, asked, body):
        question = await begun(engine, path)
        assert not question.done(), question.result().text
        ledger.fails = 0 if lands else 1
    answer = await question

    # One that failed is settled by a claim of the head, and until then nobody knows what became of it.
    assert answer.status_code == 200 if lands else answer.status_code in {200, 503}
    await until(lambda: engine.service.loop.unavailable is None)
    after = await engine.get(path)
    if lands:
        assert answer.json() == after
    else:
        assert after == before
        assert answer.status_code == 503 or answer.json() == before


async def test_a_worker_has_its_runs_when_their_hand_out_is_committed(engine: Engine, ledger: FaultyLedger) -> None:
    version = await engine.register()
    await engine.turn(version, want=0)
    run = await engine.trigger()
    turn: dict[str, Any] = {
        "session": engine.session,
        "version": version,
        "sequence": 2,
        "received": 1,
        "want": 1,
        "reports": [],
    }

    async with hanging(ledger, engine.client, "POST", "/worker/v1/turn", turn):
        question = await begun(engine, "/api/v1/workers")
        assert not question.done(), question.result().text
    (worker,) = (await question).json()["data"]

    assert (worker["running"], worker["runs"]) == (1, [{"id": run, "status": "DEQUEUED"}])


async def test_what_another_environment_commits_holds_up_nobody(engine: Engine, ledger: FaultyLedger) -> None:
    other = await environment(engine, "staging")

    async with hanging(ledger, other.client, "POST", TRIGGER, {}):
        answer = await asyncio.wait_for(engine.client.get(QUEUE), SOON_SECONDS)
        assert ledger.appending.is_set()
        assert not ledger.may_append.is_set()

    assert (answer.status_code, answer.json()["queued"]) == (200, 0)


async def test_metrics_leave_out_what_is_counted_in_memory_when_a_commit_takes_too_long(
    engine: Engine, ledger: FaultyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "COMMIT_SECONDS_MAX", 0.0)

    async with hanging(ledger, engine.client, "POST", TRIGGER, {}):
        during = (await engine.client.get("/metrics")).text
    await until(lambda: not engine.service.loop.engine.is_committing())
    after = (await engine.client.get("/metrics")).text

    names = "queued_runs|oldest_queued_age_seconds|erasures_pending"
    counted = re.compile(rf"^runfold_(?:{names})\b[^ ]* (\S+)$", re.MULTILINE)
    assert counted.findall(during) == []
    assert "runfold_ledger_head_position " in during
    assert counted.findall(after) == ["0.0", "1.0", "0.0"]


async def test_metrics_wait_a_little_for_a_commit(engine: Engine, ledger: FaultyLedger) -> None:
    async with hanging(ledger, engine.client, "POST", TRIGGER, {}):
        scrape = await begun(engine, "/metrics")
        ledger.may_append.set()
        text = (await scrape).text

    assert 'runfold_queued_runs{environment="dev",type="DEVELOPMENT"} 1.0' in text


async def test_an_engine_that_ended_with_a_commit_under_way_tells_nothing_of_it(
    engine: Engine, ledger: FaultyLedger
) -> None:
    async with hanging(ledger, engine.client, "POST", TRIGGER, {}):
        question = await begun(engine, QUEUE)
        ledger.is_down = True
        engine.service.loop.stop()
        ledger.may_append.set()
        answer = await question
    await engine.service.ended()
    late = await engine.client.get(QUEUE)

    assert (answer.status_code, late.status_code) == (503, 503)
    assert late.json()["detail"].startswith("It is not known yet what was committed last: ")
