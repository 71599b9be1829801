"""What a trigger may ask for, and what becomes of it."""

from typing import Any

import msgspec
import pytest
from msgspec import structs

from app.newruns.making import new_run
from app.web.bodies import TriggerBody, TriggerOptions
from tests.app.harness import RETRY, START_MS, Engine
from tests.shown import shows_option

TEN_YEARS = "3650d"
SHOWN = (
    *("queue", "concurrencyKey", "ttl", "idempotencyKey", "maxAttempts"),
    *("maxDuration", "metadata", "priority", "tags", "isTest"),
)


def test_a_trigger_without_options_asks_for_the_same_as_one_whose_options_say_nothing() -> None:
    without, silent = (
        new_run(
            "run_1", "greet", TriggerBody(msgspec.Raw(b"1"), options), "env_1", START_MS, "00-1", "batch_1", "schedule"
        )
        for options in (None, TriggerOptions())
    )

    # Until when a key stands for the run says nothing where there is no key.
    assert (structs.replace(silent[0], key_until=0), silent[1]) == without


@shows_option("queue", "maxDuration", "metadata", "payloadType", "tags", "test")
async def test_every_option_shows_on_the_run_and_reaches_the_worker(engine: Engine) -> None:
    version = await engine.register({"id": "greet", "retry": RETRY, "queue": {"name": "of-the-task"}})
    run = await engine.trigger(
        payload={"name": "Ada"},
        queue={"name": "vip"},
        concurrencyKey=7,
        ttl=3_600,
        idempotencyKey="0123abcd",
        idempotencyKeyTTL="5m",
        idempotencyKeyOptions={"key": ["order", "17"], "scope": "run"},
        maxAttempts=5,
        maxDuration=1.5,
        metadata={"m": [1, None]},
        payloadType="application/json; charset=utf-8",
        priority=3,
        tags=["x", "b", "x"],
        test=True,
        unknownToAll={"is": "ignored"},
    )

    body = await engine.retrieve(run)
    (handed,) = (await engine.turn(version))["runs"]

    assert {name: body.get(name) for name in SHOWN} == {
        "queue": "vip",
        "concurrencyKey": "7",
        "ttl": "3600s",
        "idempotencyKey": "order-17",
        "maxAttempts": 5,
        "maxDuration": 1.5,
        "metadata": {"m": [1, None]},
        "priority": 3,
        "tags": ["b", "x"],
        "isTest": True,
    }
    assert handed == {
        "id": run,
        "token": 2,
        "task": "greet",
        "attempt": 1,
        "payload": {"name": "Ada"},
        "payloadType": "application/json; charset=utf-8",
        "queue": "vip",
        "createdAt": START_MS,
        "environment": {
            "id": body["env"]["id"],
            "slug": "dev",
            "type": "DEVELOPMENT",
            "project": "default",
            "organization": "default",
        },
        "isTest": True,
        "tags": ["x", "b"],
        "maxAttempts": 5,
        "maxDuration": 1_500,
        "idempotencyKey": "order-17",
        "priority": 3,
        "concurrencyKey": "7",
        "metadata": {"m": [1, None]},
    }


@shows_option("task.ttl")
async def test_what_is_not_asked_for_comes_from_the_task(engine: Engine) -> None:
    settings = {"queue": {"name": "of-the-task"}, "retry": RETRY, "ttl": 60_000, "maxDuration": 2_000}
    version = await engine.register({"id": "greet"} | settings)
    run = await engine.trigger()

    body = await engine.retrieve(run)
    (handed,) = (await engine.turn(version))["runs"]

    assert (body["queue"], body["ttl"]) == ("of-the-task", "60s")
    assert (handed["maxAttempts"], handed["maxDuration"]) == (3, 2_000)


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        ("one", ["one"]),
        ([], []),
        (["b", "a", "b"], ["a", "b"]),
        (["x" * 128], ["x" * 128]),
        (["a,b", "ä"], ["a,b", "ä"]),
    ],
)
async def test_tags_are_a_string_or_a_list(engine: Engine, tags: Any, shown: list[str]) -> None:
    run = await engine.trigger(tags=tags)

    body = await engine.retrieve(run)

    assert body["tags"] == shown


async def test_ten_tags_are_taken_and_each_counts_once(engine: Engine) -> None:
    ten = [f"t{number}" for number in range(10)]
    run = await engine.trigger(tags=[*ten, *ten])

    body = await engine.retrieve(run)

    assert body["tags"] == ten


