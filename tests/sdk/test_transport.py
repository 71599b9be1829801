"""How calls are made, repeated and refused."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import runfold
from runfold import batches, errors, events, queues, runs, schedules, tokens, transport
from runfold.bulk import AsyncBulkHandle, BulkHandle
from runfold.config import Settings
from runfold.transport import Transport
from runfold.worker import deploying
from tests.sdk.conftest import FakeApi

IDEMPOTENCY = "x-trigger-request-idempotency-key"
NO_ENGINE = "http://engine.test answered {status}, but not as an engine does: is RUNFOLD_API_URL right?"
MADE = httpx.Response(200, json={"id": "run_1", "isCached": False})


def refusal(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": "No."}, headers=headers)


@pytest.mark.parametrize(
    "failure",
    [refusal(408), refusal(429), refusal(500), refusal(503), httpx.ConnectError("refused"), httpx.ReadError("")],
)
def test_a_passing_failure_is_tried_again_with_the_same_idempotency_key(
    api: FakeApi, failure: httpx.Response | httpx.TransportError
) -> None:
    api.replies = [failure, failure, failure, failure, MADE]

    handle = runfold.tasks.trigger("send", 1)

    assert handle.id == "run_1"
    assert api.slept == [0.25, 0.5, 1.0, 2.0]
    assert len({request.headers[IDEMPOTENCY] for request in api.requests}) == 1
    assert {request.content for request in api.requests} == {b'{"payload":1}'}


def test_each_call_has_an_idempotency_key_of_its_own(api: FakeApi) -> None:
    api.replies = [MADE]

    runfold.tasks.trigger("send", 1)
    runfold.tasks.trigger("send", 1)

    assert len({request.headers[IDEMPOTENCY] for request in api.requests}) == 2


def test_the_engine_says_how_long_to_wait_within_reason(api: FakeApi) -> None:
    api.replies = [
        refusal(503, **{"retry-after": "7"}),
        refusal(429, **{"retry-after": "0"}),
        refusal(503, **{"retry-after": "86400"}),
        MADE,
    ]

    runfold.tasks.trigger("send", 1)

    assert api.slept == [7.0, 0.0, 60.0]


def test_five_failures_are_enough(api: FakeApi) -> None:
    api.replies = [refusal(503)]

    with pytest.raises(errors.ServerError) as caught:
        runfold.tasks.trigger("send", 1)

    assert (caught.value.status, caught.value.error, caught.value.body) == (503, "No.", {"error": "No."})
    assert len(api.requests) == 5


def test_an_engine_that_does_not_answer_is_named(api: FakeApi) -> None:
    api.replies = [httpx.ConnectError("refused")]

    with pytest.raises(errors.ApiConnectionError, match=r"The engine at http://engine\.test did not answer: refused"):
        runfold.tasks.trigger("send", 1)

    assert len(api.requests) == 5


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.ApiError),
        (404, errors.NotFoundError),
        (409, errors.ApiError),
        (422, errors.UnprocessableError),
    ],
)
def test_a_refusal_is_raised_at_once(api: FakeApi, status: int, kind: type[errors.ApiError]) -> None:
    api.replies = [refusal(status)]

    with pytest.raises(errors.ApiError) as caught:
        runfold.tasks.trigger("send", 1)

    assert type(caught.value) is kind
    assert str(caught.value) == f"{status}: No."
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"error": {"message": "Too many tags."}}', "Too many tags."),
        (b'{"error": "queue-not-found", "detail": "There is no queue."}', "There is no queue."),
        (b"<html>Not found</html>", NO_ENGINE.format(status=400)),
        (b"", NO_ENGINE.format(status=400)),
        (b'{"detail": "x"}', NO_ENGINE.format(status=400)),
    ],
)
def test_a_refusal_says_what_the_answer_says(api: FakeApi, content: bytes, sentence: str) -> None:
    api.replies = [httpx.Response(400, content=content)]

    with pytest.raises(errors.BadRequestError) as caught:
        runfold.tasks.trigger("send", 1)

    assert caught.value.error == sentence


@pytest.mark.parametrize("content", [b"ok", b"<!DOCTYPE html>"])
def test_another_server_at_the_address_is_told_as_such(api: FakeApi, content: bytes) -> None:
    api.replies = [httpx.Response(200, content=content)]

    with pytest.raises(errors.ConfigurationError) as caught:
        runfold.tasks.trigger("send", 1)

    assert str(caught.value) == NO_ENGINE.format(status=200)
    assert len(api.requests) == 1


AGO = datetime(2026, 1, 1, tzinfo=UTC)
CALLS: dict[str, Callable[[], Any]] = {
    "trigger": lambda: runfold.tasks.trigger("send", 1),
    "batch trigger": lambda: runfold.tasks.batch_trigger("send", [1]),
    "retrieve": lambda: runs.retrieve("run_1"),
    "result": lambda: runs.result("run_1"),
    "events of a run": lambda: runs.events("run_1"),
    "journal": lambda: runs.journal("run_1"),
    "logs": lambda: runs.logs("run_1"),
    "replay": lambda: runs.replay("run_1"),
    "reschedule": lambda: runs.reschedule("run_1", delay="1h"),
    "explain": lambda: runs.explain("run_1"),
    "metadata": lambda: runs.update_metadata("run_1", set={"a": 1}),
    "list": lambda: runs.list().page(),
    "bulk": lambda: runs.bulk_cancel(ids=["run_1"]),
    "how far a bulk action is": BulkHandle(AsyncBulkHandle("bulk_1")).retrieve,
    "batches.trigger": lambda: batches.trigger([("send", 1)]),
    "batches.retrieve": lambda: batches.retrieve("batch_1"),
    "batches.results": lambda: batches.results("batch_1"),
    "batches.list": batches.list,
    "events.send": lambda: events.send("a"),
    "events.retrieve": lambda: events.retrieve("event_1"),
    "queues.list": queues.list,
    "queues.pause": lambda: queues.pause("a"),
    "schedules.create": lambda: schedules.create("send", every="1h"),
    "schedules.list": schedules.list,
    "schedules.run": lambda: schedules.run("sched_1"),
    "schedules.ticks": lambda: schedules.ticks("sched_1", AGO, AGO),
    "schedules.backfill": lambda: schedules.backfill("sched_1", AGO, AGO),
    "tokens.create_token": tokens.create_token,
    "tokens.retrieve_token": lambda: tokens.retrieve_token("waitpoint_1"),
    "tokens.list_tokens": lambda: tokens.list_tokens().page(),
    "deploy": lambda: asyncio.run(deploying.register([], promote=True)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"ok": true}', "Object missing required field `"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"id": "run_1', "Input data was truncated"),
    ],
)
def test_another_server_that_speaks_json_is_told_as_such(
    api: FakeApi, call: Callable[[], Any], content: bytes, why: str
) -> None:
    api.replies = [httpx.Response(200, content=content)]

    with pytest.raises(errors.ConfigurationError) as caught:
        call()

    assert str(caught.value).startswith(f"{NO_ENGINE.format(status=200)} What it answered cannot be read: {why}")
    assert len(api.requests) == 1


def test_another_server_that_answers_no_text_is_told_as_such(api: FakeApi) -> None:
    api.replies = [httpx.Response(200, content=b'{"id": "\xff"}')]

    with pytest.raises(errors.ConfigurationError, match="What it answered cannot be read: 'utf-8' codec"):
        runfold.tasks.trigger("send", 1)


def test_the_key_travels_and_no_version_of_the_api(api: FakeApi) -> None:
    api.replies = [MADE]

    runfold.tasks.trigger("send", 1)

    assert api.last.headers["authorization"] == "Bearer secret"
    assert "x-trigger-api-version" not in api.last.headers


def test_connections_are_closed_with_their_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[httpx.AsyncClient] = []

    def connect() -> httpx.AsyncClient:
        clients.append(httpx.AsyncClient(transport=httpx.MockTransport(lambda _: MADE)))
        return clients[-1]

    fake = Transport(connect=connect, settings=lambda: Settings("http://engine.test", "secret"))
    monkeypatch.setattr(transport, "default", fake)

    async def trigger_twice() -> Any:
        await runfold.aio.tasks.trigger("send", 1)
        await runfold.aio.tasks.trigger("send", 1)

    asyncio.run(trigger_twice())
    asyncio.run(trigger_twice())

    assert [client.is_closed for client in clients] == [True, True]
