"""HTTP/1.1 as far as calls to an engine need it. What httpx brings along does more, and takes five times as long."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from ssl import SSLContext

import httpx

from runfold.sockets import Socket, connected

HEAD_MAX_BYTES = 65_536
PIECE_BYTES = 65_536
BODILESS = frozenset({204, 304})

Headers = list[tuple[bytes, bytes]]


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
            await _send(line, request, write)
            version, status, headers = await _head_of(line, read)
            size = _size_of(headers, has_body=request.method != "HEAD" and status not in BODILESS)
            stays = version == b"HTTP/1.1" and not _says(headers, b"connection", b"close")
            if size is None:
                body = _Body(self, request.url, line, _rest_of(line, headers, read), stays=stays)
                return httpx.Response(status, headers=headers, stream=body)
            content = await _sized(line, size, read)
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


async def _send(line: Socket, request: httpx.Request, seconds: float | None) -> None:
    head = _head(request)
    stream = request.stream
    if isinstance(stream, httpx.ByteStream):
        # In one piece, so that the server wakes up once.
        await line.write(b"".join((head, *stream)), seconds)
        return
    assert isinstance(stream, httpx.AsyncByteStream), "httpx's async client sends nothing else"
    is_chunked = "content-length" not in request.headers
    await line.write(head, seconds)
    async for piece in stream:
        if piece:
            await line.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece, seconds)
    if is_chunked:
        await line.write(b"0\r\n\r\n", seconds)


def _head(request: httpx.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%b: %b" % each for each in request.headers.raw]
    if any(b"\n" in each or b"\r" in each for each in lines):
        raise httpx.LocalProtocolError("A header of the request has more than one line.")
    return b"\r\n".join((*lines, b"\r\n"))


async def _head_of(line: Socket, seconds: float | None) -> tuple[bytes, int, Headers]:
    """Version, status and headers of the answer, past all that is only information."""
    while True:
        first, *rest = (await line.until(b"\r\n\r\n", HEAD_MAX_BYTES, seconds)).split(b"\r\n")
        version, _, said = first.partition(b" ")
        status = said[:3]
        if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not status.isdigit():
            raise httpx.RemoteProtocolError("The answer is not one of HTTP/1.1.")
        if status[0] != ord("1"):
            return version, int(status), [_header(each) for each in rest]


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip():
        raise httpx.RemoteProtocolError("The answer has a header without a name.")
    return name, value.strip()


def _size_of(headers: Headers, *, has_body: bool) -> int | None:
    """How many bytes the body has, None if it ends by itself."""
    if not has_body:
        return 0
    if _says(headers, b"transfer-encoding", b"chunked"):
        return None
    for name, value in headers:
        if name.lower() == b"content-length":
            if not value.isdigit():
                raise httpx.RemoteProtocolError("The length of the answer is no number.")
            return int(value)
    return None


def _says(headers: Headers, header: bytes, word: bytes) -> bool:
    return any(name.lower() == header and word in value.lower() for name, value in headers)


async def _sized(line: Socket, size: int, seconds: float | None) -> bytes:
    pieces: list[bytes] = []
    while size:
        piece = await line.some(size, seconds)
        if not piece:
            raise httpx.RemoteProtocolError("Server disconnected in the middle of its answer.")
        size -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)


async def _rest_of(line: Socket, headers: Headers, seconds: float | None) -> AsyncGenerator[bytes]:
    if not _says(headers, b"transfer-encoding", b"chunked"):
        while piece := await line.some(PIECE_BYTES, seconds):
            yield piece
        return
    while size := _chunk_size(await line.until(b"\r\n", HEAD_MAX_BYTES, seconds)):
        yield await _sized(line, size, seconds)
        if await line.until(b"\r\n", 2, seconds):
            raise httpx.RemoteProtocolError("The answer has a chunk that is longer than it says.")
    while await line.until(b"\r\n", HEAD_MAX_BYTES, seconds):
        pass


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError as error:
        raise httpx.RemoteProtocolError("The answer has a chunk without a length.") from error
