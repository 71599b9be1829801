"""Cancel: any run that goes on is stopped, and one that has ended stays as it ended."""

import pytest

from domain.status import FINAL, Status
from tests.app.harness import START, Engine, report
from tests.app.statuses import run_in
from tests.shown import shows


@pytest.mark.parametrize("status", [status for status in Status if status not in FINAL])
async def test_a_run_that_goes_on_is_stopped(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    answer = await engine.post(f"/api/v2/runs/{run}/cancel")

    body = await engine.retrieve(run)
    assert answer == {"id": run}
    assert (body["status"], body["isCancelled"], body["finishedAt"]) == ("CANCELED", True, START)
    assert (await engine.events(run))[-1] == "RunCanceled"


@pytest.mark.parametrize("status", [status for status in Status if status in FINAL])
async def test_a_run_that_ended_stays_as_it_ended(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)
    before, head = await engine.retrieve(run), engine.head

    answer = await engine.post(f"/api/v2/runs/{run}/cancel")

    assert answer == {"id": run}
    assert (await engine.retrieve(run), engine.head) == (before, head)


async def test_to_cancel_twice_is_to_cancel_once(engine: Engine) -> None:
    run = await engine.trigger()

    answers = [await engine.post(f"/api/v2/runs/{run}/cancel") for _ in range(2)]

    assert answers == 2 * [{"id": run}]
    assert await engine.events(run) == ["RunTriggered", "RunCanceled"]


@pytest.mark.parametrize("body", [b"", b"{}", b"not even JSON"])
async def test_no_body_is_needed_whatever_the_headers_say(engine: Engine, body: bytes) -> None:
    run = await engine.trigger()
    headers = {"content-type": "application/json"}

    response = await engine.client.post(f"/api/v2/runs/{run}/cancel", content=body, headers=headers)

    assert response.status_code == 200


async def test_a_run_that_does_not_exist_is_not_found(engine: Engine) -> None:
    sentence = await engine.refused("POST", "/api/v2/runs/run_1/cancel", 404)

    assert sentence == "Run run_1 not found."


@shows(Status.CANCELED)
@pytest.mark.parametrize("started", [False, True])
async def test_the_worker_is_told_and_its_late_result_refused(engine: Engine, *, started: bool) -> None:
    version = await engine.register()
    run = await engine.trigger()
    handed = await engine.take(version) if started else (await engine.turn(version))["runs"][0]
    await engine.post(f"/api/v2/runs/{run}/cancel")

    told = await engine.turn(version)
    late = await engine.turn(version, report(handed, "succeeded", output=1))

    assert told["cancels"] == [{"run": run, "token": handed["token"], "reason": "CANCELED"}]
    error = f"Attempt {handed['token']} of run {run} is not open any more: it was canceled."
    assert late["refused"] == [{"run": run, "token": handed["token"], "error": error}]
    assert (await engine.retrieve(run))["status"] == "CANCELED"
    assert (await engine.events(run))[-1] == "LateResultRefused"


async def test_a_canceled_run_frees_its_slot(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "queue": {"name": "one", "concurrencyLimit": 1}})
    first, second = await engine.trigger(), await engine.trigger()
    await engine.turn(version)

    await engine.post(f"/api/v2/runs/{first}/cancel")

    (handed,) = (await engine.turn(version))["runs"]
    assert handed["id"] == second


async def test_a_delayed_run_that_was_canceled_never_starts(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger(delay="10s")
    await engine.post(f"/api/v2/runs/{run}/cancel")

    await engine.advance(20_000)

    assert (await engine.turn(version))["runs"] == []
    assert (await engine.retrieve(run))["status"] == "CANCELED"
