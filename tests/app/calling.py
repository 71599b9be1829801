"""An engine that executes HTTP jobs, and what tests of these ask of it."""

import random
import ssl
from typing import Any

from adapters.http.addresses import AddressPolicy, parsed_networks
from adapters.http.calling import SafeHttpCaller
from adapters.http.dialing import Resolve
from app.executor.executor import Executor
from app.executor.lines import LocalLines
from domain.mail import Mailer
from domain.status import FINAL, Status
from tests.app.harness import Engine, until
from tests.targets import Target

HERE = "127.0.0.0/8"
CONCURRENCY = 4
JOBS = "/v1/jobs"
EXECUTIONS = "/v1/executions"


def execute(
    engine: Engine,
    allowed: str = HERE,
    resolve: Resolve | None = None,
    concurrency: int = CONCURRENCY,
    per_host: int = CONCURRENCY,
    mailer: Mailer | None = None,
    trust: ssl.SSLContext | None = None,
) -> Executor:
    """Let this engine make calls to addresses of these networks, and send e-mails by this mailer.

    It believes the certificates of the world, or those that it is to `trust`.
    """
    caller = SafeHttpCaller(AddressPolicy(parsed_networks(allowed)), resolve=resolve, trust=trust)
    executor = Executor(LocalLines(engine.service), caller, concurrency, per_host, random.Random(1), mailer)
    engine.service.execute(executor)
    return executor


async def save(engine: Engine, url: str, **more: Any) -> dict[str, Any]:
    """Save a job that runs when it is told to; `request` and other fields may say more of it."""
    request = {"url": url} | more.pop("request", {})
    body = {"name": "ping", "kind": "webhook_trigger", "request": request} | more
    response = await engine.client.post(JOBS, json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def start(engine: Engine, job: dict[str, Any] | str) -> str:
    """Run a job now; returns the id of the execution."""
    name = job if isinstance(job, str) else job["id"]
    response = await engine.client.post(f"{JOBS}/{name}/run-now")
    assert response.status_code == 201, response.text
    return str(response.json()["execution_id"])


def status_of(engine: Engine, execution: str) -> Status | None:
    """The status of its run, None when it is over."""
    run = engine.service.loop.engine.memory.run(execution)
    return None if run is None or run.status in FINAL else run.status


async def ended(engine: Engine, execution: str) -> dict[str, Any]:
    """The execution when it is over, its back-offs waited for with the clock of the test."""
    while status_of(engine, execution) is not None:
        await until(lambda: status_of(engine, execution) in {None, Status.REATTEMPTING})
        await engine.service.loop.settled(execution)
        if status_of(engine, execution) is Status.REATTEMPTING:
            run = engine.service.loop.engine.memory.run(execution)
            assert run is not None
            assert run.due_at is not None
            await engine.advance(run.due_at - engine.clock.wall)
    return dict(await engine.get(f"{EXECUTIONS}/{execution}"))


async def executed(engine: Engine, target: Target, path: str = "/", **more: Any) -> dict[str, Any]:
    """What becomes of one execution of a job that calls this path."""
    return await ended(engine, await start(engine, await save(engine, target.url(path), **more)))
