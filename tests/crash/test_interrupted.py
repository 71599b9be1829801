"""A development worker that is killed in the middle of an attempt: its run is over, and nobody tries it again."""

import signal

import pytest

from domain.status import Status
from tests.crash.jobs import Job, Request
from tests.crash.scenario import DEVELOPMENT_KEY, LEASE_MS, Scenario
from tests.shown import shows

SECONDS = 10 * LEASE_MS / 1_000


@pytest.fixture
def key() -> str:
    return DEVELOPMENT_KEY


@shows(Status.INTERRUPTED)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_its_run_is_interrupted(scenario: Scenario, how: signal.Signals) -> None:
    scenario.start_engine()
    worker = scenario.start_worker()
    await _add(scenario, "before")
    request = Request("long", [Job("slow", {"n": "long", "seconds": SECONDS}, Status.INTERRUPTED)])
    await scenario.clients.ask(request)
    (run,) = request.runs
    await scenario.until_run_has(run, "AttemptStarted", 1)

    worker.signal(how)
    await scenario.until_run_has(run, "RunInterrupted", 1)
    scenario.start_worker()
    await _add(scenario, "behind")
    body = await scenario.until_engine_says(f"/api/v3/runs/{run}", lambda _, said: said["isCompleted"])

    assert (body["status"], body["attemptCount"]) == ("INTERRUPTED", 1)
    assert body["error"]["code"] == "WORKER_LOST"
    assert body["finishedAt"]
    worker.signal(signal.SIGKILL)
    assert await worker.ended() == -signal.SIGKILL
    await scenario.finish()


async def _add(scenario: Scenario, name: str) -> None:
    """Another run, which the worker that is there completes."""
    request = Request(name, [Job("add", {"n": name, "a": 1, "b": 2}, output={"n": name, "sum": 3})])
    await scenario.clients.ask(request)
    await scenario.until_run_has(request.runs[0], "AttemptSucceeded", 1)
