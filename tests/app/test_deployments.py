"""`/api/v1/deployments`: the versions of the tasks, which one is current, and another one that becomes it."""

import re
from typing import Any

import pytest

from tests.app.harness import START, Engine, admin

DEPLOYMENTS = "/api/v1/deployments"
REGISTER = "/worker/v1/register"
A, B, C = ({"id": task} for task in "abc")


async def registered(engine: Engine, *tasks: dict[str, Any], **more: Any) -> tuple[str, bool]:
    answer = await engine.post(REGISTER, {"tasks": list(tasks)} | more)
    return answer["version"], answer["isCurrent"]


async def made(engine: Engine, slug: str, kind: str) -> Engine:
    """Another environment of the engine, where nothing was registered yet."""
    key = (await admin(engine).post("/api/v1/environments", {"slug": slug, "type": kind}))["key"]
    other = admin(engine)
    other.client.headers["authorization"] = f"Bearer {key}"
    return other


@pytest.fixture
async def fresh(engine: Engine) -> Engine:
    return await made(engine, "fresh", "DEVELOPMENT")


async def versions(engine: Engine, **parameters: Any) -> list[str]:
    return [each["version"] for each in (await engine.get(DEPLOYMENTS, **parameters))["data"]]


async def test_a_deployment_tells_all_that_is_known_of_a_version(fresh: Engine) -> None:
    await registered(fresh, A, B)

    (item,) = (await fresh.get(DEPLOYMENTS))["data"]

    assert re.fullmatch("deployment_[0-9a-f]{32}", item["id"])
    assert re.fullmatch("[0-9a-f]{64}", item["contentHash"])
    assert item == {
        "id": item["id"],
        "version": "20270115.1",
        "shortCode": item["id"][11:19],
        "status": "DEPLOYED",
        "isCurrent": True,
        "contentHash": item["contentHash"],
        "createdAt": START,
        "deployedAt": START,
        "promotedAt": START,
        "tasks": ["a", "b"],
        "runtime": "python",
        "runtimeVersion": "unknown",
    }
    for name in (item["id"], item["version"], "current", "latest"):
        assert await fresh.get(f"{DEPLOYMENTS}/{name}") == item


async def test_in_development_a_worker_becomes_current_by_starting(fresh: Engine) -> None:
    first = await registered(fresh, A)
    await registered(fresh, B)

    assert (first, await registered(fresh, A)) == (("20270115.1", True), ("20270115.1", True))
    assert (await fresh.get(f"{DEPLOYMENTS}/current"))["version"] == "20270115.1"
    assert (await fresh.get(f"{DEPLOYMENTS}/latest"))["version"] == "20270115.2"


async def test_elsewhere_only_new_tasks_do_or_those_that_are_to_be_promoted(fresh: Engine) -> None:
    prod = await made(fresh, "prod", "PRODUCTION")
    told = [
        await registered(prod, A),
        await registered(prod, B),
        await registered(prod, A),
        await registered(prod, A, promote=True),
        await registered(prod, C, promote=False),
        await registered(prod, C),
    ]

    assert told == [
        ("20270115.1", True),
        ("20270115.2", True),
        ("20270115.1", False),
        ("20270115.1", True),
        ("20270115.3", False),
        ("20270115.3", False),
    ]
    assert [each["isCurrent"] for each in (await prod.get(DEPLOYMENTS))["data"]] == [False, False, True]


async def test_a_deployment_that_was_never_promoted_says_so(fresh: Engine) -> None:
    await registered(fresh, A, promote=False)

    latest = await fresh.get(f"{DEPLOYMENTS}/latest")

    assert (latest["isCurrent"], "promotedAt" in latest) == (False, False)
    sentence = await fresh.refused("GET", f"{DEPLOYMENTS}/current", 404)
    assert sentence == "No deployment of this environment was promoted yet."


@pytest.mark.parametrize("by", ["version", "id"])
async def test_a_deployment_is_promoted_by_version_or_id_and_again_changes_nothing(fresh: Engine, by: str) -> None:
    await registered(fresh, A)
    await registered(fresh, B)
    first = await fresh.get(f"{DEPLOYMENTS}/20270115.1")
    await fresh.advance(1_000)

    answer = await fresh.post(f"{DEPLOYMENTS}/{first[by]}/promote")
    head = fresh.head
    again = await fresh.post(f"{DEPLOYMENTS}/{first[by]}/promote")

    assert answer == again == first | {"isCurrent": True, "promotedAt": "2027-01-15T08:00:01.000Z"}
    assert fresh.head == head
    assert await fresh.get(f"{DEPLOYMENTS}/current") == answer


