"""`GET /api/v1/ledger/diff`: what is not as it was, each once, before and after."""

from typing import Any

import pytest

from domain.durations import iso
from tests.app.harness import Engine, environment

DIFF = "/api/v1/ledger/diff"


async def changes(engine: Engine, first: Any, last: Any = None, **asked: Any) -> list[dict[str, Any]]:
    """The changes of one page, without what other tests look at."""
    asked = {"from": first} | ({} if last is None else {"to": last}) | asked
    page = await engine.get(DIFF, **asked)
    return [{name: each[name] for name in ("kind", "name", "before", "after")} for each in page["changes"]]


async def test_a_run_that_came_and_one_that_went_on(engine: Engine) -> None:
    version = await engine.register()
    old, first = await engine.trigger(), engine.head
    new = await engine.trigger(delay="1h")
    await engine.advance(1_000)
    await engine.perform(version)

    told = (await engine.get(DIFF, **{"from": first}))["changes"]

    assert [(each["id"], each["before"], each["after"]) for each in told] == [
        (new, None, {"status": "DELAYED"}),
        (old, {"status": "QUEUED"}, {"status": "COMPLETED"}),
    ]
    assert told[1]["position"] == engine.head
    assert (told[1]["at"], told[1]["actor"]) == (iso(engine.clock.wall), "worker:worker_1")


async def test_what_came_back_to_what_it_was_is_no_change(engine: Engine) -> None:
    await engine.register()
    first = engine.head
    for action in ("pause", "resume"):
        await engine.post("/api/v1/queues/greet/pause", {"type": "task", "action": action})
    paused = engine.head
    await engine.post("/api/v1/queues/greet/pause", {"type": "task", "action": "pause"})

    assert await changes(engine, paused - 1, paused) == [
        {"kind": "queue", "name": "task/greet", "before": {"paused": True}, "after": {"paused": False}}
    ]
    assert await changes(engine, paused - 1) == []
    assert await changes(engine, first) == [
        {"kind": "queue", "name": "task/greet", "before": None, "after": {"paused": True, "override": None}}
    ]


async def test_settings_of_the_environment_without_their_secrets(engine: Engine) -> None:
    first = engine.head
    before = (await engine.get("/api/v1/deployments/current"))["version"]
    await engine.put("/api/v1/concurrency", {"concurrencyLimit": 7})
    project = "/api/v1/projects/default/envvars/dev"
    await engine.post(project, {"name": "TOKEN", "value": "do not tell"})
    version = await engine.register({"id": "other"})

    (told,) = await changes(engine, first)

    assert told == {
        "kind": "environment",
        "name": "dev",
        "before": {"concurrencyLimit": None, "currentVersion": before, "variables": [], "versions": [before]},
        "after": {
            "concurrencyLimit": 7,
            "currentVersion": version,
            "variables": ["TOKEN"],
            "versions": [before, version],
        },
    }


async def test_a_schedule_is_changed_by_hand_and_not_by_its_ticks(engine: Engine) -> None:
    await engine.register()
    schedule = (await engine.post("/api/v1/schedules", {"task": "greet", "every": 1}))["id"]
    made = engine.head
    await engine.advance(180_000)
    await engine.post(f"/api/v1/schedules/{schedule}/run-now")
    ticked = engine.head
    await engine.post(f"/api/v1/schedules/{schedule}/deactivate")
    paused = engine.head
    await engine.delete(f"/api/v1/schedules/{schedule}")

    of_schedules = [each for each in await changes(engine, made, ticked) if each["kind"] == "schedule"]
    assert of_schedules == []
    assert await changes(engine, ticked, paused) == [
        {"kind": "schedule", "name": "greet", "before": {"active": True}, "after": {"active": False}}
    ]
    (gone,) = await changes(engine, paused)
    assert (gone["before"]["id"], gone["after"]) == (schedule, None)


async def test_others_changes_are_not_told(engine: Engine) -> None:
    first = engine.head
    other = await environment(engine, "stg")
    await other.trigger()

    assert await changes(engine, first) == []
    assert [each["kind"] for each in await changes(other, first)] == ["environment", "run"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=x", "from is a position of the ledger or an ISO 8601 date, not 'x'."),
        ("from=1&to=x", "to is a position of the ledger or an ISO 8601 date, not 'x'."),
        ("from=3&to=2", "from is event 3, and to is before it: event 2."),
        ("limit=5000", "limit: Input should be less than or equal to 2000."),
    ],
)
async def test_moments_that_there_are_none_of_are_refused(engine: Engine, query: str, sentence: str) -> None:
    assert await engine.refused("GET", f"{DIFF}?{query}", 400) == sentence
