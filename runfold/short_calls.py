"""Short calls, past the layers of httpx's own way: a request that is at hand, and an answer that is read whole."""

import asyncio
import re
import socket
from collections import defaultdict, deque
from collections.abc import Callable
from ssl import SSLContext, SSLError
from typing import cast

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

WHOLE = "runfold.whole"
"""The extension of a request that says whether its answer is read whole."""
REQUEST_MAX_BYTES = 262_144
"""Larger ones are sent as there is room for them."""
NO_TEXT_OF_HEADERS = re.compile(rb"[\r\n\0]")
SIZED = frozenset({b"content-length", b"transfer-encoding"})
"""Without one of these headers a body ends with its connection."""


class ShortCalls(httpx.AsyncBaseTransport):
    """Sends what is short in one piece, and leaves all else to `others`. Belongs to one event loop.

    A connection is used again for so many seconds. Raises httpx's TransportError.
    """

    def __init__(self, others: httpx.AsyncBaseTransport, tls: Callable[[], SSLContext], idle_seconds: float) -> None:
        self._others = others
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._idle: defaultdict[tuple[str, str, int | None], deque[_Line]] = defaultdict(deque)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer."""
        message = _message_of(request) if request.extensions.get(WHOLE) else None
        if message is None:
            return await self._others.handle_async_request(request)
        patience: dict[str, float | None] = request.extensions["timeout"]
        idle = self._idle[request.url.scheme, request.url.host, request.url.port]
        line = self._fresh(idle) or await self._dial(request.url, patience["connect"])
        answer = await line.ask(message, patience["read"])
        idle.append(line)
        while idle and idle[0].silent_seconds > self._idle_seconds:
            idle.popleft().hang_up()
        return answer

    async def aclose(self) -> None:
        """Hang up."""
        lines = [line for idle in self._idle.values() for line in idle]
        self._idle.clear()
        for line in lines:
            line.hang_up()
        for line in lines:
            await line.gone.wait()
        await self._others.aclose()

    def _fresh(self, idle: "deque[_Line]") -> "_Line | None":
        """The connection that was used last, if the other side has not hung up."""
        while idle:
            line = idle.pop()
            if not line.is_over and line.silent_seconds <= self._idle_seconds:
                return line
            line.hang_up()
        return None

    async def _dial(self, url: httpx.URL, seconds: float | None) -> "_Line":
        """Connect to the first address of the host that answers."""
        loop, host = asyncio.get_running_loop(), url.raw_host.decode("ascii")
        tls, name, usual = (self._tls(), host, 443) if url.scheme == "https" else (None, None, 80)
        port = url.port or usual
        failure: OSError | None = None
        try:
            async with asyncio.timeout(seconds):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                for *_, address in found:
                    try:
                        # One that is silent leaves time for the others.
                        async with asyncio.timeout(seconds and seconds / len(found)):
                            number = str(address[0])
                            _, line = await loop.create_connection(_Line, number, port, ssl=tls, server_hostname=name)
                            return line
                    except OSError as error:
                        failure = error
        except OSError as error:
            failure = error
        if isinstance(failure, TimeoutError):
            raise httpx.ConnectTimeout("") from failure
        # Of many addresses each may have failed in its own way; a name or a certificate has one reason.
        is_told = isinstance(failure, SSLError | socket.gaierror)
        raise httpx.ConnectError(str(failure) if is_told else "All connection attempts failed") from failure


class _Line(asyncio.Protocol):
    """A connection, with one call under way at a time. httptools, the parser of uvicorn, reads what comes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._seconds: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answered: asyncio.Future[httpx.Response] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._has_head = False
        self._used_at = self._loop.time()
        self.gone = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether one side has hung up."""
        return self._transport.is_closing()

    @property
    def silent_seconds(self) -> float:
        """How long ago it was used last."""
        return self._loop.time() - self._used_at

    async def ask(self, message: bytes, seconds: float | None) -> httpx.Response:
        """The answer to this message. It may be silent for so many seconds before it is complete."""
        self._seconds = seconds
        self._answered = self._loop.create_future()
        try:
            self._transport.write(message)
            self._be_patient()
            answer = await self._answered
        except BaseException:
            self.hang_up()
            raise
        finally:
            self._answered = None
            if self._timer is not None:
                self._timer.cancel()
        self._used_at = self._loop.time()
        return answer

    def hang_up(self) -> None:
        """Take no more of it."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"{error}"))
            self.hang_up()
        if self._answered is not None and not self._answered.done():
            self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._has_head and exc is None and not any(name.lower() in SIZED for name, _ in self._headers):
            self._finish()
        elif exc is not None:
            self._fail(httpx.ReadError(str(exc)))
        else:
            self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response."))
        self.gone.set()

    def on_message_begin(self) -> None:
        if self._answered is None or self._answered.done():
            self.hang_up()  # nothing was asked
        self._headers, self._body = [], []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._has_head = False
        if self._parser.get_status_code() < 200:
            return  # that was only information
        self._finish()
        if not self._parser.should_keep_alive():
            self.hang_up()

    def _finish(self) -> None:
        if self._answered is not None and not self._answered.done():
            status, stream = self._parser.get_status_code(), httpx.ByteStream(b"".join(self._body))
            self._answered.set_result(httpx.Response(status, headers=self._headers, stream=stream))

    def _fail(self, error: httpx.TransportError) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)

    def _be_patient(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._seconds is not None:
            self._timer = self._loop.call_later(self._seconds, self._give_up)

    def _give_up(self) -> None:
        self._fail(httpx.ReadTimeout(""))


def _message_of(request: httpx.Request) -> bytes | None:
    """Head and body of a request that is short and whole; None for any other, also one that a head has no room for."""
    if not isinstance(request.stream, httpx.ByteStream) or len(request.content) > REQUEST_MAX_BYTES:
        return None
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    if request.method == "HEAD" or any(map(NO_TEXT_OF_HEADERS.search, lines)):
        return None
    return b"\r\n".join([*lines, b"", request.content])
