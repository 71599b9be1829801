"""Queues: order, concurrency limits and concurrency keys."""

from typing import Any

from tests.app.harness import RETRY, Engine, report
from tests.app.statuses import ERROR
from tests.shown import shows_option

LIMITED = {"id": "greet", "queue": {"name": "two", "concurrencyLimit": 2}}


def _ids(runs: list[dict[str, Any]]) -> list[str]:
    return [run["id"] for run in runs]


@shows_option("task.queue.concurrencyLimit")
async def test_no_more_attempts_are_open_than_the_limit(engine: Engine) -> None:
    version = await engine.register(LIMITED)
    runs = [await engine.trigger() for _ in range(5)]

    first = (await engine.turn(version))["runs"]
    none = (await engine.turn(version))["runs"]
    third = (await engine.turn(version, report(first[0], "started"), report(first[0], "succeeded")))["runs"]

    assert (_ids(first), none, _ids(third)) == (runs[:2], [], runs[2:3])


async def test_a_back_off_holds_no_slot(engine: Engine) -> None:
    version = await engine.register(LIMITED | {"retry": RETRY})
    runs = [await engine.trigger() for _ in range(3)]
    first = (await engine.turn(version))["runs"]
    await engine.turn(version, report(first[0], "started"), want=0)

    after = await engine.turn(version, report(first[0], "failed", error=ERROR))

    assert _ids(after["runs"]) == runs[2:]


@shows_option("concurrencyKey")
async def test_each_concurrency_key_has_the_limit_for_itself(engine: Engine) -> None:
    version = await engine.register(LIMITED)
    for key in ("a", "a", "a", "b", "b", "b", None, None, None):
        await engine.trigger(payload=key, concurrencyKey=key)

    handed = (await engine.turn(version))["runs"]

    assert [run["payload"] for run in handed] == ["a", "b", None, "a", "b", None]


@shows_option("task.queue.name")
async def test_tasks_that_share_a_queue_share_its_limit(engine: Engine) -> None:
    queue = {"queue": {"name": "shared", "concurrencyLimit": 1}}
    version = await engine.register({"id": "one"} | queue, {"id": "two"} | queue)
    first = await engine.trigger("one")
    await engine.trigger("two")

    assert _ids((await engine.turn(version))["runs"]) == [first]


async def test_a_queue_without_a_limit_gives_all_that_is_wanted(engine: Engine) -> None:
    version = await engine.register()
    runs = [await engine.trigger() for _ in range(30)]

    assert _ids((await engine.turn(version, want=20))["runs"]) == runs[:20]


async def test_a_limit_of_zero_holds_everything_and_a_new_version_lets_it_go(engine: Engine) -> None:
    closed = await engine.register({"id": "greet", "queue": {"name": "q", "concurrencyLimit": 0}})
    run = await engine.trigger()
    nothing = (await engine.turn(closed))["runs"]
    opened = await engine.register({"id": "greet", "queue": {"name": "q", "concurrencyLimit": 1}})

    assert (nothing, _ids((await engine.turn(opened))["runs"])) == ([], [run])


@shows_option("task.id")
async def test_a_worker_gets_only_runs_of_the_tasks_that_it_has(engine: Engine) -> None:
    version = await engine.register({"id": "echo"})
    await engine.trigger("other")
    run = await engine.trigger("echo")

    assert _ids((await engine.turn(version))["runs"]) == [run]


async def test_one_answer_carries_eight_megabytes_of_payload_at_most(engine: Engine) -> None:
    version = await engine.register()
    large = "x" * 3_000_000
    runs = [await engine.trigger(payload=large) for _ in range(4)]

    first, rest = (await engine.turn(version))["runs"], (await engine.turn(version))["runs"]

    assert (_ids(first), _ids(rest)) == (runs[:3], runs[3:])
