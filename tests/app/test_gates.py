"""Gates before the queue, through the API: what holds a run, what lets it go on, and what ends it."""

import asyncio
import json
from typing import Any

import pytest

from domain.status import Status
from tests.app.harness import Engine, environment, report, until
from tests.shown import shows, shows_option

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {"lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}}},
    "required": ["lines"],
}
CHECKED = {"id": "order", "payloadSchema": ORDER}
GUARDED = {"id": "guarded", "authResolver": True}
WRONG = {"lines": [{"sku": "a"}, {"pieces": 2}]}
SUPER = "application/super+json"
ERROR = {"name": "LookupError", "message": "no such user"}


async def comes_to(engine: Engine, run: str, *statuses: str) -> Any:
    """The run, once it is in one of these statuses."""
    head = -1

    async def look() -> Any:
        nonlocal head
        while True:
            if head == engine.head:
                await asyncio.sleep(0.01)
                continue
            head = engine.head
            found = await engine.retrieve(run)
            if found["status"] in statuses:
                return found

    return await asyncio.wait_for(look(), 10)


@shows(Status.PENDING_VERSION)
@shows_option("task.machine")
async def test_a_run_of_an_unknown_task_waits_for_its_version_and_is_executed_by_it(engine: Engine) -> None:
    run = await engine.trigger("late", {"n": 1})
    assert (await engine.retrieve(run))["status"] == "PENDING_VERSION"

    version = await engine.register({"id": "late", "queue": {"name": "lates"}, "machine": "micro"})
    queued = await engine.retrieve(run)
    handed = await engine.perform(version)
    completed = await engine.retrieve(run)

    assert (queued["status"], queued["queue"], queued["machine"]) == ("QUEUED", "lates", "micro")
    assert (handed["id"], handed["payload"], handed["machine"]) == (run, {"n": 1}, "micro")
    assert (completed["status"], completed["version"]) == ("COMPLETED", version)
    assert await engine.events(run) == [
        "RunTriggered",
        "RunHeldForVersion",
        "VersionArrived",
        "RunEnqueued",
        "RunDequeued",
        "AttemptStarted",
        "AttemptSucceeded",
    ]


@shows(Status.PENDING_VERSION)
@shows_option("lockToVersion")
async def test_a_locked_run_waits_for_its_version_though_another_one_has_the_task(engine: Engine) -> None:
    first = await engine.register({"id": "greet"}, {"id": "one"})
    locked = "20270115.3"
    assert first < locked
    run = await engine.trigger("greet", lockToVersion=locked)
    assert (await engine.retrieve(run))["status"] == "PENDING_VERSION"

    assert await engine.register({"id": "greet"}, {"id": "two"}) == locked

    found = await engine.retrieve(run)
    assert (found["status"], found["lockedToVersion"]) == ("QUEUED", locked)


async def test_a_version_of_another_environment_lets_nothing_go_on(engine: Engine) -> None:
    run = await engine.trigger("late")
    other = await environment(engine, "stg")

    await other.register({"id": "late"})

    assert (await engine.retrieve(run))["status"] == "PENDING_VERSION"


@shows(Status.INVALID_PAYLOAD)
@shows_option("task.payloadSchema")
async def test_a_payload_that_does_not_fit_is_refused_with_the_place_of_what_is_wrong(engine: Engine) -> None:
    await engine.register(CHECKED)

    run = await engine.trigger("order", WRONG)

    found = await engine.retrieve(run)
    assert (found["status"], found["attemptCount"]) == ("INVALID_PAYLOAD", 0)
    assert found["error"] == {"name": "InvalidPayload", "message": '$.lines[1]: "sku" is a required property'}
    assert found["finishedAt"]


async def test_a_payload_that_fits_is_executed(engine: Engine) -> None:
    version = await engine.register(CHECKED)
    run = await engine.trigger("order", {"lines": [{"sku": "a"}]})

    handed = await engine.perform(version)

    assert handed["id"] == run


@pytest.mark.parametrize(("payload", "status"), [(WRONG, "INVALID_PAYLOAD"), ({"lines": []}, "QUEUED")])
@pytest.mark.parametrize("padding", [0, 100_000], ids=["small", "large"])
async def test_the_payload_of_a_parked_run_is_checked_when_its_version_comes(
    engine: Engine, payload: dict[str, Any], status: str, padding: int
) -> None:
    run = await engine.trigger("order", payload | {"note": "x" * padding})
    assert (await engine.retrieve(run))["status"] == "PENDING_VERSION"

    await engine.register(CHECKED)

    found = await comes_to(engine, run, "INVALID_PAYLOAD", "QUEUED")
    assert found["status"] == status
    if status == "INVALID_PAYLOAD":
        assert found["error"]["message"] == '$.lines[1]: "sku" is a required property'


@pytest.mark.parametrize(
    ("payload", "status", "message"),
    [
        ({"json": {"lines": []}}, "QUEUED", None),
        (json.dumps({"json": {"lines": []}, "meta": {}}), "QUEUED", None),
        (json.dumps({"json": {"lines": 5}}), "INVALID_PAYLOAD", '$.lines: 5 is not of type "array"'),
        ("no json", "INVALID_PAYLOAD", f"$: it is said to be {SUPER} and cannot be read as that: "),
        ("[" * 100_000, "INVALID_PAYLOAD", "$: it cannot be checked: "),
    ],
    ids=["object", "text", "wrong", "unreadable", "deep"],
)
@pytest.mark.parametrize("is_parked", [False, True], ids=["at once", "parked"])
async def test_a_payload_of_the_official_client_is_checked_for_what_it_stands_for(
    engine: Engine, payload: Any, status: str, message: str | None, *, is_parked: bool
) -> None:
    if not is_parked:
        await engine.register(CHECKED)
    run = await engine.trigger("order", payload, payloadType=SUPER)
    if is_parked:
        await engine.register(CHECKED)

    found = await comes_to(engine, run, "INVALID_PAYLOAD", "QUEUED")

    assert found["status"] == status
    assert message is None or found["error"]["message"].startswith(message)


