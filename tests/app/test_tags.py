"""Tags that a run is given after its trigger."""

from typing import Any

import pytest

from tests.app.harness import Engine, environment, report


def _path(run: str) -> str:
    return f"/api/v1/runs/{run}/tags"


async def test_tags_are_added_and_found(engine: Engine) -> None:
    run = await engine.trigger(tags=["b"])

    answer = await engine.post(_path(run), {"tags": ["c", "a", "b"]})

    assert answer == {"message": "Successfully set 3 tags."}
    assert (await engine.retrieve(run))["tags"] == ["a", "b", "c"]
    for tag in ("a", "b", "c"):
        assert await engine.listed(**{"filter[tag]": tag}) == [run]


async def test_a_single_tag_may_be_a_string(engine: Engine) -> None:
    run = await engine.trigger()

    await engine.post(_path(run), {"tags": "a"})

    assert (await engine.retrieve(run))["tags"] == ["a"]


async def test_tags_that_are_there_write_nothing(engine: Engine) -> None:
    run = await engine.trigger(tags=["a"])
    before = engine.head

    await engine.post(_path(run), {"tags": ["a"]})

    assert engine.head == before


async def test_a_run_has_at_most_ten_tags_in_all(engine: Engine) -> None:
    run = await engine.trigger(tags=[f"t{number}" for number in range(9)])

    sentence = await engine.refused("POST", _path(run), 422, json={"tags": ["x", "y"]})

    assert sentence == f"A run has at most 10 tags: run {run} has 9, and 2 are to be added."


@pytest.mark.parametrize(
    ("tags", "status", "sentence"),
    [
        ([f"t{number}" for number in range(11)], 422, "A run has at most 10 tags; these are 11."),
        (["x" * 129], 422, "A tag has 1 to 128 characters."),
        ("", 422, "A tag has 1 to 128 characters."),
        ([1], 400, "The body is not of the right shape: Expected `str`, got `int` - at `$.tags[0]`."),
        (None, 400, "The body is not of the right shape: Expected `str | array`, got `null` - at `$.tags`."),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    engine: Engine, tags: Any, status: int, sentence: str
) -> None:
    run = await engine.trigger()

    assert await engine.refused("POST", _path(run), status, json={"tags": tags}) == sentence


async def test_a_run_that_there_is_not_cannot_be_tagged(engine: Engine) -> None:
    run = await engine.trigger()
    other = await environment(engine, "stg")

    assert await engine.refused("POST", _path("run_0"), 404, json={"tags": "a"}) == "Run run_0 not found."
    assert await other.refused("POST", _path(run), 404, json={"tags": "a"}) == f"Run {run} not found."


async def test_a_worker_and_a_replay_get_the_tags_that_were_added(engine: Engine) -> None:
    version = await engine.register()
    run = await engine.trigger(tags=["a"])
    await engine.post(_path(run), {"tags": "b"})

    handed = await engine.take(version)
    await engine.turn(version, report(handed, "succeeded"), want=0)
    await engine.post(_path(run), {"tags": "c"})
    replay = await engine.post(f"/api/v1/runs/{run}/replay")

    assert handed["tags"] == ["a", "b"]
    assert (await engine.retrieve(replay["id"]))["tags"] == ["a", "b", "c"]
