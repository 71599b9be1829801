"""An executor that reaches its engine by the worker protocol alone: the same as in its process, secrets included."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from adapters.http.addresses import AddressPolicy, parsed_networks
from adapters.http.calling import SafeHttpCaller
from app.executor.executor import Executor
from app.executor.lines import LineClosed
from app.executor.remote import OneLine, RemoteLine, new_client
from domain.mail import Mailer
from tests.app.calling import EXECUTIONS, HERE, ended, save, start
from tests.app.harness import KEY, Engine, Log, transport_of, until
from tests.mailbox import Mailbox
from tests.targets import Target

HUSH = "hush hush"
DOWN = "node-that-is-down"


class Flaky(httpx.AsyncBaseTransport):
    """Brings requests to the engine, unless they are for a node that is down, and loses the answers to some."""

    def __init__(self, beneath: httpx.AsyncBaseTransport, lost: int) -> None:
        self._beneath = beneath
        self.lost = lost

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == DOWN:
            raise httpx.ConnectError("refused")
        response = await self._beneath.handle_async_request(request)
        if self.lost:
            self.lost -= 1
            raise httpx.ReadError("The answer was lost.")
        return response


@asynccontextmanager
async def an_executor(
    engine: Engine,
    concurrency: int = 4,
    key: str = KEY,
    mailer: Mailer | None = None,
    lost: int = 0,
    addresses: Sequence[str] = ("http://engine",),
) -> AsyncGenerator[asyncio.Task[None]]:
    """One that runs while the block does."""
    async with new_client(key, Flaky(transport_of(engine), lost)) as http:
        line = RemoteLine(
            http, addresses, "dev", lambda: engine.clock.now().wall, lambda: 0.0, lambda _: asyncio.sleep(0)
        )
        caller = SafeHttpCaller(AddressPolicy(parsed_networks(HERE)))
        executor = Executor(OneLine(line), caller, concurrency, concurrency, random.Random(1), mailer)
        running = asyncio.create_task(executor.run())
        try:
            yield running
            if not running.done():
                await executor.stop()
        finally:
            running.cancel()
            await asyncio.wait({running})


async def test_an_execution_is_made_with_the_secrets_that_it_uses_and_keeps_none(
    engine: Engine, target: Target
) -> None:
    await engine.put("/v1/secrets/token", {"value": HUSH})
    async with an_executor(engine):
        job = await save(engine, target.url("/echo"), request={"headers": {"authorization": "Bearer secret://token"}})
        found = await ended(engine, await start(engine, job))

    (asked,) = target.asked
    assert found["status"] == "succeeded"
    assert asked.headers["authorization"] == f"Bearer {HUSH}"
    assert asked.headers["x-cron-service-job-id"] == job["id"]
    assert HUSH not in str(found)


async def test_of_several_nodes_it_works_for_one_that_answers(engine: Engine, target: Target) -> None:
    async with an_executor(engine, addresses=[f"http://{DOWN}", "http://engine"]):
        found = await ended(engine, await start(engine, await save(engine, target.url("/echo"))))

    assert found["status"] == "succeeded"


async def test_a_hand_out_brings_the_secrets_that_the_request_uses_and_no_others(engine: Engine) -> None:
    for name in ("token", "body", "signing", "other"):
        await engine.put(f"/v1/secrets/{name}", {"value": f"{name} {HUSH}"})
    request = {
        "method": "POST",
        "headers": {"authorization": "Bearer secret://token", "x": "secret://missing"},
        "body": {"deep": ["secret://body"]},
        "sign_with": ["signing"],
    }
    await start(engine, await save(engine, "https://example.com", request=request))
    (handed,) = (await engine.turn("builtin"))["runs"]
    await engine.trigger()
    version = await engine.register()
    other = (await engine.turn(version, session="worker_other", sequence=1, received=0))["runs"][0]

    assert handed["secrets"] == {"signing": f"signing {HUSH}", "token": f"token {HUSH}", "body": f"body {HUSH}"}
    assert "secrets" not in other


async def test_a_secret_that_is_missing_fails_before_anything_is_sent(engine: Engine, target: Target) -> None:
    async with an_executor(engine):
        job = await save(engine, target.url(), request={"headers": {"x": "secret://missing"}})
        found = await ended(engine, await start(engine, job))

    assert (found["attempts"][0]["errorClass"], target.asked) == ("secret_missing", [])
    assert "PUT /v1/secrets/missing" in found["error"]["message"]


async def test_the_pauses_between_attempts_are_those_of_the_job(engine: Engine, target: Target) -> None:
    target.script = [(503, "", {"retry-after": "70"}), (200, "done", {})]
    async with an_executor(engine):
        found = await ended(engine, await start(engine, await save(engine, target.url("/next"))))
    events = (await engine.get(f"/api/v1/runs/{found['id']}/events"))["events"]

    (retry,) = [each["data"] for each in events if each["type"] == "AttemptFailed"]
    assert retry["retry_in_ms"] == 70_000
    assert [each["statusCode"] for each in found["attempts"]] == [503, 200]
    assert found["attempts"][1]["bodyPreview"] == "done"


async def test_an_execution_that_waits_for_an_executor_says_so(engine: Engine, target: Target) -> None:
    execution = await start(engine, await save(engine, target.url("/echo")))

    told = await engine.get(f"/api/v1/runs/{execution}/explain")

    assert told["sentence"] == (
        "It waits for an executor (`runfold executor`), as the engine makes no calls itself, and none is connected."
    )
    async with an_executor(engine):
        assert (await ended(engine, execution))["status"] == "succeeded"


async def test_several_executors_share_the_work(engine: Engine, target: Target) -> None:
    async with an_executor(engine, concurrency=1), an_executor(engine, concurrency=1):
        job = await save(engine, target.url("/gate"))
        executions = [await start(engine, job) for _ in range(4)]
        await target.came(2)
        target.release.set()
        found = [await ended(engine, each) for each in executions]

    assert [each["status"] for each in found] == ["succeeded"] * 4


async def test_a_cancel_reaches_the_call(engine: Engine, target: Target) -> None:
    async with an_executor(engine, concurrency=1):
        job = await save(engine, target.url("/gate"))
        execution = await start(engine, job)
        await target.came(1)
        await engine.post(f"/api/v2/runs/{execution}/cancel")
        # There is room again only when the call has been given up.
        other = await ended(engine, await start(engine, await save(engine, target.url("/status/200"))))

    assert other["status"] == "succeeded"
    assert (await engine.get(f"{EXECUTIONS}/{execution}"))["run_status"] == "CANCELED"


async def test_a_turn_whose_answer_was_lost_is_sent_again_and_nothing_is_made_twice(
    engine: Engine, target: Target
) -> None:
    job = await save(engine, target.url())
    executions = [await start(engine, job) for _ in range(3)]
    async with an_executor(engine, lost=3):
        found = [await ended(engine, each) for each in executions]

    assert [each["attempt_count"] for each in found] == [1, 1, 1]
    assert len(target.asked) == 3


async def test_an_executor_that_stops_gives_back_what_it_holds(engine: Engine, target: Target) -> None:
    async with an_executor(engine) as running:
        execution = await start(engine, await save(engine, target.url("/gate")))
        await target.came(1)
        target.release.set()
    found = await ended(engine, execution)

    assert running.done()
    assert (found["status"], found["attempt_count"]) == ("succeeded", 1)


async def test_an_alert_is_sent_by_it(engine: Engine, target: Target, mailbox: Mailbox) -> None:
    await engine.client.post("/v1/alerts", json={"name": "ops", "kind": "email", "to": ["ada@example.com"]})
    async with an_executor(engine, mailer=mailbox.mailer):
        await ended(engine, await start(engine, await save(engine, target.url("/status/400"))))
        (mail,) = await mailbox.came(1)
        await until(lambda: not engine.service.loop.engine.memory.worker_runs)

    assert mail["Subject"] == "Job ping failed"


async def test_a_key_that_opens_nothing_ends_it_with_a_sentence(engine: Engine, log: Log) -> None:
    async with an_executor(engine, key="tr_dev_of_somebody_else") as running:
        with pytest.RaisesGroup(pytest.RaisesExc(LineClosed, match="this key opens no environment here")):
            await running

    assert log == []


async def test_a_run_of_runfolds_own_is_replayed_as_it_is(engine: Engine, target: Target) -> None:
    execution = await start(engine, await save(engine, target.url()))
    body: dict[str, Any] = {"payload": {"request": "mine"}}

    sentence = await engine.refused("POST", f"/api/v1/runs/{execution}/replay", 422, json=body)
    assert "one of Runfold's own" in sentence
