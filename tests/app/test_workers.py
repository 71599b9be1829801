"""`GET /api/v1/workers`: who is connected, what they take, and what they hold."""

from pathlib import Path
from typing import Any

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from domain.durations import iso
from tests.app.harness import LEASE_MS, START_MS, Engine, environment, report, running_engine
from tests.app.waiting import blocked, waits

WORKERS = "/api/v1/workers"
NAME = "shop-3/4711"


async def workers(engine: Engine, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await engine.get(WORKERS, **query))["data"]
    return found


async def test_before_any_worker_there_is_none(engine: Engine) -> None:
    assert await engine.get(WORKERS) == {
        "data": [],
        "pagination": {"currentPage": 1, "totalPages": 1, "count": 0},
    }


async def test_a_worker_is_told_with_what_it_takes_and_holds(engine: Engine) -> None:
    version = await engine.register({"id": "greet"}, {"id": "charge", "queue": {"name": "payments"}})
    run = await engine.trigger()
    await engine.turn(version, want=1, name=NAME, machines=["large-1x"])
    engine.clock.wall += 1_000
    await engine.turn(version, want=4, machines=["large-1x"])

    (worker,) = await workers(engine)

    assert worker == {
        "id": "worker_1",
        "name": NAME,
        "version": version,
        "isBuiltin": False,
        "tasks": ["charge", "greet"],
        "queues": ["payments", "task/greet"],
        "machines": ["large-1x"],
        "running": 1,
        "waiting": 0,
        "free": 4,
        "runs": [{"id": run, "status": "DEQUEUED"}],
        "connectedAt": iso(START_MS),
        "lastHeardAt": iso(START_MS + 1_000),
        "node": "http://engine",
    }


async def test_a_run_that_waits_holds_no_slot(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, waits(handed, 0, **{"for": 60_000}), blocked(handed, 0), want=3)

    (worker,) = await workers(engine)

    assert [worker[each] for each in ("running", "waiting", "free")] == [0, 1, 3]
    assert worker["runs"] == [{"id": handed["id"], "status": "WAITING"}]
    assert "name" not in worker
    assert "machines" not in worker


async def test_a_worker_that_ended_a_run_holds_it_no_more_and_one_that_was_lost_is_gone(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)
    await engine.turn(version, report(handed, "succeeded"), want=2)
    (worker,) = await workers(engine)
    assert (worker["running"], worker["runs"]) == (0, [])

    await engine.advance(LEASE_MS)

    assert await workers(engine) == []


async def test_a_worker_that_says_that_it_ends_is_gone_as_soon_as_it_holds_nothing(engine: Engine) -> None:
    version = await engine.register()
    await engine.trigger()
    handed = await engine.take(version)

    await engine.turn(version, want=0, leaving=True)
    (worker,) = await workers(engine)
    await engine.turn(version, report(handed, "released"), want=0, leaving=True)

    assert [run["id"] for run in worker["runs"]] == [handed["id"]]
    assert await workers(engine) == []


async def test_a_turn_that_the_last_one_overtook_brings_no_worker_back(engine: Engine) -> None:
    version = await engine.register()
    engine.sequence = 1
    await engine.turn(version, want=0, leaving=True)
    run = await engine.trigger()

    engine.sequence = 0
    late = await engine.turn(version, want=1)

    assert late["runs"] == []
    assert await workers(engine) == []
    assert (await engine.get(f"/api/v1/runs/{run}/explain"))["reason"] == "no_worker"


async def test_an_engine_that_began_anew_knows_what_workers_hold_but_not_since_when(tmp_path: Path) -> None:
    def parts() -> tuple[SqliteLedger, SqliteReadModels]:
        return SqliteLedger(tmp_path / "ledger.db"), SqliteReadModels(tmp_path / "views.db")

    async with running_engine(*parts()) as engine:
        version = await engine.register()
        run = await engine.trigger()
        await engine.turn(version, want=1, name=NAME)
    async with running_engine(*parts()) as again:
        (worker,) = await workers(again)

    assert (worker["id"], worker["runs"]) == ("worker_1", [{"id": run, "status": "DEQUEUED"}])
    assert not worker.keys() & {"name", "connectedAt", "lastHeardAt", "node"}


async def test_workers_of_another_environment_are_not_told(engine: Engine) -> None:
    version = await engine.register()
    await engine.turn(version)
    other = await environment(engine, "stg")

    assert await workers(other) == []


async def test_many_workers_come_by_pages_in_the_order_of_their_names(engine: Engine) -> None:
    version = await engine.register()
    for number in (3, 1, 2):
        engine.session, engine.sequence = f"worker_{number}", 0
        await engine.turn(version, name=f"host-{number}")

    first = await engine.get(WORKERS, perPage="2")
    second = await engine.get(WORKERS, perPage="2", page="2")

    assert [each["name"] for each in first["data"] + second["data"]] == ["host-1", "host-2", "host-3"]
    assert first["pagination"] == {"currentPage": 1, "totalPages": 2, "count": 3}


async def test_what_is_no_name_is_refused(engine: Engine) -> None:
    version = await engine.register()
    turn = {"session": "worker_1", "version": version, "sequence": 1, "name": ""}

    assert "A worker name has 1 to 128" in await engine.refused("POST", "/worker/v1/turn", 422, json=turn)
