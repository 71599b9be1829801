"""`POST /worker/v1/register`: tasks become versions, and settings that cannot be are refused."""

from typing import Any

import pytest

from tests.app.harness import LEASE_MS, RETRY, Engine

REGISTER = "/worker/v1/register"
FULL: dict[str, Any] = {
    "id": "send-email",
    "queue": {"name": "emails", "concurrencyLimit": 10},
    "retry": {"maxAttempts": 3, "minTimeoutInMs": 1000, "maxTimeoutInMs": 60000, "factor": 2.0, "randomize": True},
    "ttl": 600_000,
    "maxDuration": 300_000,
    "retryOnCrash": False,
}
UNNAMED = {"project": "default", "organization": "default"}
TEN_YEARS_MS = 315_360_000_000


async def test_the_answer_says_all_that_a_worker_must_know(engine: Engine) -> None:
    answer = await engine.post(REGISTER, {"sdk": "test/1", "tasks": [FULL, {"id": "plain"}]})

    assert answer == {
        "version": "20270115.2",
        "isCurrent": True,
        "leaseMs": LEASE_MS,
        "waitMs": 20_000,
        "environment": {"id": answer["environment"]["id"], "slug": "dev", "type": "DEVELOPMENT"} | UNNAMED,
    }
    assert answer["environment"]["id"].startswith("env_")


async def test_the_same_tasks_are_the_same_version_in_any_order(engine: Engine) -> None:
    first = await engine.register({"id": "a"}, {"id": "b", "ttl": 5})
    head = engine.head

    again = await engine.register({"ttl": 5, "id": "b", "queue": None}, {"id": "a"})

    assert (again, engine.head) == (first, head)


@pytest.mark.parametrize("change", [{"ttl": 6}, {"retry": RETRY}, {"queue": {"name": "q"}}, {"retryOnCrash": True}])
async def test_other_settings_are_another_version(engine: Engine, change: dict[str, Any]) -> None:
    first = await engine.register({"id": "a"})

    second = await engine.register({"id": "a"} | change)

    assert (first, second) == ("20270115.2", "20270115.3")


async def test_versions_are_counted_by_day_and_old_ones_come_back_by_their_name(engine: Engine) -> None:
    first = await engine.register({"id": "a"})
    await engine.register({"id": "b"})
    engine.clock.wall += 86_400_000

    next_day = await engine.register({"id": "c"})
    back = await engine.register({"id": "a"})

    assert (next_day, back) == ("20270116.1", first)


async def test_the_current_version_decides_what_triggers_get(engine: Engine) -> None:
    await engine.register({"id": "a", "queue": {"name": "old"}})
    await engine.register({"id": "a", "queue": {"name": "new"}})
    new = await engine.trigger("a")
    await engine.register({"id": "a", "queue": {"name": "old"}})
    old = await engine.trigger("a")

    assert [(await engine.retrieve(run))["queue"] for run in (new, old)] == ["new", "old"]


@pytest.mark.parametrize(
    "tasks",
    [
        [],
        [{"id": "a"}, {"id": "a"}],
        [{"id": ""}],
        [{"id": "x" * 129}],
        [{"id": "a\nb"}],
        [{"id": "a", "queue": {"name": ""}}],
        [{"id": "a", "queue": {"name": "q", "concurrencyLimit": -1}}],
        [{"id": "a", "queue": {"name": "q", "concurrencyLimit": 100_001}}],
        [{"id": "a", "retry": {"maxAttempts": 0}}],
        [{"id": "a", "retry": {"maxAttempts": 251}}],
        [{"id": "a", "retry": {"minTimeoutInMs": -1}}],
        [{"id": "a", "retry": {"minTimeoutInMs": 5, "maxTimeoutInMs": 4}}],
        [{"id": "a", "retry": {"maxTimeoutInMs": TEN_YEARS_MS + 1}}],
        [{"id": "a", "retry": {"maxTimeoutInMs": 10**400}}],
        [{"id": "a", "retry": {"factor": 0.9}}],
        [{"id": "a", "ttl": -1}],
        [{"id": "a", "ttl": TEN_YEARS_MS + 1}],
        [{"id": "a", "maxDuration": 0}],
        [{"id": "a", "maxDuration": 2**70}],
    ],
    ids=lambda tasks: str(tasks)[:60],
)
async def test_settings_that_cannot_be_are_refused(engine: Engine, tasks: list[Any]) -> None:
    await engine.refused("POST", REGISTER, 422, json={"tasks": tasks})


async def test_ten_thousand_tasks_are_taken_and_no_more(engine: Engine) -> None:
    tasks = [{"id": f"t{number}"} for number in range(10_000)]

    await engine.register(*tasks)

    await engine.refused("POST", REGISTER, 422, json={"tasks": [*tasks, {"id": "one-more"}]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"tasks": null}',
        b'{"tasks": {}}',
        b'{"tasks": [{}]}',
        b'{"tasks": [{"id": 5}]}',
        b'{"tasks": [{"id": "a", "retry": {"factor": 1e400}}]}',
        b'{"tasks": [{"id": "a", "ttl": "5s"}]}',
        b'{"tasks": [{"id": "\xff"}]}',
        b'{"tasks": [{"id": "a"}], "sdk": 1}',
    ],
)
async def test_what_is_of_another_shape_is_refused(engine: Engine, body: bytes) -> None:
    await engine.refused("POST", REGISTER, 400, content=body)
