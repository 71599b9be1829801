"""Batches whose items come in a stream: each index makes one run at most, and the batch tells what became of all."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from adapters.sqlite.ledger import MEMORY, SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from tests.app.harness import Engine, ManualClock, environment, running_engine, sentence_of

DAY_MS = 86_400_000
ND_JSON = {"content-type": "application/x-ndjson"}


async def create(engine: Engine, run_count: int, **more: Any) -> str:
    """A new batch."""
    response = await engine.client.post("/api/v3/batches", json={"runCount": run_count} | more)
    assert response.status_code == 202, response.text
    batch: str = response.json()["id"]
    return batch


def item(index: int, payload: Any = None, task: str = "greet", **options: Any) -> dict[str, Any]:
    return {"index": index, "task": task, "payload": payload, "options": options}


def lines(*items: Any) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in items)


async def stream(engine: Engine, batch: str, *items: Any) -> Any:
    """Send items in one piece."""
    response = await engine.client.post(f"/api/v3/batches/{batch}/items", content=lines(*items), headers=ND_JSON)
    assert response.status_code == 200, response.text
    return response.json()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def found(engine: Engine, batch: str) -> Any:
    return await engine.get(f"/api/v2/batches/{batch}")


async def pass_time(engine: Engine, milliseconds: int) -> None:
    """At once, on the wall clock, which is what batches go by."""
    engine.clock.wall += milliseconds - 1
    await engine.advance(1)


async def batch_events(engine: Engine, batch: str) -> list[str]:
    return [type(each.event).__name__ for each in await engine.service.history(batch)]


async def test_a_batch_is_created_and_sealed_by_its_last_item(engine: Engine) -> None:
    version = await engine.register()
    batch = await create(engine, 3)
    assert (await found(engine, batch))["status"] == "PENDING"

    first = await stream(engine, batch, item(0, "a"), item(2, "c", tags=["last"]))
    second = await stream(engine, batch, item(1, "b"))

    assert first == {
        "id": batch,
        "itemsAccepted": 2,
        "itemsDeduplicated": 0,
        "sealed": False,
        "enqueuedCount": 2,
        "expectedCount": 3,
    }
    assert second == {"id": batch, "itemsAccepted": 1, "itemsDeduplicated": 0, "sealed": True}
    whole = await found(engine, batch)
    runs = [await engine.retrieve(run) for run in whole["runs"]]
    assert [(run["payload"], run["tags"], run["batchId"]) for run in runs] == [
        ("a", [], batch),
        ("b", [], batch),
        ("c", ["last"], batch),
    ]
    assert (whole["status"], whole["runCount"], whole["processing"]["errors"]) == ("PROCESSING", 3, [])
    for _ in range(3):
        await engine.perform(version)
    assert (await found(engine, batch))["status"] == "COMPLETED"
    assert await batch_events(engine, batch) == [
        "BatchCreated",
        "BatchItemsAccepted",
        "BatchItemsAccepted",
        "BatchSealed",
        "BatchCompleted",
    ]


async def test_the_batch_completes_in_the_commit_in_which_its_last_run_ends(engine: Engine) -> None:
    version = await engine.register()
    batch = await create(engine, 2)
    await stream(engine, batch, item(0), item(1))
    await engine.perform(version)
    assert (await found(engine, batch))["status"] == "PROCESSING"

    handed = await engine.perform(version, "failed", error={"message": "It failed."}, retryable=False)

    completed = (await engine.service.history(batch))[-1]
    (_, *_, failed) = await engine.service.history(handed["id"])
    assert (type(completed.event).__name__, completed.cause) == ("BatchCompleted", handed["id"])
    assert completed.position == failed.position + 1
    assert (await found(engine, batch))["completedAt"] == (await found(engine, batch))["updatedAt"]


async def test_the_same_index_again_makes_no_second_run(engine: Engine) -> None:
    batch = await create(engine, 3)
    await stream(engine, batch, item(0, "first"), item(0, "again"))
    runs = (await found(engine, batch))["runs"]

    answer = await stream(engine, batch, item(0, "later"), item(1))

    assert (answer["itemsAccepted"], answer["itemsDeduplicated"], answer["sealed"]) == (1, 1, False)
    assert (await found(engine, batch))["runs"][:1] == runs
    assert (await engine.retrieve(runs[0]))["payload"] == "first"
    assert len(await engine.listed()) == 2


async def test_a_sealed_batch_answers_a_stream_that_is_sent_again(engine: Engine) -> None:
    batch = await create(engine, 2)
    await stream(engine, batch, item(0), item(1))
    before = engine.head

    answer = await stream(engine, batch, item(0), item(1))

    assert answer == {"id": batch, "itemsAccepted": 0, "itemsDeduplicated": 0, "sealed": True}
    assert engine.head == before


async def test_lines_may_be_cut_anywhere_and_the_last_needs_no_end(engine: Engine) -> None:
    batch = await create(engine, 3)
    text = b"\n" + lines(item(0, "é\n"), item(1), item(2)).rstrip(b"\n")
    parts = [text[at : at + 7] for at in range(0, len(text), 7)]

    response = await engine.client.post(f"/api/v3/batches/{batch}/items", content=pieces(*parts), headers=ND_JSON)

    assert response.json() == {"id": batch, "itemsAccepted": 3, "itemsDeduplicated": 0, "sealed": True}
    assert (await engine.retrieve((await found(engine, batch))["runs"][0]))["payload"] == "é\n"


async def test_a_thousand_items_become_a_thousand_runs_in_few_commits(engine: Engine) -> None:
    batch = await create(engine, 1_000)
    parts = [lines(item(index, index)) for index in range(1_000)]

    response = await engine.client.post(f"/api/v3/batches/{batch}/items", content=pieces(*parts), headers=ND_JSON)

    assert (response.json()["itemsAccepted"], response.json()["sealed"]) == (1_000, True)
    assert len(set((await found(engine, batch))["runs"])) == 1_000
    assert (await batch_events(engine, batch)).count("BatchItemsAccepted") < 100


async def test_what_came_before_the_connection_broke_is_kept(engine: Engine) -> None:
    batch = await create(engine, 3)

    async def broken() -> AsyncIterator[bytes]:
        yield lines(item(0), item(1)) + b'{"index": 2, "ta'
        raise ClientDisconnect

    response = await engine.client.post(f"/api/v3/batches/{batch}/items", content=broken(), headers=ND_JSON)

    assert response.status_code == 499
    assert len((await found(engine, batch))["runs"]) == 2
    answer = await stream(engine, batch, item(0), item(1), item(2))
    assert (answer["itemsAccepted"], answer["itemsDeduplicated"], answer["sealed"]) == (1, 2, True)


@pytest.mark.parametrize(
    ("options", "payload", "error", "code"),
    [
        ({"tags": ["x" * 129]}, 1, "A tag has 1 to 128 characters.", "INVALID_ITEM"),
        ({"maxAttempts": "five"}, 1, "Expected `int | null`, got `str` - at `$.maxAttempts`", "INVALID_ITEM"),
        ({}, "x" * 3_145_728, "The payload has 3145730 bytes; at most 3145728 are taken.", "PAYLOAD_TOO_LARGE"),
        ({}, "x" * 4_000_000, "An item has at most 3670016 bytes; this one has more.", "PAYLOAD_TOO_LARGE"),
    ],
    ids=["tag", "type", "payload", "line"],
)
async def test_an_item_that_can_become_no_run_becomes_an_error(
    engine: Engine, options: Any, payload: Any, error: str, code: str
) -> None:
    version = await engine.register()
    batch = await create(engine, 2)
    bad = {"index": 1, "task": "greet", "options": options, "payload": payload}

    answer = await stream(engine, batch, item(0), bad)

    assert answer == {"id": batch, "itemsAccepted": 2, "itemsDeduplicated": 0, "sealed": True}
    whole = await found(engine, batch)
    (told,) = whole["processing"]["errors"]
    assert (told["index"], told["taskIdentifier"], told["errorCode"]) == (1, "greet", code)
    assert error in told["error"]
    assert (whole["status"], len(whole["runs"])) == ("PARTIAL_FAILED", 1)
    await engine.perform(version)
    assert (await found(engine, batch))["status"] == "COMPLETED"


async def test_a_batch_of_which_nothing_became_a_run_is_aborted(engine: Engine) -> None:
    batch = await create(engine, 1)

    answer = await stream(engine, batch, item(0, delay="soon"))

    assert answer["sealed"]
    assert (await found(engine, batch))["status"] == "ABORTED"
    assert (await batch_events(engine, batch))[-2:] == ["BatchSealed", "BatchAborted"]


@pytest.mark.parametrize(
    ("text", "status", "sentence"),
    [
        (b"{", 400, "Line 2: Invalid JSON"),
        (b"[]", 400, "Line 2: The body is not of the right shape"),
        (b'{"index": -1, "task": "greet"}', 400, "Line 2: The body is not of the right shape"),
        (b'{"index": 3, "task": "greet"}', 422, "The items of batch {batch} have the indexes 0 to 2, not 3."),
        (b'{"task": "greet", "index": 1, "payload": "%s"}' % (b"x" * 4_000_000), 413, "Line 2: An item has at most"),
    ],
    ids=["json", "shape", "negative", "beyond", "nameless"],
)
async def test_a_line_that_is_no_item_ends_the_stream(engine: Engine, text: bytes, status: int, sentence: str) -> None:
    batch = await create(engine, 3)
    content = lines(item(0)) + text + b"\n" + lines(item(1))

    response = await engine.client.post(f"/api/v3/batches/{batch}/items", content=content, headers=ND_JSON)

    assert response.status_code == status
    assert sentence_of(response).startswith(sentence.format(batch=batch))
    assert len((await found(engine, batch))["runs"]) == 1, "what came before it is kept"


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", ""])
async def test_items_of_another_media_type_are_refused(engine: Engine, media_type: str) -> None:
    batch = await create(engine, 1)
    path = f"/api/v3/batches/{batch}/items"

    sentence = await engine.refused("POST", path, 415, content=lines(item(0)), headers={"content-type": media_type})

    assert sentence.startswith("The items of a batch are sent as application/x-ndjson, not as ")


async def test_a_batch_whose_items_never_come_expires(engine: Engine) -> None:
    batch = await create(engine, 2)

    await pass_time(engine, DAY_MS)

    assert (await found(engine, batch))["status"] == "ABORTED"
    assert await batch_events(engine, batch) == ["BatchCreated", "BatchExpired", "BatchAborted"]
    sentence = await engine.refused(
        "POST", f"/api/v3/batches/{batch}/items", 422, content=lines(item(0)), headers=ND_JSON
    )
    assert sentence == (
        f"Batch {batch} has expired: 0 of its 2 items came in time. Create another batch for the others."
    )


async def test_a_batch_that_expires_with_some_runs_completes_when_they_end(engine: Engine) -> None:
    batch = await create(engine, 2)
    await stream(engine, batch, item(0, delay="30d"))
    (run,) = (await found(engine, batch))["runs"]

    await pass_time(engine, DAY_MS)

    assert (await found(engine, batch))["status"] == "PARTIAL_FAILED"
    await engine.refused("POST", f"/api/v3/batches/{batch}/items", 422, content=lines(item(1)), headers=ND_JSON)
    await engine.post(f"/api/v2/runs/{run}/cancel")
    assert (await found(engine, batch))["status"] == "COMPLETED"


async def test_an_engine_that_starts_again_knows_items_and_expiry() -> None:
    ledger, read_models = SqliteLedger(MEMORY, name="again"), SqliteReadModels(MEMORY, name="again-views")
    keeper, views = SqliteLedger(MEMORY, name="again"), SqliteReadModels(MEMORY, name="again-views")
    clock = ManualClock()
    async with running_engine(ledger, read_models, clock) as engine:
        half = await create(engine, 2)
        await stream(engine, half, item(0, delay="30d"))
        empty = await create(engine, 1)

    async with running_engine(keeper, views, clock) as engine:
        answer = await stream(engine, half, item(0), item(1))
        await pass_time(engine, DAY_MS)

        assert (answer["itemsAccepted"], answer["itemsDeduplicated"], answer["sealed"]) == (1, 1, True)
        assert (await found(engine, half))["status"] == "PROCESSING"
        assert (await found(engine, empty))["status"] == "ABORTED"


async def test_an_idempotency_key_stands_for_one_batch(engine: Engine) -> None:
    key: dict[str, Any] = {"idempotencyKey": "a" * 64, "idempotencyKeyOptions": {"key": "nightly"}}
    batch = await create(engine, 2, **key)

    again = await engine.client.post("/api/v3/batches", json={"runCount": 2} | key)
    other = await environment(engine, "stg")
    elsewhere = await create(other, 2, **key)

    assert again.json() == {"id": batch, "runCount": 2, "isCached": True, "idempotencyKey": "nightly"}
    assert (await found(engine, batch))["idempotencyKey"] == "nightly"
    assert elsewhere != batch


async def test_a_key_that_is_over_or_of_a_batch_that_came_to_nothing_makes_a_new_one(engine: Engine) -> None:
    short = await create(engine, 1, idempotencyKey="short", idempotencyKeyTTL="1h")
    await pass_time(engine, 3_600_000)
    assert await create(engine, 1, idempotencyKey="short") != short

    nothing = await create(engine, 1, idempotencyKey="nothing")
    await stream(engine, nothing, item(0, delay="soon"))
    assert await create(engine, 1, idempotencyKey="nothing") != nothing


async def test_the_same_request_again_creates_no_second_batch(engine: Engine) -> None:
    request = {"x-trigger-request-idempotency-key": "request-1"}
    answers = [
        (await engine.client.post("/api/v3/batches", json={"runCount": 1}, headers=request)).json() for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert answers[1]["isCached"] is False


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"runCount": 0}, 422, "A batch has 1 to 1000 items; this one has 0."),
        ({"runCount": 1_001}, 422, "A batch has 1 to 1000 items; this one has 1001."),
        ({"runCount": 1, "idempotencyKey": ""}, 422, "An idempotency key has 1 to 2048 characters; this one has 0."),
        ({"runCount": 1, "parentRunId": "run_none"}, 404, "Run run_none not found."),
        (
            {"runCount": 1, "parentRunId": "run_none", "resumeParentOnCompletion": True},
            422,
            (
                "The option resumeParentOnCompletion is not supported: that a run waits is for its own worker to say"
                " (task.trigger_and_wait in Python). Leave it out, and ask for the new run until it has ended."
            ),
        ),
    ],
)
async def test_a_batch_that_cannot_be_is_refused(engine: Engine, body: Any, status: int, sentence: str) -> None:
    assert await engine.refused("POST", "/api/v3/batches", status, json=body) == sentence


async def test_the_runs_of_a_batch_with_a_parent_are_its_children(engine: Engine) -> None:
    parent = await engine.trigger(delay="1h")
    batch = await create(engine, 1, parentRunId=parent)
    await stream(engine, batch, item(0))
    (child,) = (await found(engine, batch))["runs"]

    await engine.post(f"/api/v2/runs/{parent}/cancel")

    assert (await engine.retrieve(child))["status"] == "CANCELED"
    assert (await found(engine, batch))["status"] == "COMPLETED"


async def test_a_batch_waits_for_a_run_that_a_key_stood_for(engine: Engine) -> None:
    known = await engine.trigger(idempotencyKey="k", delay="1h")
    batch = await create(engine, 1)
    await stream(engine, batch, item(0, idempotencyKey="k"))
    assert (await found(engine, batch))["status"] == "PROCESSING"

    await engine.post(f"/api/v2/runs/{known}/cancel")

    assert (await found(engine, batch))["runs"] == [known]
    assert (await found(engine, batch))["status"] == "COMPLETED"


async def test_the_results_stand_in_the_order_of_the_items(engine: Engine) -> None:
    version = await engine.register()
    batch = await create(engine, 3)
    await stream(engine, batch, item(2), item(0, priority=9), item(1, delay="1h"))
    runs = (await found(engine, batch))["runs"]
    await engine.perform(version, output="first")
    await engine.perform(version, "failed", error={"message": "It failed."}, retryable=False)

    answer = await engine.get(f"/api/v1/batches/{batch}/results")

    assert answer["id"] == batch
    assert [(each["id"], each["ok"]) for each in answer["items"]] == [(runs[0], True), (runs[2], False)]
    assert answer["items"][0] == await engine.get(f"/api/v1/runs/{runs[0]}/result")


async def test_nobody_sees_the_batch_of_another_environment(engine: Engine) -> None:
    batch = await create(engine, 1)
    other = await environment(engine, "stg")
    for path in (f"/api/v2/batches/{batch}", f"/api/v1/batches/{batch}", f"/api/v1/batches/{batch}/results"):
        assert await other.refused("GET", path, 404) == f"Batch {batch} not found."

    path = f"/api/v3/batches/{batch}/items"
    sentence = await other.refused("POST", path, 404, content=lines(item(0)), headers=ND_JSON)
    assert sentence == f"Batch {batch} not found."


async def test_a_batch_of_one_request_is_told_of_as_well(engine: Engine) -> None:
    version = await engine.register()
    answer = await engine.post("/api/v1/tasks/greet/batch", {"items": 2 * [{}]})
    batch = answer["batchId"]
    assert (await found(engine, batch))["status"] == "PROCESSING"
    for _ in range(2):
        await engine.perform(version)

    whole = await engine.get(f"/api/v1/batches/{batch}")

    assert "processing" not in whole
    assert (whole["status"], whole["runCount"]) == ("COMPLETED", 2)
    assert whole["runs"] == [each["id"] for each in answer["runs"]]
    assert await batch_events(engine, batch) == ["BatchTriggered", "BatchCompleted"]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_runs_of_several_tasks_are_made_by_one_request(engine: Engine, version: str) -> None:
    items: Sequence[Any] = [{"task": "greet", "payload": 1}, {"task": "other", "options": {"tags": ["x"]}}]

    response = await engine.client.post(f"/api/{version}/tasks/batch", json={"items": items})

    answer = response.json()
    whole = await found(engine, answer["id"])
    runs = [
        {"id": run, "taskIdentifier": task, "isCached": False}
        for run, task in zip(whole["runs"], ("greet", "other"), strict=True)
    ]
    told: dict[str, tuple[int, dict[str, Any]]] = {
        "v1": (200, {"isCached": False, "runs": runs}),
        "v2": (202, {"runCount": 2}),
    }
    status, more = told[version]
    assert (response.status_code, answer) == (status, {"id": answer["id"], **more})


async def test_one_bad_item_of_one_request_refuses_all(engine: Engine) -> None:
    items = [{"task": "greet"}, {"task": "greet", "options": {"delay": "soon"}}]

    sentence = await engine.refused("POST", "/api/v1/tasks/batch", 422, json={"items": items})

    assert sentence == 'Item 1: "soon" is neither a duration like "1h30m" nor an ISO 8601 date.'
