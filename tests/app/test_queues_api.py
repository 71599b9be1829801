"""Queues over the API: what they show, pause and resume, limits overridden and reset, and the environment's limit."""

from typing import Any
from urllib.parse import quote

import pytest

from domain.queue import stream_of
from tests.app.harness import START, Engine, report
from tests.shown import shows_option

EMAILS = {"id": "greet", "queue": {"name": "emails", "concurrencyLimit": 2}}
ROOT = "/api/v1/queues"


def path_of(name: str) -> str:
    """As the official client writes it."""
    return f"{ROOT}/{quote(name.replace('/', '%2F'), safe='')}"


def item(engine: Engine, name: str, **more: Any) -> dict[str, Any]:
    """A queue of which nobody has said anything."""
    shown = name.removeprefix("task/")
    base = more.pop("base", None)
    concurrency = {"current": base, "base": base, "override": None, "overriddenAt": None, "overriddenBy": None}
    return {
        "id": stream_of(_environment_of(engine), name),
        "name": shown,
        "type": "custom" if shown == name else "task",
        "running": 0,
        "queued": 0,
        "paused": False,
        "concurrencyLimit": base,
        "concurrency": concurrency,
    } | more


def _environment_of(engine: Engine) -> str:
    return next(each.id for each in engine.service.environments() if each.slug == "dev")


async def queue(engine: Engine, name: str = "emails", kind: str = "custom") -> Any:
    return await engine.get(path_of(name), type=kind)


async def pause(engine: Engine, action: str = "pause", name: str = "emails") -> Any:
    return await engine.post(f"{path_of(name)}/pause", {"type": "custom", "action": action})


async def override(engine: Engine, limit: int, name: str = "emails") -> Any:
    return await engine.post(f"{path_of(name)}/concurrency/override", {"type": "custom", "concurrencyLimit": limit})


async def test_a_queue_tells_what_runs_and_what_waits(engine: Engine) -> None:
    version = await engine.register(EMAILS)
    for key in (None, None, None, "ada"):
        await engine.trigger(concurrencyKey=key)
    await engine.turn(version)

    assert await queue(engine) == item(engine, "emails", running=3, queued=1, base=2)


async def test_a_queue_is_named_by_its_task_its_id_or_its_own_name(engine: Engine) -> None:
    await engine.register({"id": "mail/send"})
    expected = item(engine, "task/mail/send")

    by_task = await queue(engine, "mail/send", "task")
    by_name = await queue(engine, "task/mail/send")
    by_id = await engine.get(path_of(expected["id"]))

    assert (by_task, by_name, by_id) == (expected, expected, expected)


@pytest.mark.parametrize("name", ["a b", "ä/ö", "*:[]", "%", "x" * 128, "🦊"])
async def test_a_name_is_data(engine: Engine, name: str) -> None:
    await engine.register({"id": "greet", "queue": {"name": name, "concurrencyLimit": 1}})

    assert await queue(engine, name) == item(engine, name, base=1)
    assert (await pause(engine, name=name))["paused"] is True


async def test_queues_are_listed_by_name_those_of_runs_and_overrides_too(engine: Engine) -> None:
    await engine.register(EMAILS, {"id": "other"})
    await engine.trigger("unknown")
    await engine.trigger(queue={"name": "later"}, delay="1h")

    first = await engine.get(ROOT, perPage=3)
    second = await engine.get(ROOT, perPage=3, page=2)

    names = ["emails", "later", "task/greet", "task/other", "task/unknown"]
    assert [each["id"] for each in first["data"] + second["data"]] == [item(engine, name)["id"] for name in names]
    assert first["pagination"] == {"currentPage": 1, "totalPages": 2, "count": 5}
    assert second["pagination"] == {"currentPage": 2, "totalPages": 2, "count": 5}


async def test_a_page_has_a_hundred_queues_at_most(engine: Engine) -> None:
    await engine.register(*({"id": f"task-{number}"} for number in range(101)))

    assert len((await engine.get(ROOT, perPage=1_000))["data"]) == 100
    assert len((await engine.get(ROOT))["data"]) == 25


