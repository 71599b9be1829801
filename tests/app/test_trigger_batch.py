"""Batches: several runs of one task, all or none, answered in the order of the items."""

from typing import Any

import pytest

from tests.app.harness import Engine

BATCH = "/api/v1/tasks/greet/batch"


async def test_the_answer_has_the_runs_in_the_order_of_the_items(engine: Engine) -> None:
    items = [{"payload": number, "options": {"tags": [f"n{number}"]}} for number in range(5)]

    answer = await engine.post(BATCH, {"items": items})

    runs = [await engine.retrieve(run["id"]) for run in answer["runs"]]
    assert answer == {
        "batchId": answer["batchId"],
        "runs": [{"id": run["id"], "taskIdentifier": "greet", "isCached": False} for run in runs],
    }
    assert [(run["payload"], run["tags"]) for run in runs] == [(number, [f"n{number}"]) for number in range(5)]
    assert {(run["batchId"], run["triggerFunction"]) for run in runs} == {(answer["batchId"], "batchTrigger")}
    assert await engine.listed(**{"filter[batch]": answer["batchId"]}) == [run["id"] for run in reversed(runs)]


async def test_an_item_with_a_key_that_stands_already_is_cached(engine: Engine) -> None:
    known = await engine.trigger(idempotencyKey="k")

    items: list[Any] = [{}, {"options": {"idempotencyKey": "k"}}, {"options": {"idempotencyKey": "k"}}]
    answer = await engine.post(BATCH, {"items": items})

    assert [run["isCached"] for run in answer["runs"]] == [False, True, True]
    assert [run["id"] for run in answer["runs"][1:]] == [known, known]


async def test_two_items_with_one_key_get_one_run(engine: Engine) -> None:
    answer = await engine.post(BATCH, {"items": 2 * [{"options": {"idempotencyKey": "k"}}]})

    first, second = answer["runs"]
    assert (second["id"], first["isCached"], second["isCached"]) == (first["id"], False, True)
    assert await engine.listed() == [first["id"]]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"options": {"tags": ["x" * 129]}}, "A tag has 1 to 128 characters."),
        ({"options": {"delay": "soon"}}, '"soon" is neither a duration like "1h30m" nor an ISO 8601 date.'),
        ({"payload": "x" * 3_145_728}, "The payload has 3145730 bytes; at most 3145728 are taken."),
    ],
    ids=["tag", "delay", "payload"],
)
async def test_one_bad_item_refuses_all_and_is_named(engine: Engine, item: dict[str, Any], reason: str) -> None:
    items = [{}, {}, item, {}]

    sentence = await engine.refused("POST", BATCH, 422, json={"items": items})

    assert sentence == f"Item 2: {reason}"
    assert await engine.listed() == []


async def test_an_item_of_another_shape_is_named_by_its_place(engine: Engine) -> None:
    items: list[Any] = [{}, {"options": {"maxAttempts": "five"}}]

    sentence = await engine.refused("POST", BATCH, 400, json={"items": items})

    assert sentence.endswith("Expected `int | null`, got `str` - at `$.items[1].options.maxAttempts`.")


@pytest.mark.parametrize("items", [0, 1_001])
async def test_a_batch_has_one_to_a_thousand_items(engine: Engine, items: int) -> None:
    sentence = await engine.refused("POST", BATCH, 422, json={"items": items * [{}]})

    assert sentence == f"A batch has 1 to 1000 items; this one has {items}."


async def test_a_thousand_items_become_a_thousand_runs(engine: Engine) -> None:
    answer = await engine.post(BATCH, {"items": 1_000 * [{}]})

    assert len({run["id"] for run in answer["runs"]}) == 1_000


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": {}}, {"items": [1]}, []])
async def test_a_body_without_items_is_refused(engine: Engine, body: Any) -> None:
    await engine.refused("POST", BATCH, 400, json=body)


async def test_a_body_larger_than_32_mib_is_not_read(engine: Engine) -> None:
    sentence = await engine.refused("POST", BATCH, 413, content=b" " * (33_554_432 + 1))

    assert sentence == "Request body too large: at most 33554432 bytes."
