"""Batches of different tasks, whose items are sent in a stream, and what becomes of them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from runfold import Batch, BatchHandle, InvalidPayloadError, RefusedItem, RunHandle, aio, batches, task
from runfold.run import RunError, RunResult
from tests.sdk.conftest import FakeApi


@dataclass
class Letter:
    to: str


@task(id="send-letter")
async def send(letter: Letter) -> Letter:
    return letter


@task
def sweep() -> None: ...


MOMENT = "2030-01-01T00:00:00Z"
CREATED = {"id": "batch/1", "runCount": 3, "isCached": False}
SEALED = {"id": "batch/1", "itemsAccepted": 3, "itemsDeduplicated": 0, "sealed": True}
ERROR = {"index": 1, "taskIdentifier": "resize", "error": "Too many tags.", "errorCode": "INVALID_ITEM"}
BATCH = {
    "id": "batch/1",
    "status": "PARTIAL_FAILED",
    "createdAt": MOMENT,
    "updatedAt": MOMENT,
    "runCount": 3,
    "runs": ["run_1", "run_2"],
    "processing": {"errors": [ERROR]},
}
ITEMS: list[Any] = [(send, Letter("ada")), ("resize", None, {"delay": "1h", "tags": ["a"] * 11}), (sweep,)]


def test_items_are_sent_as_lines_and_the_handle_has_the_runs_that_were_made(api: FakeApi) -> None:
    api.answer(CREATED, SEALED, BATCH)

    handle = batches.trigger(ITEMS, idempotency_key="k")

    created, streamed, asked = api.requests
    assert (created.url.path, json.loads(created.content)) == (
        "/api/v3/batches",
        {"runCount": 3, "idempotencyKey": "k"},
    )
    assert (streamed.method, streamed.url.raw_path) == ("POST", b"/api/v3/batches/batch%2F1/items")
    assert streamed.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in streamed.content.splitlines()] == [
        {"index": 0, "task": "send-letter", "payload": {"to": "ada"}},
        {"index": 1, "task": "resize", "payload": None, "options": {"delay": "3600s", "tags": ["a"] * 11}},
        {"index": 2, "task": "sweep"},
    ]
    assert asked.url.raw_path == b"/api/v2/batches/batch%2F1"
    assert handle == BatchHandle("batch/1", (RunHandle("run_1"), RunHandle("run_2")))
    assert [run.types for run in handle.runs] == [send.body.types, sweep.body.types]


@pytest.mark.parametrize("failure", [httpx.ReadError("broken"), httpx.Response(503, json={"error": "No."})])
def test_a_stream_that_breaks_is_sent_anew_from_its_beginning(api: FakeApi, failure: Any) -> None:
    bodies = [httpx.Response(200, json=body) for body in (CREATED, SEALED, BATCH)]
    api.replies = [bodies[0], failure, failure, *bodies[1:]]

    batches.trigger(ITEMS)

    streams = [request.content for request in api.requests if request.url.raw_path.endswith(b"/items")]
    assert len(streams) == 3
    assert {len(content.splitlines()) for content in streams} == {3}


def test_what_cannot_be_written_is_said_before_a_batch_is_made(api: FakeApi) -> None:
    with pytest.raises(InvalidPayloadError):
        batches.trigger([(send, Letter("ada")), ("resize", object())])

    assert api.requests == []


def test_too_many_items_are_refused(api: FakeApi) -> None:
    with pytest.raises(ValueError, match="A batch has at most 1000 runs, not 1001"):
        batches.trigger([(sweep,)] * 1001)

    assert api.requests == []


def test_a_key_that_stands_for_another_number_of_items_is_refused(api: FakeApi) -> None:
    api.answer({**CREATED, "isCached": True})

    with pytest.raises(ValueError, match="The key stands for batch batch/1 of 3 items already, not of 1"):
        batches.trigger([(sweep,)], idempotency_key="k")

    assert len(api.requests) == 1


async def test_a_batch_is_retrieved_by_id_or_by_handle(api: FakeApi) -> None:
    api.answer(BATCH)

    found = batches.retrieve("batch/1")

    assert found == await aio.batches.retrieve(BatchHandle("batch/1", ()))
    assert (found.id, found.runs, found.created_at) == ("batch/1", ("run_1", "run_2"), datetime(2030, 1, 1, tzinfo=UTC))
    assert found.refused == (RefusedItem(index=1, task="resize", error="Too many tags.", error_code="INVALID_ITEM"),)
    assert isinstance(found, Batch)


def test_results_have_the_types_that_the_handle_knows(api: FakeApi) -> None:
    done = {"ok": True, "id": "run_1", "output": '{"to":"ada"}', "outputType": "application/json"}
    failed = {"ok": False, "id": "run_2", "error": {"type": "STRING_ERROR", "raw": "No."}}
    api.answer({"id": "batch_1", "items": [done, failed]})
    handle = BatchHandle[Any, Any]("batch_1", (RunHandle("run_1", types=send.body.types),))

    typed, plain = batches.results(handle), batches.results("batch_1")

    failure: RunResult[Any] = RunResult(id="run_2", ok=False, error=RunError(message="No."))
    assert typed == (RunResult(id="run_1", ok=True, output=Letter("ada")), failure)
    assert plain == (RunResult(id="run_1", ok=True, output={"to": "ada"}), failure)
    assert api.last.url.path == "/api/v1/batches/batch_1/results"
