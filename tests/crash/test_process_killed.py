"""A task whose process is killed under it."""

from domain.status import Status
from tests.crash.jobs import Job, Request
from tests.crash.scenario import Scenario
from tests.shown import shows


@shows(Status.CRASHED)
async def test_its_run_has_crashed(scenario: Scenario) -> None:
    scenario.start_engine()
    scenario.start_worker()
    request = Request("deadly", [Job("deadly", {"n": "deadly"}, Status.CRASHED)])
    await scenario.clients.ask(request)
    (run,) = request.runs

    body = await scenario.until_engine_says(f"/api/v3/runs/{run}", lambda _, said: said["isCompleted"])

    assert (body["status"], body["attemptCount"]) == ("CRASHED", 1)
    await scenario.finish()