@pytest.mark.parametrize(
    ("delay", "until"),
    [
        ("30s", "2027-01-15T08:00:30.000Z"),
        ("1h30m", "2027-01-15T09:30:00.000Z"),
        ("1w2d3hr4m5s", "2027-01-24T11:04:05.000Z"),
        ("2027-01-15T08:00:00.001Z", "2027-01-15T08:00:00.001Z"),
        ("2027-01-15T10:00:00+01:00", "2027-01-15T09:00:00.000Z"),
        ("2027-02-01", "2027-02-01T00:00:00.000Z"),
        (TEN_YEARS, "2037-01-12T08:00:00.000Z"),
    ],
)
async def test_a_delay_is_a_duration_or_a_date(engine: Engine, delay: str, until: str) -> None:
    run = await engine.trigger(delay=delay)

    body = await engine.retrieve(run)

    assert (body["status"], body["delayedUntil"]) == ("DELAYED", until)
    assert "queuedAt" not in body


@pytest.mark.parametrize("delay", ["2027-01-15T08:00:00.000Z", "2020-01-01", "0001-01-01T00:00:00+14:00", "0s"])
async def test_a_delay_that_has_passed_is_none(engine: Engine, delay: str) -> None:
    run = await engine.trigger(delay=delay)

    body = await engine.retrieve(run)

    assert body["status"] == "QUEUED"
    assert "delayedUntil" not in body


@shows_option("delay")
async def test_a_delayed_run_is_queued_when_its_time_has_come(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger(delay="10s")
    await engine.advance(9_999)
    early = await engine.turn(version)
    await engine.advance(1)

    (handed,) = (await engine.turn(version))["runs"]

    assert (early["runs"], handed["id"]) == ([], run)
    assert (await engine.retrieve(run))["queuedAt"] == "2027-01-15T08:00:10.000Z"


@pytest.mark.parametrize(("ttl", "shown"), [("10m", "600s"), (90, "90s"), ("1h1s", "3601s")])
async def test_a_ttl_is_a_duration_or_a_number_of_seconds(engine: Engine, ttl: str | int, shown: str) -> None:
    run = await engine.trigger(ttl=ttl)

    assert (await engine.retrieve(run))["ttl"] == shown


@pytest.mark.parametrize("ttl", [0, "0s"])
async def test_a_ttl_of_zero_opts_out_of_that_of_the_task(engine: Engine, ttl: str | int) -> None:
    await engine.register({"id": "greet", "ttl": 1_000})
    run = await engine.trigger(ttl=ttl)

    await engine.advance(10_000)

    body = await engine.retrieve(run)
    assert body["status"] == "QUEUED"
    assert "ttl" not in body


@shows_option("priority")
async def test_a_higher_priority_goes_first_by_so_many_seconds(engine: Engine) -> None:
    version = await engine.register()
    first = await engine.trigger()
    late = await engine.trigger(priority=-5)
    await engine.advance(4_000)
    second = await engine.trigger()
    ahead = await engine.trigger(priority=9.6)

    handed = (await engine.turn(version))["runs"]

    assert [run["id"] for run in handed] == [ahead, first, second, late]
    assert (await engine.retrieve(ahead))["priority"] == 10


@shows_option("region", "externalDeploymentId")
async def test_what_only_a_hosted_engine_needs_is_accepted_and_changes_nothing(engine: Engine) -> None:
    plain = await engine.trigger()
    run = await engine.trigger(region="eu-central-1", externalDeploymentId="dpl_1")

    assert await engine.retrieve(run) == await engine.retrieve(plain) | {"id": run}


async def test_a_task_that_no_worker_knows_is_accepted(engine: Engine) -> None:
    run = await engine.trigger("nobody-knows/me yet")

    body = await engine.retrieve(run)

    assert (body["taskIdentifier"], body["status"]) == ("nobody-knows/me yet", "PENDING_VERSION")


@pytest.mark.parametrize("name", [field.encode_name for field in msgspec.structs.fields(TriggerOptions)])
async def test_null_is_the_same_as_absent(engine: Engine, name: str) -> None:
    runs = [await engine.post("/api/v1/tasks/greet/trigger", {"options": options}) for options in ({}, {name: None})]

    without, null = [await engine.retrieve(run["id"]) for run in runs]

    assert null == without | {"id": null["id"]}


async def test_the_largest_max_duration_stands_for_none(engine: Engine) -> None:
    run = await engine.trigger(maxDuration=2**31 - 1)

    assert "maxDuration" not in await engine.retrieve(run)
