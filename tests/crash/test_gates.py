"""Gates before the queue and machines, with an engine and workers that are processes of their own."""

import json
from pathlib import Path

from domain.status import Status
from tests.crash.gated import MEMBERS, RAISED, digest
from tests.crash.jobs import Job, Request
from tests.crash.scenario import Scenario
from tests.shown import shows, shows_option

GATED = "tests/crash/gated.py"
TOKEN = "ghp_nobody_may_read_this"
KEY = "5b" * 32


async def ask(scenario: Scenario, job: Job) -> str:
    """The run of a trigger."""
    request = Request(job.name, [job])
    await scenario.clients.ask(request)
    return request.runs[0]


def contents(folder: Path) -> dict[str, bytes]:
    """What every file there holds."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def until_status(scenario: Scenario, run: str, status: Status) -> None:
    await scenario.until_engine_says(f"/api/v3/runs/{run}", lambda _, said: said.get("status") == status.value)


@shows(Status.WAITING_ON_CONNECTIONS, Status.UNRESOLVED_AUTH)
@shows_option("task.connections", "task.authResolver")
async def test_a_task_gets_its_connection_and_its_auth_and_nobody_else_sees_them(
    scenario: Scenario, tmp_path: Path
) -> None:
    scenario.environment["RUNFOLD_ENCRYPTION_KEY"] = KEY
    scenario.start_engine()
    scenario.start_worker(tasks=GATED)
    signature = MEMBERS["ada"]
    output = {"n": "sync", "token": digest(TOKEN), "signature": digest(signature)}
    synced = await ask(scenario, Job("sync", {"n": "sync", "user": "ada"}, output=output))
    leaked = await ask(scenario, Job("leak", {"n": "leak", "user": "ada"}, Status.FAILED))
    for name in ("nobody", RAISED):
        await ask(scenario, Job("sync", {"n": name, "user": name}, Status.UNRESOLVED_AUTH))
    await until_status(scenario, synced, Status.WAITING_ON_CONNECTIONS)

    saved = await scenario.clients.put("/api/v1/connections/github", {"credentials": {"token": TOKEN}})
    await until_status(scenario, synced, Status.COMPLETED)
    await until_status(scenario, leaked, Status.FAILED)
    failed = await scenario.until_engine_says(f"/api/v3/runs/{leaked}", lambda status, _: status == 200)
    feed = await scenario.until_engine_says("/api/v1/ledger/events?limit=1000", lambda status, _: status == 200)
    await scenario.finish()

    assert saved.status_code == 200
    assert failed["error"]["message"] == "[redacted] and [redacted] are refused"
    assert scenario.worker is not None
    kept = contents(tmp_path)
    assert {"ledger.db", "engine.log"} <= kept.keys()
    assert "ledger.db.key" not in kept
    kept |= {"the feed": json.dumps(feed).encode(), "the worker": scenario.worker.said.encode()}
    for secret in (TOKEN, signature):
        assert [name for name, text in kept.items() if secret.encode() in text] == []


@shows(Status.INVALID_PAYLOAD)
@shows_option("task.payloadSchema")
async def test_the_type_of_a_payload_in_python_refuses_what_does_not_fit(scenario: Scenario) -> None:
    scenario.start_engine()
    wrong = Job("order", {"n": "wrong", "pieces": "many"}, Status.INVALID_PAYLOAD)
    parked = await ask(scenario, wrong)
    await until_status(scenario, parked, Status.PENDING_VERSION)

    scenario.start_worker(tasks=GATED)
    await until_status(scenario, parked, Status.INVALID_PAYLOAD)
    again = await ask(scenario, Job("order", {"n": "again", "pieces": 1.5}, Status.INVALID_PAYLOAD))
    await ask(scenario, Job("order", {"n": "right", "pieces": 7}, output={"n": "right", "pieces": 7}))

    found = await scenario.until_engine_says(f"/api/v3/runs/{again}", lambda status, _: status == 200)
    assert found["error"] == {"name": "InvalidPayload", "message": '$.pieces: 1.5 is not of type "integer"'}
    await scenario.finish()


@shows_option("task.machine", "task.retry.outOfMemory.machine")
async def test_a_run_out_of_memory_goes_on_at_the_worker_of_the_larger_machine(scenario: Scenario) -> None:
    scenario.start_engine()
    await scenario.start("runfold.worker", GATED, "--processes", "1", "--machine", "large-1x")
    scenario.start_worker("never", 1, "--machine", "micro", "--machine", "small-1x", tasks=GATED)

    job = Job("hungry", {"n": "hungry"}, output={"n": "hungry", "machine": "large-1x"})
    run = await ask(scenario, job)
    other = await ask(scenario, Job("order", {"n": "order", "pieces": 1}, output={"n": "order", "pieces": 1}))
    events = await scenario.until_run_has(run, "AttemptSucceeded", 1)
    await scenario.until_run_has(other, "AttemptSucceeded", 1)

    first, second = [each["data"]["worker"] for each in events if each["type"] == "RunDequeued"]
    (crash,) = [each["data"] for each in events if each["type"] == "AttemptFailed"]
    assert first != second
    assert crash["error"]["code"] == "OUT_OF_MEMORY"
    found = await scenario.until_engine_says(f"/api/v3/runs/{run}", lambda status, _: status == 200)
    assert (found["machine"], found["attemptCount"]) == ("large-1x", 2)
    await ask(scenario, Job("hungry", {"n": "at once"}, output={"n": "at once", "machine": "large-1x"}))
    await scenario.finish()


@shows(Status.PENDING_VERSION)
async def test_a_deploy_brings_a_run_that_waits_for_its_version_to_its_end(scenario: Scenario) -> None:
    scenario.start_engine()
    scenario.start_worker()
    run = await ask(scenario, Job("order", {"n": "early", "pieces": 1}, output={"n": "early", "pieces": 1}))
    before = await ask(scenario, Job("add", {"n": "add", "a": 1, "b": 2}, output={"n": "add", "sum": 3}))
    await scenario.until_run_has(before, "AttemptSucceeded", 1)
    await until_status(scenario, run, Status.PENDING_VERSION)

    deploy = await scenario.start("tests.crash.launch", "deploy", GATED)
    assert await deploy.ended() == 0, deploy.said
    await until_status(scenario, run, Status.QUEUED)
    version = deploy.said.splitlines()[0]
    await scenario.start("runfold.worker", GATED, "--processes", "1")
    await until_status(scenario, run, Status.COMPLETED)

    found = await scenario.until_engine_says(f"/api/v3/runs/{run}", lambda status, _: status == 200)
    assert found["version"] == version
    still = await ask(scenario, Job("add", {"n": "still", "a": 2, "b": 2}, output={"n": "still", "sum": 4}))
    await until_status(scenario, still, Status.COMPLETED)
    await scenario.finish()
