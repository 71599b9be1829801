"""When the ledger cannot be written: commands are refused for a while, nothing acknowledged is lost, and it passes."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.engine import loop
from domain import engine as core
from domain.events import WriterStarted
from tests.app.faulty import DISK_FULL, FaultyLedger
from tests.app.harness import SOON_SECONDS, Engine, running_engine, sentence_of, until

TRIGGER = "/api/v1/tasks/greet/trigger"
READY = ("role", "head", "readModels")


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> FaultyLedger:
    monkeypatch.setattr(loop, "CLAIM_AGAIN_MS_MAX", 20)
    return FaultyLedger()


@pytest.fixture
async def engine(ledger: FaultyLedger) -> AsyncIterator[Engine]:
    async with running_engine(ledger) as running:
        yield running


def _unavailable(response: httpx.Response, *more: str) -> str:
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    return sentence_of(response, *more)


async def _until_ready(engine: Engine) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while (await engine.client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 (it tries again by the real clock)
            await asyncio.sleep(0.005)


async def test_while_it_lasts_commands_are_refused_and_reads_answered(engine: Engine, ledger: FaultyLedger) -> None:
    run = await engine.trigger(payload="kept")
    await engine.listed()
    ledger.fails = 10**9

    first = await engine.client.post(TRIGGER, json={})
    second = await engine.client.post(f"/api/v2/runs/{run}/cancel")
    ready, live = await engine.client.get("/readyz"), await engine.client.get("/livez")

    assert _unavailable(first) == f"It is not known yet whether this was written: {DISK_FULL}"
    assert _unavailable(second) == f"The engine cannot write at present: {DISK_FULL}"
    assert _unavailable(ready, *READY) == f"The ledger cannot be written: {DISK_FULL}"
    assert live.json() == {"status": "ok"}
    assert (await engine.retrieve(run))["payload"] == "kept"
    assert await engine.listed() == [run]
    ledger.fails = 0


async def test_a_run_of_which_it_is_not_known_what_became_is_no_reason_to_wait(
    engine: Engine, ledger: FaultyLedger
) -> None:
    run = await engine.trigger()
    ledger.fails = 10**9
    await engine.client.post(f"/api/v2/runs/{run}/cancel")

    try:
        async with asyncio.timeout(1):
            answer = await engine.client.get(f"/api/v3/runs/{run}")
    finally:
        ledger.fails = 0

    assert answer.status_code == 503


async def test_it_passes_by_itself_and_what_was_refused_was_not_done(engine: Engine, ledger: FaultyLedger) -> None:
    version = await engine.register()
    before = await engine.trigger()
    ledger.fails = 10**9
    refused = [await engine.client.post(TRIGGER, json={}) for _ in range(3)]
    ledger.fails = 0
    await _until_ready(engine)

    after = await engine.trigger()

    assert [response.status_code for response in refused] == [503, 503, 503]
    assert await engine.listed() == [after, before]
    assert [run["id"] for run in (await engine.turn(version))["runs"]] == [before, after]


async def test_a_commit_that_fails_once_is_refused_and_the_next_one_lands(engine: Engine, ledger: FaultyLedger) -> None:
    ledger.fails = 1

    refused = await engine.client.post(TRIGGER, json={})
    run = await engine.trigger()

    assert _unavailable(refused) == "The database did not take the command; nothing was written. Ask again."
    assert await engine.listed() == [run]
    assert [type(each.event) for each in ledger.read_after(4, limit=10)][:1] == [WriterStarted]


async def test_a_commit_that_landed_all_the_same_is_answered_as_landed(engine: Engine, ledger: FaultyLedger) -> None:
    ledger.loses_answers = 1

    run = await engine.trigger(payload=1)

    assert await engine.listed() == [run]
    assert (await engine.events(run), engine.head, ledger.head().position) == (["RunTriggered"], 5, 5)
    assert list(ledger.verify()) == []


async def test_a_report_that_failed_to_be_written_can_be_sent_again(engine: Engine, ledger: FaultyLedger) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version)
    said = {"run": run, "token": handed["token"], "kind": "succeeded", "at": 0, "output": 1}
    turn = {"session": "worker_1", "version": version, "sequence": 3, "received": 2, "reports": [said]}
    ledger.fails = 1

    refused = await engine.client.post("/worker/v1/turn", json=turn)
    again = await engine.post("/worker/v1/turn", turn | {"holds": [[run, handed["token"]]]})

    assert refused.status_code == 503
    assert again == {"sequence": 3, "runs": [], "cancels": [], "refused": [], "woken": []}
    assert (await engine.retrieve(run))["output"] == 1


async def test_a_ledger_that_cannot_be_read_is_no_end_either(engine: Engine, ledger: FaultyLedger) -> None:
    run = await engine.trigger()
    await engine.post(f"/api/v2/runs/{run}/cancel")
    ledger.is_down = True

    read = await engine.client.get(f"/api/v3/runs/{run}")
    # Whether the key stands for a run must be read first.
    written = await engine.client.post(TRIGGER, json={"options": {"idempotencyKey": "k"}})
    ledger.is_down = False
    await _until_ready(engine)

    assert _unavailable(read) == "The ledger cannot be read: disk I/O error."
    assert written.status_code == 503
    assert (await engine.retrieve(run))["status"] == "CANCELED"
    assert (await engine.post(TRIGGER, {"options": {"idempotencyKey": "k"}}))["isCached"] in {True, False}


async def test_a_full_inbox_refuses_what_is_too_much_and_does_the_rest(
    engine: Engine, ledger: FaultyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "INBOX_MAX", 3)
    ledger.appending.clear()
    ledger.may_append.clear()
    requests = [asyncio.create_task(engine.client.post(TRIGGER, json={}))]
    await asyncio.to_thread(ledger.appending.wait, SOON_SECONDS)
    requests += [asyncio.create_task(engine.client.post(TRIGGER, json={})) for _ in range(5)]
    await until(lambda: sum(request.done() for request in requests) == 2)
    ledger.may_append.set()

    answers = await asyncio.gather(*requests)

    refused = [answer for answer in answers if answer.status_code == 503]
    assert {_unavailable(answer) for answer in refused} == {
        "The engine has more to do than it can take: ask again in a moment."
    }
    assert len(refused) == 2
    assert len(await engine.listed()) == 4


async def test_a_full_inbox_is_counted_in_bytes_too(
    engine: Engine, ledger: FaultyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "INBOX_MAX_BYTES", 50_000)

    refused = await engine.client.post(TRIGGER, json={"payload": "x" * 60_000})
    taken = await engine.client.post(TRIGGER, json={"payload": "x" * 10_000})

    assert (refused.status_code, taken.status_code) == (503, 200)
