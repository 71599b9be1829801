"""Reschedule: a delayed run gets another time, and no other run does."""

import pytest

from domain.status import Status
from tests.app.harness import Engine
from tests.app.statuses import run_in
from tests.shown import shows

NOT_DELAYED = "Cannot reschedule a run that is not delayed"


@shows(Status.DELAYED)
@pytest.mark.parametrize(
    ("delay", "until"),
    [
        ("2h", "2027-01-15T10:00:00.000Z"),
        ("5s", "2027-01-15T08:00:05.000Z"),
        ("2027-02-01T00:00:00Z", "2027-02-01T00:00:00.000Z"),
    ],
)
async def test_the_answer_is_the_run_with_its_new_time(engine: Engine, delay: str, until: str) -> None:
    run = await engine.trigger(payload={"n": 1}, delay="1h")

    answer = await engine.post(f"/api/v1/runs/{run}/reschedule", {"delay": delay})

    assert answer == await engine.retrieve(run)
    assert (answer["id"], answer["status"], answer["delayedUntil"], answer["payload"]) == (
        *(run, "DELAYED", until),
        {"n": 1},
    )


async def test_it_starts_at_the_new_time_and_not_at_the_old_one(engine: Engine) -> None:
    version = await engine.register()
    later, sooner = await engine.trigger(delay="10s"), await engine.trigger(delay="10s")
    await engine.post(f"/api/v1/runs/{later}/reschedule", {"delay": "20s"})
    await engine.post(f"/api/v1/runs/{sooner}/reschedule", {"delay": "5s"})

    handed: list[list[str]] = []
    for _ in range(4):
        await engine.advance(5_000)
        handed.append([run["id"] for run in (await engine.turn(version))["runs"]])

    assert handed == [[sooner], [], [], [later]]


async def test_the_same_time_again_writes_nothing(engine: Engine) -> None:
    run = await engine.trigger(delay="1h")
    head = engine.head

    await engine.post(f"/api/v1/runs/{run}/reschedule", {"delay": "1h"})

    assert engine.head == head


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.DELAYED])
async def test_a_run_that_is_not_delayed_is_refused(engine: Engine, status: Status) -> None:
    run = await run_in(engine, status)

    sentence = await engine.refused("POST", f"/api/v1/runs/{run}/reschedule", 400, json={"delay": "1h"})

    assert sentence == f"{NOT_DELAYED}: run {run} is {status}."


@pytest.mark.parametrize("delay", ["2020-01-01", "2027-01-15T08:00:00Z", "0s"])
async def test_a_time_that_has_passed_is_refused(engine: Engine, delay: str) -> None:
    run = await engine.trigger(delay="1h")

    sentence = await engine.refused("POST", f"/api/v1/runs/{run}/reschedule", 400, json={"delay": delay})

    assert sentence == "Cannot reschedule a run to a time that has passed."


@pytest.mark.parametrize("body", [{"delay": "soon"}, {"delay": ""}, {"delay": "4000d"}, {"delay": 5}, {}, []])
async def test_what_is_no_delay_is_refused(engine: Engine, body: object) -> None:
    run = await engine.trigger(delay="1h")

    await engine.refused("POST", f"/api/v1/runs/{run}/reschedule", 400, json=body)


async def test_a_run_that_does_not_exist_is_not_found(engine: Engine) -> None:
    sentence = await engine.refused("POST", "/api/v1/runs/run_1/reschedule", 404, json={"delay": "1h"})

    assert sentence == "Run run_1 not found."
