"""Subscriptions to runs: what is told, over connections that break."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

import runfold
from runfold import ApiConnectionError, ConfigurationError, NotFoundError, Run, runs, transport
from runfold.following import Subscription
from tests.sdk.conftest import FakeApi
from tests.sdk.test_runs import handle, wire_run


def told(id_: int | None, **fields: object) -> str:
    named = "" if id_ is None else f"id: {id_}\n"
    return f"{named}event: run\ndata: {json.dumps(wire_run(**fields))}\n\n"


def stream(*parts: str) -> httpx.Response:
    return httpx.Response(200, text=": heartbeat\n\n" + "".join(parts), headers={"content-type": "text/event-stream"})


QUEUED, DONE = told(3, status="QUEUED", isCompleted=False), told(5, status="COMPLETED", isCompleted=True)


async def test_a_run_is_told_until_it_is_over(api: FakeApi) -> None:
    api.replies = [stream(QUEUED, DONE)]

    seen = [run.status async for run in runfold.aio.runs.subscribe_to_run("run_1")]

    assert seen == ["QUEUED", "COMPLETED"]
    assert dict(api.last.url.params) == {"run": "run_1"}


def test_code_that_does_not_await_is_told_the_same(api: FakeApi) -> None:
    api.replies = [stream(QUEUED, DONE)]

    assert [run.status for run in runs.subscribe_to_run("run_1")] == ["QUEUED", "COMPLETED"]


@pytest.mark.parametrize(
    "broken", [httpx.ReadError(""), httpx.Response(503, json={"error": "No."}), stream()], ids=["cut", "503", "ended"]
)
async def test_after_a_connection_that_broke_it_goes_on_behind_the_last_event(
    api: FakeApi, broken: httpx.Response | httpx.TransportError
) -> None:
    api.replies = [stream(QUEUED), broken, stream(DONE)]

    seen = [run.status async for run in runfold.aio.runs.subscribe_to_run("run_1")]

    assert seen == ["QUEUED", "COMPLETED"]
    assert [request.headers.get("last-event-id") for request in api.requests] == [None, "3", "3"]
    assert api.slept == [0.25, 0.25]


async def test_it_ends_when_all_was_told(api: FakeApi) -> None:
    api.replies = [stream(QUEUED), httpx.Response(204)]

    assert [run.status async for run in runfold.aio.runs.subscribe_to_run("run_1")] == ["QUEUED"]


async def test_an_engine_that_stays_away_is_given_up(api: FakeApi) -> None:
    api.replies = [stream(QUEUED), httpx.ConnectError("refused")]

    with pytest.raises(ApiConnectionError, match="did not answer: refused"):
        _ = [run async for run in runfold.aio.runs.subscribe_to_run("run_1")]

    assert len(api.requests) == 1 + transport.ATTEMPTS_MAX


async def test_what_is_refused_is_raised(api: FakeApi) -> None:
    api.replies = [httpx.Response(404, json={"error": "Run run_1 not found."})]

    with pytest.raises(NotFoundError, match=r"Run run_1 not found\."):
        _ = [run async for run in runfold.aio.runs.subscribe_to_run("run_1")]


NO_ENGINE = "http://engine.test answered 200, but not as an engine does: is RUNFOLD_API_URL right?"
UNREADABLE = f"{NO_ENGINE} What it answered cannot be read: "
SUBSCRIPTIONS: dict[str, Callable[[], Subscription[Any, Any]]] = {
    "run": lambda: runs.subscribe_to_run("run_1"),
    "tags": lambda: runs.subscribe_to_runs_with_tag("a"),
    "batch": lambda: runs.subscribe_to_batch("batch_1"),
}


@pytest.mark.parametrize("subscribe", SUBSCRIPTIONS.values(), ids=SUBSCRIPTIONS)
@pytest.mark.parametrize(
    ("content", "content_type", "sentence"),
    [
        ("<!doctype html>\n\n<p>Welcome</p>\n", "text/html; charset=utf-8", NO_ENGINE),
        ("", "text/html", NO_ENGINE),
        ('{"ok": true}', "application/json", NO_ENGINE),
        ('data: {"ok": true}\n\n', "text/event-stream", f"{UNREADABLE}Object missing required field `id`"),
        ("data: tick\n\n", "text/event-stream; charset=utf-8", f"{UNREADABLE}JSON is malformed"),
    ],
    ids=["HTML", "nothing", "JSON", "other events", "no JSON"],
)
def test_another_server_at_the_address_is_told_as_such(
    api: FakeApi, subscribe: Callable[[], Subscription[Any, Any]], content: str, content_type: str, sentence: str
) -> None:
    api.replies = [httpx.Response(200, text=content, headers={"content-type": content_type}), httpx.Response(204)]

    with pytest.raises(ConfigurationError) as caught:
        _ = [*subscribe()]

    assert str(caught.value).startswith(sentence)
    assert len(api.requests) == 1


async def test_a_handle_knows_the_type_of_the_output(api: FakeApi) -> None:
    followed = await handle(api)
    api.replies = [stream(told(5, status="COMPLETED", isCompleted=True, output="PT60S"))]

    (run,) = [run async for run in runfold.aio.runs.subscribe_to_run(followed)]

    assert run.output == timedelta(minutes=1)


@pytest.mark.parametrize("by", ["tags", "batch"])
async def test_runs_are_told_until_nobody_listens_any_more(api: FakeApi, by: str) -> None:
    api.replies = [stream(QUEUED, DONE, told(None, status="QUEUED"))]
    subscription = {
        "tags": lambda: runfold.aio.runs.subscribe_to_runs_with_tag("a", "b"),
        "batch": lambda: runfold.aio.runs.subscribe_to_batch("batch_1"),
    }[by]()

    seen: list[Run] = []
    async for run in subscription:
        seen.append(run)
        if len(seen) == 3:
            break

    assert [run.status for run in seen] == ["QUEUED", "COMPLETED", "QUEUED"]
    assert dict(api.last.url.params) == {by: {"tags": "a,b", "batch": "batch_1"}[by]}
