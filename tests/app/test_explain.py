"""`GET /api/v1/runs/{id}/explain`: why a run is held before its queue, or has ended, as a sentence and as data."""

import asyncio

import pytest

from domain.status import FINAL, Status
from tests.app.explaining import explained
from tests.app.harness import RETRY, START, Engine, environment, report, until
from tests.app.statuses import run_in

SOON = "2027-01-15T08:01:00.000Z"
ERROR = {"name": "ValueError", "message": "not today\nnor tomorrow"}


async def test_a_task_that_no_version_knows(engine: Engine) -> None:
    run = await engine.trigger("late")

    assert await explained(engine, run) == (
        "version",
        "No version knows the task late yet.",
        {"task": "late"},
    )
    version = await engine.register({"id": "late"})
    assert await explained(engine, run) == (
        "no_worker",
        f"It waits for a worker of version {version}, and none is connected.",
        {"task": "late", "version": version, "queue": "task/late"},
    )


async def test_a_task_of_which_no_version_was_promoted(engine: Engine) -> None:
    run = await engine.trigger("late")
    answer = await engine.post("/worker/v1/register", {"tasks": [{"id": "late"}], "promote": False})
    version: str = answer["version"]

    waits = await explained(engine, run)
    await engine.post(f"/api/v1/deployments/{version}/promote", {})

    data = {"task": "late", "version": version}
    assert waits == ("version", f"Version {version} has the task late, but was not promoted.", data)
    assert (await explained(engine, run))[0] == "no_worker"


async def test_a_version_that_is_not_there(engine: Engine) -> None:
    run = await engine.trigger(lockToVersion="20270115.2")
    waits = await explained(engine, run)

    version = await engine.register({"id": "greet"}, {"id": "other"})
    await engine.turn(version, want=0)

    data = {"task": "greet", "version": "20270115.2"}
    assert waits == ("version", "It waits for version 20270115.2, which is not there yet.", data)
    assert (await explained(engine, run))[0] == "turn"


async def test_a_payload_that_is_being_checked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = asyncio.Event()
    checks = engine.service.loop.engine
    unjudged = checks.unjudged
    monkeypatch.setattr(checks, "unjudged", lambda: unjudged() if goes_on.is_set() else {})
    run = await engine.trigger("order", "one")

    version = await engine.register({"id": "order", "payloadSchema": {"type": "string"}})

    assert await explained(engine, run) == (
        "payload",
        f"Its payload is being checked by the schema of version {version}.",
        {"task": "order", "version": version},
    )
    before = engine.head
    goes_on.set()
    engine.service.loop.unjudged.set()
    await until(lambda: engine.head > before)
    assert (await explained(engine, run))[0] == "no_worker"


async def test_an_auth_resolver_that_is_to_be_asked(engine: Engine) -> None:
    version = await engine.register({"id": "guarded", "authResolver": True})
    run = await engine.trigger("guarded")

    sentence = f"It waits for a worker of version {version} to ask the auth resolver of its task"
    assert await explained(engine, run) == ("auth", f"{sentence}, and none is connected.", {"version": version})

    (handed,) = (await engine.turn(version, want=1))["runs"]
    assert await explained(engine, run) == (
        "auth",
        "Worker worker_1 is asking the auth resolver of its task.",
        {"worker": "worker_1", "version": version},
    )
    await engine.turn(version, report(handed, "authorized", output={"user": 7}), want=0)
    assert (await explained(engine, run))[0] == "turn"


async def test_an_auth_resolver_that_waits_for_a_busy_worker(engine: Engine) -> None:
    version = await engine.register({"id": "greet"}, {"id": "guarded", "authResolver": True})
    await engine.trigger()
    await engine.take(version)

    run = await engine.trigger("guarded")

    sentence = f"It waits for a worker of version {version} to ask the auth resolver of its task."
    assert await explained(engine, run) == ("auth", sentence, {"version": version})


async def test_connections_that_are_not_there(engine: Engine) -> None:
    version = await engine.register({"id": "fetch", "connections": ["github", "mail"]})
    await engine.turn(version, want=0)
    run = await engine.trigger("fetch")

    both = await explained(engine, run)
    await engine.put("/api/v1/connections/github", {"credentials": 1})
    one = await explained(engine, run)
    await engine.put("/api/v1/connections/mail", {"credentials": 1})

    assert both == (
        "connections",
        "It waits for the connections github, mail.",
        {"connections": ["github", "mail"]},
    )
    assert one == ("connections", "It waits for the connection mail.", {"connections": ["mail"]})
    assert (await explained(engine, run))[0] == "turn"


async def test_a_delay(engine: Engine) -> None:
    run = await engine.trigger(delay="1m")
    delayed = await explained(engine, run)

    await engine.advance(60_000)

    assert delayed == ("delay", f"It is delayed until {SOON}.", {"until": SOON})
    assert (await explained(engine, run))[0] == "no_worker"


async def test_a_back_off_and_the_error_before_it(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY | {"minTimeoutInMs": 60_000}})
    run = await engine.trigger()
    await engine.perform(version, "failed", error=ERROR)
    backs_off = await explained(engine, run)

    await engine.advance(60_000)
    await engine.turn(version, want=0)

    last = " The last error was ValueError: not today."
    assert backs_off == (
        "backoff",
        f"Attempt 1 failed; the next one may start at {SOON}.{last}",
        {"attempt": 1, "until": SOON, "error": "ValueError: not today"},
    )
    reason, sentence, _ = await explained(engine, run)
    assert reason == "turn"
    assert sentence.endswith(last)


async def test_an_end_and_its_error(engine: Engine) -> None:
    failed = await run_in(engine, Status.FAILED)
    completed = await run_in(engine, Status.COMPLETED)

    assert await explained(engine, failed) == (
        "ended",
        f"It has ended as FAILED, at {START}. Its error was ValueError: not today.",
        {"status": "FAILED", "at": START, "error": "ValueError: not today"},
    )
    assert await explained(engine, completed) == (
        "ended",
        f"It has ended as COMPLETED, at {START}.",
        {"status": "COMPLETED", "at": START},
    )


@pytest.mark.parametrize("status", Status)
async def test_each_status_has_an_explanation(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    reason, sentence, data = await explained(engine, run)

    assert (reason == "ended") is (status in FINAL)
    assert sentence.endswith(".")
    assert data


async def test_a_run_of_another_environment_is_not_there(engine: Engine) -> None:
    run = await engine.trigger()
    other = await environment(engine, "stg")

    for foreign in (run, "run_0"):
        sentence = await other.refused("GET", f"/api/v1/runs/{foreign}/explain", 404)
        assert sentence == f"Run {foreign} not found."
