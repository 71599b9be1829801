"""HTTP/1.1 as far as calls to an engine need it. What httpx brings along does more, and takes five times as long."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from ssl import SSLContext
from typing import Any

import httpx

from runfold.messages import BODILESS, head_of, rest_of, says, send, size_of, sized
from runfold.sockets import Socket, connected


class Http1(httpx.AsyncBaseTransport):
    """The way from httpx's client to a server, without a proxy. Connections are used again while they are fresh.

    Belongs to one event loop. Raises httpx's TransportError.
    """

    def __init__(self, tls: Callable[[], SSLContext], idle_seconds: float) -> None:
        self._tls = tls
        self._idle_seconds = idle_seconds
        self._idle: defaultdict[tuple[str, str, int | None], list[Socket]] = defaultdict(list)
        self._open: set[Socket] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer: whole if its length is known, else its body comes piece by piece."""
        patience: dict[str, float | None] = request.extensions.get("timeout", {})
        read, write = patience.get("read"), patience.get("write")
        line = self._take(request.url) or await self._connect(request.url, patience.get("connect"))
        try:
            await send(line, request, write)
            version, status, headers = await head_of(line, read)
            size = size_of(headers, has_body=request.method != "HEAD" and status not in BODILESS)
            stays = version == b"HTTP/1.1" and not says(headers, b"connection", b"close")
            if size is None:
                body = _Body(self, request.url, line, rest_of(line, headers, read), stays=stays)
                return httpx.Response(status, headers=headers, stream=body)
            content = await sized(line, size, read)
        except BaseException:
            self.drop(line)
            raise
        if stays:
            self.keep(request.url, line)
        else:
            self.drop(line)
        if size == 0:
            # httpx would say the length of what is not there, too.
            return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""))
        return httpx.Response(status, headers=headers, content=content)

    async def aclose(self) -> None:
        """Hang up all connections, and wait until they are gone."""
        lines = list(self._open)
        for line in lines:
            self.drop(line)
        self._idle.clear()
        await asyncio.gather(*(line.gone() for line in lines))

    def keep(self, url: httpx.URL, line: Socket) -> None:
        """Let it be used again."""
        line.idle_until = asyncio.get_running_loop().time() + self._idle_seconds
        self._idle[_place(url)].append(line)

    def drop(self, line: Socket) -> None:
        """Hang up."""
        self._open.discard(line)
        line.abort()

    def _take(self, url: httpx.URL) -> Socket | None:
        """The connection that was used last, if it can be used again."""
        idle, now = self._idle[_place(url)], asyncio.get_running_loop().time()
        # The server gives up idle connections, too; these would be found closed in the middle of a request.
        while idle and idle[0].idle_until <= now:
            self.drop(idle.pop(0))
        while idle:
            line = idle.pop()
            if line.is_usable:
                return line
            self.drop(line)
        return None

    async def _connect(self, url: httpx.URL, seconds: float | None) -> Socket:
        tls = self._tls() if url.scheme == "https" else None
        line = await connected(url, tls, seconds)
        self._open.add(line)
        return line


class Client(httpx.AsyncClient):
    """httpx's client without what an engine never asks for, which takes longer than the call: cookies, redirects."""

    def __init__(self, way: Http1, timeout: httpx.Timeout) -> None:
        super().__init__(transport=way, timeout=timeout)
        self._way = way

    async def send(self, request: httpx.Request, *, stream: bool = False, **_: Any) -> httpx.Response:
        """The answer, whole unless it is to be a stream. Raises httpx's TransportError."""
        response = await self._way.handle_async_request(request)
        response.request = request
        if not stream:
            await response.aread()
        return response


class _Body(httpx.AsyncByteStream):
    """A body of which nobody knows how long it will be."""

    def __init__(
        self, pool: Http1, url: httpx.URL, line: Socket, pieces: AsyncGenerator[bytes], *, stays: bool
    ) -> None:
        self._pool = pool
        self._url = url
        self._line = line
        self._pieces = pieces
        self._stays = stays
        self._is_whole = False
        self._is_closed = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for piece in self._pieces:
            yield piece
        self._is_whole = True

    async def aclose(self) -> None:
        """Leave the connection to others, or hang up if something is still to come."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._pieces.aclose()
        if self._is_whole and self._stays:
            self._pool.keep(self._url, self._line)
        else:
            self._pool.drop(self._line)


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