async def test_new_runs_get_the_settings_of_what_was_promoted(fresh: Engine) -> None:
    await registered(fresh, {"id": "a", "queue": {"name": "old"}})
    await registered(fresh, {"id": "a", "queue": {"name": "new"}})
    await fresh.post(f"{DEPLOYMENTS}/20270115.1/promote")

    assert (await fresh.retrieve(await fresh.trigger("a")))["queue"] == "old"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/20300101.1"), ("GET", "/deployment_0"), ("POST", "/20300101.1/promote")]
)
async def test_what_is_not_there_is_not_found(fresh: Engine, method: str, path: str) -> None:
    await registered(fresh, A)

    sentence = await fresh.refused(method, DEPLOYMENTS + path, 404)

    assert sentence == f"There is no deployment {path.split('/')[1]} in this environment."


async def test_before_the_first_one_there_is_none(fresh: Engine) -> None:
    assert await fresh.get(DEPLOYMENTS) == {"data": [], "pagination": {}}
    assert await fresh.refused("GET", f"{DEPLOYMENTS}/latest", 404) == "This environment has no deployment yet."


async def test_deployments_of_another_environment_do_not_exist(fresh: Engine) -> None:
    other = await made(fresh, "other", "STAGING")
    await registered(fresh, A)
    mine = await fresh.get(f"{DEPLOYMENTS}/current")

    await other.refused("GET", f"{DEPLOYMENTS}/{mine['id']}", 404)
    await other.refused("POST", f"{DEPLOYMENTS}/{mine['version']}/promote", 404)
    assert await versions(other) == []
    await registered(other, A)
    assert (await other.get(f"{DEPLOYMENTS}/current"))["id"] != mine["id"]


async def test_pages_are_turned_with_the_cursor(fresh: Engine) -> None:
    for number in range(5):
        await registered(fresh, {"id": f"t{number}"})
    seen: list[str] = []
    after: dict[str, str] = {}

    for _ in range(3):
        page = await fresh.get(DEPLOYMENTS, **{"page[size]": 2} | after)
        seen += [each["version"] for each in page["data"]]
        after = {"page[after]": page["pagination"].get("next", "")}

    assert seen == [f"20270115.{number}" for number in (5, 4, 3, 2, 1)]
    assert after == {"page[after]": ""}


async def test_twenty_are_on_a_page_of_no_other_size(fresh: Engine) -> None:
    for number in range(21):
        await registered(fresh, {"id": f"t{number}"})

    assert len(await versions(fresh)) == 20


async def test_a_list_is_narrowed_by_time_and_status(fresh: Engine) -> None:
    await registered(fresh, A)
    await fresh.advance(60_000)
    await registered(fresh, B)
    first, second = "20270115.1", "20270115.2"

    asked: list[dict[str, Any]] = [
        {"period": "30s"},
        {"period": "1h"},
        {"from": "2027-01-15T08:00:30Z"},
        {"to": "2027-01-15T08:00:30Z"},
        {"from": 1_800_000_000_000, "to": 1_800_000_000_000},
        {"status": "DEPLOYED"},
        {"status": "FAILED"},
    ]

    found = [await versions(fresh, **each) for each in asked]
    assert found == [[second], [second, first], [second], [first], [first], [second, first], []]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("status=DONE", "There is no status 'DONE' of deployments"),
        ("period=soon", "soon"),
        ("from=yesterday", "yesterday"),
        ("page[size]=0", "page[size]"),
        ("page[size]=101", "page[size]"),
        ("page[after]=!", "This cursor was not given out by a list."),
        ("page[after]=YQ", "This cursor was not given out by a list."),
    ],
)
async def test_a_query_that_cannot_be_answered_is_refused(fresh: Engine, query: str, reason: str) -> None:
    await registered(fresh, A)

    assert reason in await fresh.refused("GET", f"{DEPLOYMENTS}?{query}", 400)
