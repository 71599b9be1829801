"""Environments are tenants: with the key of one, nothing of another can be seen or changed."""

import pytest

from domain.status import Status
from tests.app.harness import Engine, environment, report
from tests.app.statuses import run_in

RUN_ROUTES = [
    ("GET", "/api/v3/runs/{}"),
    ("GET", "/api/v1/runs/{}"),
    ("GET", "/api/v1/runs/{}/events"),
    ("GET", "/api/v1/runs/{}/result"),
    ("POST", "/api/v2/runs/{}/cancel"),
    ("POST", "/api/v1/runs/{}/replay"),
    ("POST", "/api/v1/runs/{}/reschedule"),
]


@pytest.mark.parametrize(("method", "path"), RUN_ROUTES)
@pytest.mark.parametrize("status", [Status.DELAYED, Status.COMPLETED])
async def test_a_run_of_another_environment_does_not_exist(
    engine: Engine, method: str, path: str, status: Status
) -> None:
    other = await environment(engine, "stg")
    run = await run_in(engine, status)
    before = await engine.retrieve(run)

    sentence = await other.refused(method, path.format(run), 404, json={"delay": "5m"})

    assert sentence == f"Run {run} not found."
    assert await engine.retrieve(run) == before


async def test_a_key_of_another_environment_cannot_be_reset(engine: Engine) -> None:
    other = await environment(engine, "stg")
    run = await engine.trigger(idempotencyKey="k")

    await other.refused("POST", "/api/v1/idempotencyKeys/k/reset", 404, json={"taskIdentifier": "greet"})

    assert await engine.trigger(idempotencyKey="k") == run


async def test_workers_get_and_report_only_runs_of_their_own(engine: Engine) -> None:
    other = await environment(engine, "stg")
    versions = [await each.register() for each in (engine, other)]
    ours = await engine.trigger()
    theirs = await other.trigger()

    (handed,) = (await engine.turn(versions[0]))["runs"]
    meddled = await other.turn(versions[1], report(handed, "started"), want=0)
    (handed_there,) = (await other.turn(versions[1]))["runs"]

    assert (handed["id"], handed_there["id"]) == (ours, theirs)
    assert (handed["environment"]["slug"], handed_there["environment"]) == (
        "dev",
        {
            "id": handed_there["environment"]["id"],
            "slug": "stg",
            "type": "STAGING",
            "project": "default",
            "organization": "default",
        },
    )
    assert meddled["refused"] == [{"run": ours, "token": handed["token"], "error": f"Run {ours} not found."}]
    assert (await engine.retrieve(ours))["status"] == "DEQUEUED"


async def test_a_worker_belongs_to_the_environment_of_its_first_turn(engine: Engine) -> None:
    other = await environment(engine, "stg")
    versions = [await each.register() for each in (engine, other)]
    await engine.turn(versions[0])
    body = {"session": engine.session, "version": versions[1], "sequence": 2}

    sentence = await other.refused("POST", "/worker/v1/turn", 404, json=body)

    assert sentence == f"Worker {engine.session} is not of this environment."


async def test_a_version_of_another_environment_is_unknown(engine: Engine) -> None:
    other = await environment(engine, "stg")
    version = await engine.register({"id": "only-here"})

    response = await other.client.post(
        "/worker/v1/turn", json={"session": "worker_2", "version": version, "sequence": 1}
    )

    assert (response.status_code, response.json()["code"]) == (404, "unknown_version")


async def test_the_feed_of_the_ledger_has_only_events_of_the_callers_environment(engine: Engine) -> None:
    other = await environment(engine, "stg")
    ours, theirs = await engine.trigger(), await other.trigger()

    feeds = [await each.get("/api/v1/ledger/events") for each in (engine, other)]

    streams = [{event["id"] for event in feed["events"]} for feed in feeds]
    assert ours in streams[0]
    assert theirs in streams[1]
    assert streams[0].isdisjoint(streams[1])
    assert "writer" not in streams[0] | streams[1]
