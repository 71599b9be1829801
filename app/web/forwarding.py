"""What only the writer can do is sent on to it, and its answer is sent back."""

import asyncio
import re
from collections.abc import Iterable

import httpx
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.trust import world
from app.nodes.node import Node
from app.nodes.standby import TOO_EARLY
from app.pages.rendering import html
from app.web.caller import FORWARDED, read_body, sha256_sent
from app.web.errors import RETRY_AFTER_SECONDS, answer
from app.web.worker import TURN_MAX_BYTES
from domain.errors import TooLarge

log = structlog.get_logger(__name__)

PAGES = "/|/(sign-in|search|runs|live|charts|queues|schedules|jobs|batches|tokens|bulk|deployments|workers|keys)(/.*)?"
"""The pages show much that only the writer knows, and sessions that only one node can open where none has a key."""
READS = frozenset({"GET", "HEAD", "OPTIONS"})
ASKS_WRITER = re.compile(
    r"/api/v1/(events|queues|workers|concurrency|retention|sinks|packets)(/.*)?|/api/v1/runs/[^/]+/(explain|packets/.*)|/worker/v1/runs/[^/]+/journal"
    r"|/packets/v1/.*|/realtime/v1/.*|/api/v1/runs/stream|/api/v1/runs/[^/]+/stream|/api/v1/ledger/(stream|verified)"
    rf"|{PAGES}"
)
"""What only the writer can tell, too."""
IS_FORWARDED = FORWARDED.encode()
"""What a node sent on goes no further, or two nodes could send it to and fro."""
# Headers that speak of one connection, not of the request or the answer.
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"proxy-connection", b"host"}
)
DROPPED = frozenset({b"content-encoding", b"content-length", b"date", b"server"})
"""What is said of an answer anew here."""
EVENT_STREAM = "text/event-stream"
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 60.0
"""Longer than any long poll. A writer that is silent for less than that is given up when another node takes over."""
CONNECTIONS_MAX = 1_000

Headers = Iterable[tuple[bytes, bytes]]


def new_client() -> httpx.AsyncClient:
    """What requests are sent on with."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
        trust_env=False,
        verify=world(),
    )


def _unavailable(scope: Scope, sentence: str) -> Response:
    """What is answered instead of the writer: a page to whoever asked for one."""
    if re.fullmatch(PAGES, scope["path"]) is None:
        return answer(503, sentence)
    page = html("refused.html", {"path": scope["path"], "sentence": sentence, "status": 503}, 503)
    page.headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return page


def _is_for_anyone(scope: Scope) -> bool:
    """Whether every node can answer it by itself."""
    return scope["method"] in READS and ASKS_WRITER.fullmatch(scope["path"]) is None


class Forwarding:
    """The web application of a node, but for what another node has to answer."""

    def __init__(self, application: ASGIApp, node: Node, client: httpx.AsyncClient) -> None:
        self._application = application
        self._node = node
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or self._node.service or _is_for_anyone(scope):
            await self._application(scope, receive, send)
            return
        writer = self._node.writer
        obstacle = self._node.standby.obstacle
        if obstacle or writer is None or any(name == IS_FORWARDED for name, _ in scope["headers"]):
            sentence = obstacle or "No node writes at present: ask again in a moment."
            await _unavailable(scope, sentence)(scope, receive, send)
            return
        try:
            body = await read_body(Request(scope, receive), TURN_MAX_BYTES)
        except TooLarge as error:
            await answer(413, str(error))(scope, receive, send)
            return
        except ClientDisconnect:
            return  # nobody is there to be answered
        await self._forward(writer, body, scope, receive, send)

    async def _forward(self, writer: str, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        query = f"?{scope['query_string'].decode('ascii')}" if scope["query_string"] else ""
        request = self._client.build_request(
            scope["method"],
            f"{writer}{scope['raw_path'].decode('ascii')}{query}",
            headers=[*_kept(scope["headers"]), (IS_FORWARDED, str(Request(scope).base_url).encode())],
            content=body,
        )
        asking = asyncio.create_task(self._ask(request))
        # A client that hangs up no longer waits, and a writer that was replaced no longer answers.
        others = [asyncio.create_task(each) for each in (_hung_up(receive), self._node.moved(writer))]
        try:
            await asyncio.wait([asking, *others], return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                sentence = "The node that wrote was replaced: ask again."
                await _unavailable(scope, sentence)(scope, receive, send)
                return
            if asking.result().headers.get("content-type", "").startswith(EVENT_STREAM):
                await self._relay_stream(asking.result(), others, send)
            elif asking.result().status_code == 401 and await self._is_too_early(scope):
                await answer(503, TOO_EARLY)(scope, receive, send)
            else:
                await _relay(asking.result(), send)
        except httpx.HTTPError as error:
            log.warning("the writer does not answer", writer=writer, error=str(error) or type(error).__name__)
            sentence = "The node that writes does not answer: ask again in a moment."
            await _unavailable(scope, sentence)(scope, receive, send)
        finally:
            for task in (asking, *others):
                task.cancel()
            await asyncio.gather(asking, *others, return_exceptions=True)

    async def _is_too_early(self, scope: Scope) -> bool:
        """Whether the writer refused the key only because it does not know that of this node's settings yet."""
        sha256 = sha256_sent(Request(scope))
        return sha256 is not None and await self._node.standby.is_too_early(sha256)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        """The answer, whole, unless it is a stream of events."""
        try:
            response = await self._client.send(request, stream=True)
        except AttributeError as error:
            # With this anyio says that a connection was lost as soon as it was made.
            raise httpx.ConnectError("The connection was lost as soon as it was made.") from error
        if not response.headers.get("content-type", "").startswith(EVENT_STREAM):
            await response.aread()
        return response

    async def _relay_stream(self, response: httpx.Response, others: Iterable["asyncio.Task[None]"], send: Send) -> None:
        """Send events on as they come, until either side has gone: whoever listens comes back with the last id."""
        sending = asyncio.create_task(_send_chunks(response, send))
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await response.aclose()
        await send({"type": "http.response.body", "body": b""})


async def _send_chunks(response: httpx.Response, send: Send) -> None:
    headers = [(name, value) for name, value in _kept(response.headers.raw) if name.lower() not in DROPPED]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    async for chunk in response.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _relay(response: httpx.Response, send: Send) -> None:
    # The body comes decoded, so what was said of its encoding and length no longer holds; the rest is said here too.
    headers = [(name, value) for name, value in _kept(response.headers.raw) if name.lower() not in DROPPED]
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _kept(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]
