"""The clock of an engine for tests: days pass in no time, and everything in them happens in its turn."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from app.web.testing import router_for
from tests.app.harness import RETRY, START_MS, Engine, application_of, report

HOUR, DAY = 3_600_000, 86_400_000
ADVANCE = "/testing/v1/clock/advance"


@pytest.fixture
def movable(engine: Engine) -> Engine:
    application_of(engine).include_router(router_for(engine.clock))
    return engine


async def advance(engine: Engine, ms: int, **more: Any) -> int:
    now: int = (await engine.post(ADVANCE, {"ms": ms} | more))["now"]
    return now


async def history(engine: Engine, run: str) -> list[tuple[str, float]]:
    """What happened to a run, and how many hours after the start."""
    recorded = await engine.service.history(run)
    return [(type(each.event).__name__, (each.recorded_at - START_MS) / HOUR) for each in recorded]


@asynccontextmanager
async def worker(engine: Engine, version: str, kind: str) -> AsyncGenerator[None]:
    """One that is there all the time, and whose attempts all end like this."""

    async def work() -> None:
        while True:
            for handed in (await engine.turn(version, want=1, waitMs=20_000))["runs"]:
                await engine.turn(version, report(handed, "started"), want=0)
                await engine.turn(version, report(handed, kind, error={"message": "No.", "name": "No"}), want=0)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


@pytest.mark.parametrize(("method", "path"), [("GET", "clock"), ("POST", "clock/advance"), ("GET", "workers")])
async def test_an_engine_without_a_test_clock_has_no_such_routes(engine: Engine, method: str, path: str) -> None:
    assert "nothing at" in await engine.refused(method, f"/testing/v1/{path}", 404, json={"ms": DAY})


@pytest.mark.parametrize(("method", "path"), [("GET", "clock"), ("POST", "clock/advance"), ("GET", "workers")])
async def test_they_need_a_key(movable: Engine, method: str, path: str) -> None:
    del movable.client.headers["authorization"]

    assert "API Key" in await movable.refused(method, f"/testing/v1/{path}", 401, json={"ms": DAY})


async def test_the_clock_is_put_forward(movable: Engine) -> None:
    now = await advance(movable, DAY)

    assert (now, await movable.get("/testing/v1/clock")) == (START_MS + DAY, {"now": START_MS + DAY})


@pytest.mark.parametrize("ms", [-1, 1.5, 200_000_000_000_000])
async def test_it_goes_neither_back_nor_past_the_end_of_dates(movable: Engine, ms: float) -> None:
    response = await movable.client.post(ADVANCE, json={"ms": ms})

    assert response.status_code in {400, 422}
    assert movable.clock.wall == START_MS


async def test_a_delay_is_over_at_its_time(movable: Engine) -> None:
    run = await movable.trigger(delay="20h", ttl=0)

    await advance(movable, DAY)

    assert (await history(movable, run))[-1] == ("RunEnqueued", 20)


async def test_a_run_that_is_not_started_in_time_expires(movable: Engine) -> None:
    run = await movable.trigger(ttl="2h")

    await advance(movable, 2 * HOUR - 1)
    before = (await movable.retrieve(run))["status"]
    await advance(movable, 1)

    assert (before, (await movable.retrieve(run))["status"]) == ("QUEUED", "EXPIRED")


async def test_every_attempt_and_every_back_off_takes_place_at_its_time(movable: Engine) -> None:
    retry = RETRY | {"maxAttempts": 4, "minTimeoutInMs": HOUR, "maxTimeoutInMs": DAY}
    version = await movable.register({"id": "flaky", "retry": retry})
    async with worker(movable, version, "failed"):
        run = await movable.trigger("flaky")

        await advance(movable, DAY)

    told = await history(movable, run)
    assert [at for event, at in told if event == "AttemptStarted"] == [0, 1, 3, 7]
    assert told[-1] == ("RunFailed", 7)


async def test_what_goes_on_is_waited_for_and_then_named(movable: Engine) -> None:
    await movable.trigger()
    handed = await movable.take(await movable.register())

    refusal = await movable.refused("POST", ADVANCE, 400, json={"ms": DAY, "patienceMs": 0})

    assert refusal == (
        f"The clock cannot be put forward while something goes on, and after 0 ms {handed['id']} of greet is EXECUTING."
    )
    assert movable.clock.wall == START_MS


async def test_what_begins_while_it_is_waited_for_and_lasts_as_long_is_over_in_the_end(movable: Engine) -> None:
    version = await movable.register()
    run = await movable.trigger()
    hand = await movable.take(version)
    putting = asyncio.create_task(advance(movable, DAY))
    await asyncio.sleep(0)
    # The clock goes on by itself meanwhile.
    movable.clock.move_to(START_MS + 5)
    entry = {"index": 0, "name": "wait"}
    await movable.turn(
        version,
        report(hand, "started"),
        report(hand, "waiting", entry=entry, **{"for": DAY}),
        report(hand, "blocked", waits=[0]),
        want=0,
        waitMs=0,
    )
    await movable.turn(version, report(hand, "frozen"), want=0, waitMs=0)
    (again,) = (await movable.turn(version, want=1, waitMs=20_000))["runs"]
    await movable.turn(version, report(again, "started"), report(again, "succeeded"), want=0, waitMs=0)

    assert await putting == START_MS + DAY + 5
    assert (await movable.retrieve(run))["status"] == "COMPLETED"


async def test_a_run_that_a_worker_is_about_to_take_goes_on(movable: Engine) -> None:
    version = await movable.register()
    await movable.turn(version)
    run = await movable.trigger()

    refusal = await movable.refused("POST", ADVANCE, 400, json={"ms": DAY, "patienceMs": 0})

    assert f"{run} of greet is QUEUED" in refusal


async def test_a_run_that_no_worker_may_take_is_at_rest(movable: Engine) -> None:
    await movable.register({"id": "other"})
    await movable.turn(await movable.register())
    await movable.trigger("other")

    assert await advance(movable, DAY, patienceMs=0) == START_MS + DAY


async def test_an_attempt_goes_on_over_days_and_its_worker_is_not_lost(movable: Engine) -> None:
    version = await movable.register({"id": "long", "maxDuration": 60_000})
    await movable.trigger("long")
    handed = await movable.take(version)

    await advance(movable, 100 * DAY, patienceMs=None)
    answer = await movable.turn(version, report(handed, "succeeded"))

    assert answer["refused"] == answer["cancels"] == []
    assert (await movable.retrieve(handed["id"]))["status"] == "COMPLETED"


async def test_workers_are_counted_that_wait_for_runs(movable: Engine) -> None:
    version = await movable.register()
    before = await movable.get("/testing/v1/workers")
    async with worker(movable, version, "succeeded"):
        await movable.waits(1)
        during = await movable.get("/testing/v1/workers")

    assert (before, during) == ({"waiting": 0}, {"waiting": 1})