async def test_nothing_starts_in_a_paused_queue_until_it_goes_on(engine: Engine) -> None:
    version = await engine.register(EMAILS, {"id": "other"})
    paused = await pause(engine)
    run, free = await engine.trigger(), await engine.trigger("other")

    handed = (await engine.turn(version))["runs"]
    waits = await queue(engine)
    resumed = await pause(engine, "resume")
    then = (await engine.turn(version))["runs"]

    assert paused == item(engine, "emails", paused=True, base=2)
    assert waits == item(engine, "emails", paused=True, queued=1, base=2)
    assert resumed == item(engine, "emails", queued=1, base=2)
    assert ([each["id"] for each in handed], [each["id"] for each in then]) == ([free], [run])


async def test_what_runs_in_a_paused_queue_goes_on(engine: Engine) -> None:
    version = await engine.register(EMAILS)
    run = await engine.trigger()
    handed = await engine.take(version)
    await pause(engine)

    answer = await engine.turn(version, report(handed, "succeeded"))

    assert answer["refused"] == []
    assert (await engine.retrieve(run))["status"] == "COMPLETED"


async def test_a_worker_that_waits_hears_of_a_queue_that_goes_on(engine: Engine) -> None:
    version = await engine.register(EMAILS)
    await pause(engine)
    run = await engine.trigger()
    assert (await engine.turn(version))["runs"] == []

    await pause(engine, "resume")

    assert [each["id"] for each in (await engine.turn(version, waitMs=5_000))["runs"]] == [run]


async def test_an_override_counts_until_it_is_reset(engine: Engine) -> None:
    version = await engine.register(EMAILS)
    for _ in range(9):
        await engine.trigger()

    overridden = await override(engine, 5)
    five = len((await engine.turn(version))["runs"])
    none = await engine.post(f"{path_of('emails')}/concurrency/reset", {"type": "custom"})

    concurrency = overridden["concurrency"]
    by = concurrency.pop("overriddenBy")
    assert by.startswith("key:")
    assert concurrency == {"current": 5, "base": 2, "override": 5, "overriddenAt": START}
    assert (overridden["concurrencyLimit"], five) == (5, 5)
    assert none == item(engine, "emails", running=5, queued=4, base=2)


async def test_to_say_a_thing_twice_writes_it_once(engine: Engine) -> None:
    await engine.register(EMAILS)
    for suffix, body in (
        ("pause", {"action": "pause"}),
        ("pause", {"action": "resume"}),
        ("concurrency/override", {"concurrencyLimit": 5}),
        ("concurrency/reset", {}),
    ):
        path, request = f"{path_of('emails')}/{suffix}", {"type": "custom"} | body
        first, head = await engine.post(path, request), engine.head

        assert (await engine.post(path, request), engine.head) == (first, head)


async def test_the_limit_of_the_environment_counts_over_all_queues(engine: Engine) -> None:
    version = await engine.register(EMAILS, {"id": "other"})
    for task in ("greet", "other", "other", "other"):
        await engine.trigger(task)

    limited = await engine.client.put("/api/v1/concurrency", json={"concurrencyLimit": 3})
    three = (await engine.turn(version))["runs"]
    freed = await engine.turn(
        version, report(three[0], "started"), report(three[0], "succeeded"), report(three[1], "released")
    )

    assert (limited.status_code, limited.json()) == (200, {"concurrencyLimit": 3})
    assert await engine.get("/api/v1/concurrency") == {"concurrencyLimit": 3}
    assert (len(three), len(freed["runs"])) == (3, 2)


async def test_an_environment_whose_limit_is_lifted_takes_all(engine: Engine) -> None:
    version = await engine.register()
    await engine.client.put("/api/v1/concurrency", json={"concurrencyLimit": 0})
    await engine.trigger()
    none = (await engine.turn(version))["runs"]

    lifted = await engine.client.put("/api/v1/concurrency", json={"concurrencyLimit": None})

    assert (none, lifted.json()) == ([], {"concurrencyLimit": None})
    assert len((await engine.turn(version))["runs"]) == 1


@shows_option("task.queue.rateLimit.limit", "task.queue.rateLimit.periodMs")
async def test_a_rate_limit_bounds_the_starts_of_any_period(engine: Engine) -> None:
    queue = {"name": "slow", "rateLimit": {"limit": 2, "periodMs": 60_000}}
    version = await engine.register({"id": "greet", "queue": queue})
    for _ in range(5):
        await engine.trigger()

    first = len((await engine.turn(version))["runs"])
    await engine.advance(59_000)
    early = len((await engine.turn(version))["runs"])
    await engine.advance(1_000)
    then = len((await engine.turn(version))["runs"])

    assert (first, early, then) == (2, 0, 2)
