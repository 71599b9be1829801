"""Queues over the API: what they show, pause and resume, limits overridden and reset, and the environment's limit."""

from typing import Any
from urllib.parse import quote

import pytest

from domain.queue import stream_of
from tests.app.harness import START, Engine, environment, report

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


async def not_found(engine: Engine, method: str, path: str, **request: Any) -> str:
    """Send what names no queue: the word that clients know is under `error`, and nothing is written."""
    before = engine.head
    response = await engine.client.request(method, path, **request)
    assert (response.status_code, response.json()["error"]) == (404, "queue-not-found")
    assert engine.head == before, "a refused request writes nothing"
    detail: str = response.json()["detail"]
    return detail


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

    names = ["emails", "later", "task/other", "task/unknown"]
    assert [each["id"] for each in first["data"] + second["data"]] == [item(engine, name)["id"] for name in names]
    assert first["pagination"] == {"currentPage": 1, "totalPages": 2, "count": 4}
    assert second["pagination"] == {"currentPage": 2, "totalPages": 2, "count": 4}


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


async def test_another_environment_knows_nothing_of_a_queue(engine: Engine) -> None:
    await engine.register(EMAILS)
    await pause(engine)
    other = await environment(engine, "staging")

    await not_found(other, "GET", path_of("emails"), params={"type": "custom"})
    assert (await other.get(ROOT))["data"] == []


@pytest.mark.parametrize("kind", ["id", "task", "custom"])
async def test_an_unknown_queue_is_not_found_and_nothing_is_written(engine: Engine, kind: str) -> None:
    await engine.register(EMAILS)
    path = path_of("nothing")

    for method, suffix, body in (
        ("GET", f"?type={kind}", None),
        ("POST", "/pause", {"action": "pause"}),
        ("POST", "/concurrency/override", {"concurrencyLimit": 1}),
        ("POST", "/concurrency/reset", {}),
    ):
        sent = None if body is None else body | {"type": kind}
        detail = await not_found(engine, method, path + suffix, json=sent)
        assert detail == f"There is no queue of the {kind} 'nothing' in this environment."


async def test_an_override_above_the_limit_of_the_environment_is_refused(engine: Engine) -> None:
    await engine.register(EMAILS)
    await engine.client.put("/api/v1/concurrency", json={"concurrencyLimit": 3})
    path = f"{path_of('emails')}/concurrency/override"

    sentence = await engine.refused("POST", path, 422, json={"type": "custom", "concurrencyLimit": 4})

    assert sentence == "Queue emails cannot have a limit of 4: that of the whole environment is 3."


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{ROOT}/emails/pause", {"type": "custom", "action": "stop"}),
        ("POST", f"{ROOT}/emails/pause", {"type": "custom"}),
        ("POST", f"{ROOT}/emails/pause", {"type": "name", "action": "pause"}),
        ("POST", f"{ROOT}/emails/concurrency/override", {"type": "custom"}),
        ("POST", f"{ROOT}/emails/concurrency/override", {"type": "custom", "concurrencyLimit": -1}),
        ("POST", f"{ROOT}/emails/concurrency/override", {"type": "custom", "concurrencyLimit": 100_001}),
        ("POST", f"{ROOT}/emails/concurrency/reset", {"type": 1}),
        ("PUT", "/api/v1/concurrency", {}),
        ("PUT", "/api/v1/concurrency", {"concurrencyLimit": -1}),
        ("PUT", "/api/v1/concurrency", {"concurrencyLimit": "many"}),
        ("GET", f"{ROOT}?page=0", None),
        ("GET", f"{ROOT}?perPage=all", None),
        ("GET", f"{ROOT}/emails?type=name", None),
    ],
)
async def test_what_is_not_of_the_right_shape_is_refused(engine: Engine, method: str, path: str, body: Any) -> None:
    await engine.register(EMAILS)

    await engine.refused(method, path, 400, json=body)


@pytest.mark.parametrize(
    "rate",
    [
        {"limit": 0, "periodMs": 1_000},
        {"limit": 1_000_001, "periodMs": 1_000},
        {"limit": 1, "periodMs": 999},
        {"limit": 1, "periodMs": 30 * 86_400_000 + 1},
    ],
)
async def test_a_rate_limit_out_of_bounds_is_refused(engine: Engine, rate: dict[str, int]) -> None:
    task = {"id": "greet", "queue": {"name": "slow", "rateLimit": rate}}

    sentence = await engine.refused("POST", "/worker/v1/register", 422, json={"tasks": [task]})

    assert sentence == (
        "The rate limit of queue slow needs a limit from 1 to 1000000 and a periodMs from 1000 to 2592000000."
    )
