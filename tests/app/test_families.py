"""Families through the API: parents, roots, and a cancel that reaches everything below."""

import pytest

from tests.app.harness import Engine, environment, report
from tests.shown import shows_option


async def _family(engine: Engine) -> list[str]:
    runs: list[str] = []
    for _ in range(3):
        runs.append(await engine.trigger(**({"parentRunId": runs[-1]} if runs else {})))
    return runs


@shows_option("parentRunId")
async def test_a_run_shows_its_parent_and_the_root_of_its_family(engine: Engine) -> None:
    first, second, third = await _family(engine)

    found = await engine.retrieve(third)

    assert (found["parentId"], found["rootId"], found["depth"]) == (second, first, 2)
    assert {name: run["id"] for name, run in found["relatedRuns"].items()} == {"parent": second, "root": first}
    assert (await engine.retrieve(first))["relatedRuns"] == {}


async def test_a_worker_is_told_of_the_family(engine: Engine) -> None:
    version = await engine.register()
    first, second, third = await _family(engine)

    handed = {run["id"]: run for run in (await engine.turn(version, want=3))["runs"]}

    assert "parentId" not in handed[first]
    assert (handed[third]["parentId"], handed[third]["rootId"], handed[third]["depth"]) == (second, first, 2)


async def test_a_cancel_reaches_all_that_is_not_finished(engine: Engine) -> None:
    version = await engine.register()
    first, second, third = await _family(engine)
    other = await engine.trigger()
    handed = {run["id"]: run for run in (await engine.turn(version, want=2))["runs"]}
    assert handed.keys() == {first, second}

    await engine.post(f"/api/v2/runs/{first}/cancel")
    told = await engine.turn(version, want=0, waitMs=0)

    found = [await engine.retrieve(run) for run in (first, second, third)]
    assert [run["status"] for run in found] == ["CANCELED"] * 3
    assert all(run["finishedAt"] for run in found)
    assert {cancel["run"] for cancel in told["cancels"]} == {first, second}
    assert (await engine.retrieve(other))["status"] == "QUEUED"
    assert (await engine.get(f"/api/v1/runs/{third}/events"))["events"][-1]["data"] == {
        "reason": "Its parent was canceled."
    }


async def test_a_canceled_run_makes_no_children_that_live(engine: Engine) -> None:
    run = await engine.trigger()
    await engine.post(f"/api/v2/runs/{run}/cancel")

    child = await engine.trigger(parentRunId=run)

    assert (await engine.retrieve(child))["status"] == "CANCELED"


async def test_a_finished_parent_leaves_its_children_alone(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger()
    child = await engine.trigger(parentRunId=run, delay="1h")
    handed = (await engine.turn(version, want=1))["runs"][0]
    await engine.turn(version, report(handed, "succeeded"), want=0)
    before = engine.head

    await engine.post(f"/api/v2/runs/{run}/cancel")

    assert engine.head == before
    assert (await engine.retrieve(child))["status"] == "DELAYED"


@pytest.mark.parametrize("parent", ["run_0", "env_1", "*", "run_%", "run_\u0000", "r" * 2_048, "\U0001f600"])
async def test_a_parent_that_there_is_not_is_refused_with_a_sentence(engine: Engine, parent: str) -> None:
    sentence = await engine.refused(
        "POST", "/api/v1/tasks/greet/trigger", 422, json={"options": {"parentRunId": parent}}
    )

    assert sentence == f"There is no run {parent[:60]} that could be the parent."


async def test_a_run_of_another_environment_is_no_parent(engine: Engine) -> None:
    run = await engine.trigger()
    other = await environment(engine, "stg")

    sentence = await other.refused("POST", "/api/v1/tasks/greet/trigger", 422, json={"options": {"parentRunId": run}})

    assert sentence == f"There is no run {run[:60]} that could be the parent."
