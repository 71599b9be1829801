"""Lists of runs: every filter, what several together mean, and what there is no filter for."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from domain.status import Status
from tests.app.harness import START_MS, Engine, environment
from tests.app.statuses import run_in

LIST = "/api/v1/runs"


async def _listed(engine: Engine, status: str) -> set[str]:
    response = await engine.client.get(LIST, params={"filter[status]": status})
    assert response.status_code == 200, response.text
    return {run["id"] for run in response.json()["data"]}


@pytest.fixture
async def runs(engine: Engine) -> dict[Status, str]:
    """One run in each status."""
    # The worker of an interrupted run is lost, and with it all that it has.
    first = {Status.INTERRUPTED: await run_in(engine, Status.INTERRUPTED)}
    others = set(Status) - {Status.SYSTEM_FAILURE, *first}
    return first | {status: await run_in(engine, status) for status in Status if status in others}


async def test_statuses_are_filtered_by_our_names(engine: Engine, runs: dict[Status, str]) -> None:
    found = {status: await _listed(engine, status.value) for status in Status}

    assert found == {status: {runs[status]} if status in runs else set[str]() for status in Status}


async def test_the_old_name_of_a_status_is_known_to_all(engine: Engine, runs: dict[Status, str]) -> None:
    assert await _listed(engine, "WAITING_FOR_DEPLOY") == {runs[Status.PENDING_VERSION]}


async def test_an_item_is_the_run_without_payload_output_and_attempts(engine: Engine) -> None:
    run = await run_in(engine, Status.COMPLETED, tags=["b", "a"], metadata={"m": 1})

    (item,) = (await engine.get(LIST))["data"]

    whole = await engine.retrieve(run)
    for only_there in ("payload", "payloadType", "output", "outputType", "attempts", "relatedRuns"):
        whole.pop(only_there)
    assert item == whole


Maker = Callable[[Engine], Awaitable[dict[str, str]]]


async def _by_task(engine: Engine) -> dict[str, str]:
    return {task: await engine.trigger(task) for task in ("echo", "fail", "a b/c")}


async def _by_tag(engine: Engine) -> dict[str, str]:
    runs = {tag: await engine.trigger(tags=[tag]) for tag in ("x", "y")}
    return runs | {"z": await engine.trigger(tags=["z", "w"])}


async def _by_queue(engine: Engine) -> dict[str, str]:
    runs = {"vip": await engine.trigger(queue={"name": "vip"}), "task/echo": await engine.trigger("echo")}
    return runs | {"task/other": await engine.trigger("echo", queue={"name": "task/other"})}


async def _by_version(engine: Engine) -> dict[str, str]:
    runs: dict[str, str] = {}
    for task in ("one", "two", "three"):
        version = await engine.register({"id": task})
        runs[version] = await engine.trigger(task)
        await engine.perform(version)
    return runs


@pytest.mark.parametrize(
    ("name", "make"),
    [("taskIdentifier", _by_task), ("tag", _by_tag), ("queue", _by_queue), ("version", _by_version)],
    ids=["task", "tag", "queue", "version"],
)
async def test_several_values_of_one_filter_mean_any_of_them(engine: Engine, name: str, make: Maker) -> None:
    runs = await make(engine)
    other = await engine.trigger("unlike-all")
    (first, one), (_, two), (third, three) = runs.items()

    alone = [await engine.listed(**{f"filter[{name}]": value}) for value in runs]
    both = await engine.listed(**{f"filter[{name}]": f"{first},,{third},{first}"})
    none = await engine.listed(**{f"filter[{name}]": "no-such-value"})
    empty = await engine.listed(**{f"filter[{name}]": ""})

    assert alone == [[one], [two], [three]]
    assert (both, none) == ([three, one], [])
    assert empty == [other, three, two, one]


async def test_a_run_with_two_of_the_tags_is_listed_once(engine: Engine) -> None:
    run = await engine.trigger(tags=["x", "y"])

    assert await engine.listed(**{"filter[tag]": "x,y"}) == [run]


async def test_test_runs_are_told_apart(engine: Engine) -> None:
    real, test = await engine.trigger(), await engine.trigger(test=True)

    found = [await engine.listed(**{"filter[isTest]": value}) for value in ("true", "false")]

    assert found == [[test], [real]]


async def test_runs_are_found_by_when_they_were_created(engine: Engine) -> None:
    runs: list[str] = []
    for _ in range(3):
        runs.append(await engine.trigger())
        await engine.advance(60_000)
    at = "filter[createdAt][{}]"

    found = {
        "from ms": await engine.listed(**{at.format("from"): START_MS + 60_000}),
        "to ms": await engine.listed(**{at.format("to"): START_MS + 60_000}),
        "from date": await engine.listed(**{at.format("from"): "2027-01-15T09:02:00+01:00"}),
        "both": await engine.listed(**{at.format("from"): START_MS + 1, at.format("to"): START_MS + 119_999}),
        "period": await engine.listed(**{at.format("period"): "2m"}),
        "period and to": await engine.listed(**{at.format("period"): "1h", at.format("to"): START_MS}),
        "empty": await engine.listed(**{at.format("from"): START_MS + 120_001}),
    }

    assert found == {
        "from ms": [runs[2], runs[1]],
        "to ms": [runs[1], runs[0]],
        "from date": [runs[2]],
        "both": [runs[1]],
        "period": [runs[2], runs[1]],
        "period and to": [runs[0]],
        "empty": [],
    }


async def test_different_filters_must_all_hold(engine: Engine) -> None:
    await engine.register({"id": "echo"}, {"id": "fail"})
    wanted = await engine.trigger("echo", tags=["x"], test=True, queue={"name": "vip"})
    await engine.trigger("echo", tags=["x"], test=True)
    await engine.trigger("echo", tags=["x"], queue={"name": "vip"})
    await engine.trigger("echo", test=True, queue={"name": "vip"})
    await engine.trigger("fail", tags=["x"], test=True, queue={"name": "vip"})
    names = {"taskIdentifier": "echo", "tag": "x", "isTest": "true", "queue": "vip", "status": "QUEUED"}

    assert await engine.listed(**{f"filter[{name}]": value for name, value in names.items()}) == [wanted]


async def test_a_list_holds_only_runs_of_the_callers_environment(engine: Engine) -> None:
    other = await environment(engine, "stg")
    ours, theirs = await engine.trigger(tags=["x"]), await other.trigger(tags=["x"])

    assert [await each.listed() for each in (engine, other)] == [[ours], [theirs]]
    assert [await each.listed(**{"filter[tag]": "x"}) for each in (engine, other)] == [[ours], [theirs]]


async def test_a_batch_of_another_environment_is_not_found(engine: Engine) -> None:
    other = await environment(engine, "stg")
    batch = (await other.post("/api/v1/tasks/greet/batch", {"items": [{}]}))["batchId"]

    assert await engine.listed(**{"filter[batch]": batch}) == []


@pytest.mark.parametrize(
    "query",
    [
        "filter[status]=NOPE",
        "filter[status]=completed",
        "filter[status]=COMPLETED,NOPE",
        "filter[state]=QUEUED",
        "filter[isTest]=yes",
        "filter[createdAt][from]=yesterday",
        "filter[createdAt][to]=",
        "filter[createdAt][period]=1x",
        "filter[createdAt][on]=1",
        "status=QUEUED",
        "limit=10",
        "page[size]=0",
        "page[size]=101",
        "page[size]=x",
        "page[size]=",
        "page[size]=-1",
        "page[size]=1.0",
        "page[size]=5&page[size]=5",
        "page[number]=2",
        "page[after]=nonsense!",
        "page[after]=cnVu",
        "page[before]=%C3%A4",
    ],
)
async def test_what_there_is_no_filter_or_page_for_is_refused(engine: Engine, query: str) -> None:
    sentence: Any = await engine.refused("GET", f"{LIST}?{query}", 400)

    assert len(sentence.split()) > 4


async def test_the_list_of_a_project_is_that_of_the_keys_environment(engine: Engine) -> None:
    run = await engine.trigger(tags=["a"], delay="1h")
    await engine.trigger(tags=["b"], delay="1h")
    path = "/api/v1/projects/proj_any/runs"

    found = await engine.get(path, **{"filter[tag]": "a", "filter[env]": "prod,dev"})

    assert [each["id"] for each in found["data"]] == [run]
    assert await engine.refused("GET", f"{path}?filter[env]=prod", 400) == (
        "filter[env]: this key opens the environment dev only."
    )
