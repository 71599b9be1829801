"""What a standby sends on to the writer goes there, and its answer comes back, as if nobody had been in between."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx
import pytest
from starlette.responses import JSONResponse, Response, StreamingResponse

from app.web import forwarding
from app.web.application import create_application
from app.web.caller import FORWARDED, service_of
from tests.app.harness import sentence_of
from tests.app.nodes import TRIGGER, RunningNode, Writer, give_lease, running_node, serving
from tests.app.routes import questions_to

NOWHERE = "http://127.0.0.1:1"
LEASE_MS = 600_000


@pytest.fixture
async def writer(schema: str) -> AsyncIterator[Writer]:
    """It holds the lease, as far as the database knows."""
    writer, listening = Writer(), socket.create_server(("127.0.0.1", 0))
    writer.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    give_lease(schema, "writer", writer.address, ms=LEASE_MS)
    async with serving(writer, listening):
        yield writer
        writer.may_answer.set()


@pytest.fixture
async def standby(schema: str, writer: Writer) -> AsyncIterator[RunningNode]:
    async with running_node(schema, "standby") as node:
        await node.until_standby_of(writer.address)
        yield node


def unavailable(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
    return sentence_of(answer)


@pytest.mark.parametrize(
    "path",
    [
        TRIGGER,
        "/api/v1/tasks/a%2Fb%20c/trigger",
        "/api/v1/tasks/gr%C3%BC%C3%9Fe%3F/batch?x=1&y=%20%26%2B&x=2",
        "//worker//v1/turn?",
    ],
)
async def test_a_request_arrives_as_it_was_sent(standby: RunningNode, writer: Writer, path: str) -> None:
    headers = {"x-trigger-request-idempotency-key": "k", "traceparent": "00-ab-cd-01", "content-type": "text/x"}
    body = bytes(range(256))
    target, _, query = httpx.URL(f"{standby.address}{path}").raw_path.partition(b"?")

    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await standby.client.request(method, f"{standby.address}{path}", content=body, headers=headers)

        scope, arrived = writer.asked.pop()
        assert (answer.status_code, answer.json()) == (200, {"id": "run_1"})
        assert (scope["method"], scope["raw_path"], scope["query_string"]) == (method, target, query)
        assert arrived == body
        sent = {name.decode(): value.decode() for name, value in scope["headers"]}
        assert {name: sent[name] for name in headers} == headers
        assert sent["authorization"] == standby.client.headers["authorization"]
        assert (sent["host"], sent["content-length"]) == (writer.address.removeprefix("http://"), "256")


async def test_an_answer_comes_back_as_it_was_given(standby: RunningNode, writer: Writer) -> None:
    body = {"error": "What stood in the way.", "code": "unknown_version", "ü": [1, 2.5, None]}
    for status in (200, 400, 401, 404, 409, 413, 422, 500, 503):
        writer.answer = JSONResponse(body, status, {"x-run": "1", "retry-after": "7"})

        answer = await standby.client.post(TRIGGER, json={})

        assert (answer.status_code, answer.content) == (status, writer.answer.body)
        kept = ("x-run", "retry-after", "content-type", "content-length")
        assert [answer.headers[name] for name in kept] == ["1", "7", "application/json", str(len(answer.content))]
        assert [len(answer.headers.get_list(name)) for name in ("date", "server")] == [1, 1]


async def test_pages_are_those_of_the_writer_with_their_cookies(standby: RunningNode, writer: Writer) -> None:
    writer.answer = Response("<p>", 303, {"set-cookie": "a=1; HttpOnly", "location": "/sign-in"}, "text/html")
    for path in ("/", "/?status=FAILED", "/runs/run_1?event=2", "/live/runs", "/queues", "/sign-in?next=%2F", "/keys"):
        answer = await standby.client.get(path, headers={"cookie": "b=2"}, follow_redirects=False)

        scope, _ = writer.asked.pop()
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        sent = {name.decode(): value.decode() for name, value in scope["headers"]}
        assert target.decode() == path
        assert (sent["cookie"], sent[FORWARDED]) == ("b=2", f"{standby.address}/")
        assert (answer.status_code, answer.headers["set-cookie"]) == (303, "a=1; HttpOnly")
        assert answer.headers["location"] == "/sign-in"
    assert (await standby.client.get("/assets/runfold.css")).status_code == 200
    assert writer.asked == []


async def test_events_are_sent_on_as_they_come(standby: RunningNode, writer: Writer) -> None:
    told: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def events() -> AsyncIterator[bytes]:
        while (event := await told.get()) is not None:
            yield event

    writer.answer = StreamingResponse(events(), media_type="text/event-stream")
    path = "/api/v1/ledger/stream?after=7"

    async with standby.client.stream("GET", path, headers={"last-event-id": "7"}) as response:
        chunks = response.aiter_raw()
        seen: list[bytes] = []
        for event in (b"id: 8\n\n", b": heartbeat\n\n"):
            told.put_nowait(event)
            seen.append(await anext(chunks))
        told.put_nowait(None)
        rest = [chunk async for chunk in chunks]

    scope, _ = writer.asked.pop()
    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (seen, rest) == ([b"id: 8\n\n", b": heartbeat\n\n"], [])
    assert (scope["query_string"], dict(scope["headers"])[b"last-event-id"]) == (b"after=7", b"7")


async def test_a_stream_ends_with_the_writer(standby: RunningNode, writer: Writer) -> None:
    waiting = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        yield b"id: 8\n\n"
        await waiting.wait()

    writer.answer = StreamingResponse(events(), media_type="text/event-stream")
    async with standby.client.stream("GET", "/api/v1/ledger/stream") as response:
        chunks = response.aiter_raw()
        first = await anext(chunks)
        give_lease(standby.schema, "another", NOWHERE, ms=LEASE_MS)
        rest = [chunk async for chunk in chunks]
    waiting.set()

    assert (first, rest) == (b"id: 8\n\n", [])


async def test_large_bodies_pass_both_ways(standby: RunningNode, writer: Writer) -> None:
    large = bytes(range(256)) * 40_000
    writer.answer = Response(large[::-1], media_type="application/octet-stream")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1_000_000):
            yield large[start : start + 1_000_000]

    whole = await standby.client.post(TRIGGER, content=large)
    in_pieces = await standby.client.post(TRIGGER, content=pieces())

    assert [body == large for _, body in writer.asked] == [True, True]
    assert [answer.content == large[::-1] for answer in (whole, in_pieces)] == [True, True]


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_that_no_route_takes_is_refused_here(
    standby: RunningNode, writer: Writer, monkeypatch: pytest.MonkeyPatch, *, is_announced: bool
) -> None:
    monkeypatch.setattr(forwarding, "TURN_MAX_BYTES", 1_000)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield bytes(100)

    refused = await standby.client.post(TRIGGER, content=bytes(1_001) if is_announced else pieces())
    taken = await standby.client.post(TRIGGER, content=bytes(1_000))

    assert (refused.status_code, taken.status_code) == (413, 200)
    assert sentence_of(refused) == "Request body too large: at most 1000 bytes."
    assert len(writer.asked) == 1


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/events/user-1", "/api/v1/events/user/1"])
async def test_what_is_in_the_way_of_an_event_is_asked_of_the_writer_who_knows(
    standby: RunningNode, writer: Writer, path: str
) -> None:
    assert (await standby.client.get(path)).json() == {"id": "run_1"}

    assert [scope["path"] for scope, _ in writer.asked] == [path]


async def test_what_was_sent_on_once_is_not_sent_on_again(standby: RunningNode, writer: Writer) -> None:
    await standby.client.post(TRIGGER, json={})
    ((scope, _),) = writer.asked

    again = await standby.client.post(TRIGGER, json={}, headers=scope["headers"])

    assert unavailable(again) == "No node writes at present: ask again in a moment."
    assert len(writer.asked) == 1


async def test_questions_that_only_the_writer_can_answer_go_to_it(standby: RunningNode, writer: Writer) -> None:
    paths = questions_to(create_application(lambda: standby.node.reader), service_of)
    assert "/api/v1/runs/run_1/explain" in paths

    for path in paths:
        answer = await standby.client.get(path)

        assert (answer.status_code, answer.json()) == (200, {"id": "run_1"}), path
        scope, _ = writer.asked.pop()
        assert (scope["method"], scope["path"]) == ("GET", path)


async def test_questions_are_answered_here(standby: RunningNode, writer: Writer) -> None:
    answers = [await standby.client.get(path) for path in ("/livez", "/readyz", "/api/v3/runs/run_1", "/metrics")]

    assert [answer.status_code for answer in answers] == [200, 200, 401, 200]
    assert writer.asked == []


async def test_a_writer_that_is_not_there_is_no_reason_to_wait(schema: str, standby: RunningNode) -> None:
    give_lease(schema, "gone", NOWHERE, ms=LEASE_MS)
    await standby.until_standby_of(NOWHERE)

    answer = await standby.client.post(TRIGGER, json={})

    assert unavailable(answer) == "The node that writes does not answer: ask again in a moment."


async def test_browsers_get_a_page_while_no_node_writes(schema: str, standby: RunningNode) -> None:
    give_lease(schema, "gone", NOWHERE, ms=LEASE_MS)
    await standby.until_standby_of(NOWHERE)
    silent = await standby.client.get("/runs/run_1")
    form = await standby.client.post("/sign-in", data={"key": "k"})
    sent_on = await standby.client.get("/", headers={FORWARDED: NOWHERE})

    for answer, sentence in (
        (silent, "The node that writes does not answer: ask again in a moment."),
        (form, "The node that writes does not answer: ask again in a moment."),
        (sent_on, "No node writes at present: ask again in a moment."),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert f'<p role="alert">{sentence}</p>' in answer.text


async def test_a_writer_that_is_silent_is_waited_for_until_it_is_replaced(
    schema: str, standby: RunningNode, writer: Writer
) -> None:
    writer.may_answer.clear()
    asking = asyncio.create_task(standby.client.post(TRIGGER, json={}))
    await writer.hears.wait()

    give_lease(schema, "other", NOWHERE, ms=LEASE_MS)

    assert unavailable(await asking) == "The node that wrote was replaced: ask again."
    await writer.hung_up.wait()


async def test_a_client_that_hangs_up_is_not_waited_for_by_the_writer(standby: RunningNode, writer: Writer) -> None:
    writer.may_answer.clear()
    asking = asyncio.create_task(standby.client.post("/worker/v1/turn", json={}))
    await writer.hears.wait()

    asking.cancel()

    async with asyncio.timeout(5):
        await writer.hung_up.wait()


async def test_a_client_that_hangs_up_before_it_has_asked_is_no_error(standby: RunningNode, writer: Writer) -> None:
    async with forwarding.new_client() as http:
        application = forwarding.Forwarding(JSONResponse({}), standby.node, http)
        scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"100")]}
        said = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(said)

        async def send(_: Any) -> None:
            pytest.fail("nobody is there to be answered")

        await application(scope, receive, send)

    assert writer.asked == []


async def test_a_run_is_not_handed_to_a_worker_that_hung_up(schema: str) -> None:
    async with running_node(schema, "a") as writer, running_node(schema, "b") as standby:
        await standby.until_standby_of(writer.address)
        registered = await standby.client.post("/worker/v1/register", json={"tasks": [{"id": "greet"}]})

        def turn(session: str, wait_ms: int) -> dict[str, Any]:
            body = {"session": session, "sequence": 1, "received": 0, "want": 1, "waitMs": wait_ms}
            return body | {"version": registered.json()["version"]}

        waiting = asyncio.create_task(standby.client.post("/worker/v1/turn", json=turn("worker_gone", 20_000)))
        assert writer.node.service, "it writes"
        sessions = writer.node.service.loop.engine._turns._sessions  # pyright: ignore[reportPrivateUsage]
        await writer.until(lambda: "worker_gone" in sessions and sessions["worker_gone"].sequence == 1)
        waiting.cancel()
        await writer.until(lambda: sessions["worker_gone"].sequence == 0)
        run = await standby.trigger()

        answer = await standby.client.post("/worker/v1/turn", json=turn("worker_here", 0))

        assert [each["id"] for each in answer.json()["runs"]] == [run]


async def test_a_writer_that_is_gone_as_soon_as_it_was_reached_is_no_failure_of_ours(
    standby: RunningNode, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = httpcore.AsyncHTTPConnection.handle_async_request

    async def connected(self: httpcore.AsyncHTTPConnection, request: httpcore.Request) -> httpcore.Response:
        if writer.address.endswith(f":{request.url.port}"):
            # What anyio raises when it asks a socket that is closed by then for its peer.
            raise AttributeError("'NoneType' object has no attribute 'getpeername'")
        return await handle(self, request)

    monkeypatch.setattr(httpcore.AsyncHTTPConnection, "handle_async_request", connected)

    answer = await standby.client.post(TRIGGER, json={})

    assert unavailable(answer) == "The node that writes does not answer: ask again in a moment."
