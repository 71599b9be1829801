"""The main job through the HTTP API: trigger, hand out, retry, finish, look at it."""

from domain.status import Status
from tests.app.harness import Engine, report
from tests.shown import shows

RETRY = {"maxAttempts": 3, "minTimeoutInMs": 1_000, "maxTimeoutInMs": 60_000, "factor": 2.0, "randomize": False}


@shows(Status.REATTEMPTING, Status.COMPLETED)
async def test_a_run_that_fails_once_is_retried_and_completes(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY})
    run = await engine.trigger(payload={"name": "Ada"}, tags=["b", "a"])
    (handed,) = (await engine.turn(version))["runs"]
    error = {"name": "ValueError", "message": "not today"}
    await engine.turn(version, report(handed, "started"), report(handed, "failed", error=error))

    failed_once = await engine.get(f"/api/v3/runs/{run}")
    await engine.advance(1_000)
    (again,) = (await engine.turn(version))["runs"]
    await engine.turn(version, report(again, "started"), report(again, "succeeded", output="hello Ada"))
    done = await engine.get(f"/api/v3/runs/{run}")

    assert (handed["payload"], handed["attempt"], handed["tags"]) == ({"name": "Ada"}, 1, ["b", "a"])
    assert failed_once["status"] == "REATTEMPTING"
    assert again["attempt"] == 2
    assert (done["status"], done["output"], done["tags"], done["isSuccess"]) == (
        "COMPLETED",
        "hello Ada",
        ["a", "b"],
        True,
    )
    assert [(each["number"], each["status"]) for each in done["attempts"]] == [(1, "FAILED"), (2, "COMPLETED")]
    history = await engine.get(f"/api/v1/runs/{run}/events")
    assert [each["type"] for each in history["events"]] == [
        "RunTriggered",
        "RunDequeued",
        "AttemptStarted",
        "AttemptFailed",
        "RetryScheduled",
        "RunEnqueued",
        "RunDequeued",
        "AttemptStarted",
        "AttemptSucceeded",
    ]


async def test_a_list_shows_what_the_client_has_just_written(engine: Engine) -> None:
    first, second = await engine.trigger(), await engine.trigger("wave")

    everything = await engine.get("/api/v1/runs")
    waves = await engine.get("/api/v1/runs", **{"filter[taskIdentifier]": "wave", "filter[status]": "PENDING_VERSION"})

    assert [run["id"] for run in everything["data"]] == [second, first]
    assert [run["id"] for run in waves["data"]] == [second]