async def test_a_payload_that_cannot_be_read_keeps_no_other_from_being_checked(engine: Engine) -> None:
    poisoned = await engine.trigger("order", "no json", payloadType=SUPER)
    sound = await engine.trigger("order", {"lines": []})

    await engine.register(CHECKED)

    assert (await comes_to(engine, sound, "QUEUED"))["id"] == sound
    assert (await comes_to(engine, poisoned, "INVALID_PAYLOAD"))["id"] == poisoned


ANYTHING: list[Any] = [10**30, -(10**30), 1e300, "\u0000", "😀", None, [[1]]]


@pytest.mark.parametrize("payload", ANYTHING)
async def test_any_value_is_judged(engine: Engine, payload: Any) -> None:
    await engine.register({"id": "order", "payloadSchema": {"type": "boolean"}})

    run = await engine.trigger("order", payload)

    assert (await engine.retrieve(run))["error"]["message"].startswith("$: ")


async def test_names_of_fields_that_are_no_identifiers_are_told_as_they_are(engine: Engine) -> None:
    schema = {"properties": {"a.b": {"properties": {"it's": {"type": "null"}}}}}
    await engine.register({"id": "order", "payloadSchema": schema})

    run = await engine.trigger("order", {"a.b": {"it's": 1}})

    sentence = (await engine.retrieve(run))["error"]["message"]
    assert sentence == """$['a.b']["it's"]: 1 is not of type "null\""""


@shows(Status.PENDING, Status.UNRESOLVED_AUTH)
@shows_option("task.authResolver")
async def test_the_resolver_of_a_task_is_asked_through_the_worker_protocol(engine: Engine) -> None:
    version = await engine.register(GUARDED)
    run = await engine.trigger("guarded", {"user": 7}, tags=["a"])
    assert (await engine.retrieve(run))["status"] == "PENDING"

    (handed,) = (await engine.turn(version, want=1))["runs"]
    assert (handed["id"], handed["kind"], handed["token"], handed["payload"]) == (run, "auth", 0, {"user": 7})
    assert (await engine.turn(version, want=1, holds=[[run, 0]], waitMs=0))["runs"] == []

    answer = await engine.turn(version, report(handed, "unauthorized", error=ERROR), want=0)

    found = await engine.retrieve(run)
    assert answer["refused"] == []
    assert (found["status"], found["error"], found["attemptCount"]) == ("UNRESOLVED_AUTH", ERROR, 0)
    assert await engine.events(run) == ["RunTriggered", "RunHeldForAuth", "AuthUnresolved"]


async def test_a_run_that_is_canceled_while_it_is_resolved_is_taken_from_the_worker(engine: Engine) -> None:
    version = await engine.register(GUARDED)
    run = await engine.trigger("guarded")
    await engine.turn(version, want=1)

    await engine.post(f"/api/v2/runs/{run}/cancel")
    told = await engine.turn(version, want=0, holds=[[run, 0]], waitMs=0)

    assert told["cancels"] == [{"run": run, "token": 0, "reason": "CANCELED"}]


async def test_a_delay_begins_when_the_gates_before_it_are_passed(engine: Engine) -> None:
    run = await engine.trigger("late", delay="1m")
    await engine.advance(30_000)
    assert (await engine.retrieve(run))["status"] == "PENDING_VERSION"

    await engine.register({"id": "late"})
    delayed = await engine.retrieve(run)
    await engine.advance(30_000)

    assert (delayed["status"], delayed["delayedUntil"]) == ("DELAYED", "2027-01-15T08:01:00.000Z")
    assert (await engine.retrieve(run))["status"] == "QUEUED"


@shows(Status.WAITING_ON_CONNECTIONS)
@shows_option("task.connections")
async def test_a_task_waits_for_the_connections_that_it_names_and_gets_them(engine: Engine) -> None:
    version = await engine.register({"id": "fetch", "connections": ["github"]})
    run = await engine.trigger("fetch")
    assert (await engine.retrieve(run))["status"] == "WAITING_ON_CONNECTIONS"
    assert await engine.events(run) == ["RunTriggered", "RunHeldForConnections"]

    await engine.put("/api/v1/connections/github", {"credentials": {"token": "t"}})
    handed = await engine.perform(version)

    assert (handed["id"], handed["connections"]) == (run, {"github": {"token": "t"}})


async def test_more_parked_runs_than_are_checked_at_once_are_all_checked(engine: Engine) -> None:
    items: list[dict[str, Any]] = [{"payload": {"lines": []} if number % 2 else WRONG} for number in range(300)]
    batch = await engine.post("/api/v1/tasks/order/batch", {"items": items})
    ids = [run["id"] for run in batch["runs"]]

    await engine.register(CHECKED)
    memory = engine.service.loop.engine.memory
    await until(lambda: not any(run for run in ids if (held := memory.run(run)) and held.status == "PENDING_VERSION"))

    for run, status in ((ids[0], "INVALID_PAYLOAD"), (ids[-1], "QUEUED")):
        assert (await comes_to(engine, run, status))["id"] == run
