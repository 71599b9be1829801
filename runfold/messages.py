"""HTTP/1.1 on one connection: a request goes out, an answer comes in. Raises httpx's TransportError."""

from collections.abc import AsyncGenerator

import httpx

from runfold.sockets import Socket

HEAD_MAX_BYTES = 65_536
PIECE_BYTES = 65_536
BODILESS = frozenset({204, 304})

Headers = list[tuple[bytes, bytes]]


async def send(line: Socket, request: httpx.Request, seconds: float | None) -> None:
    """Send the request, as much of it as the server takes."""
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


async def head_of(line: Socket, seconds: float | None) -> tuple[bytes, int, Headers]:
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


def size_of(headers: Headers, *, has_body: bool) -> int | None:
    """How many bytes the body has, None if it ends by itself."""
    if not has_body:
        return 0
    if says(headers, b"transfer-encoding", b"chunked"):
        return None
    for name, value in headers:
        if name.lower() == b"content-length":
            if not value.isdigit():
                raise httpx.RemoteProtocolError("The length of the answer is no number.")
            return int(value)
    return None


def says(headers: Headers, header: bytes, word: bytes) -> bool:
    """Whether such a header has this word, which is in lower case."""
    return any(name.lower() == header and word in value.lower() for name, value in headers)


async def sized(line: Socket, size: int, seconds: float | None) -> bytes:
    """A body of so many bytes. `seconds` is how long each part of it may keep one waiting."""
    pieces: list[bytes] = []
    while size:
        piece = await line.some(size, seconds)
        if not piece:
            raise httpx.RemoteProtocolError("Server disconnected in the middle of its answer.")
        size -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)


async def rest_of(line: Socket, headers: Headers, seconds: float | None) -> AsyncGenerator[bytes]:
    """A body of which the length is not known: in chunks, or all up to the end of the connection."""
    if not says(headers, b"transfer-encoding", b"chunked"):
        while piece := await line.some(PIECE_BYTES, seconds):
            yield piece
        return
    while size := _chunk_size(await line.until(b"\r\n", HEAD_MAX_BYTES, seconds)):
        yield await sized(line, size, seconds)
        if await line.until(b"\r\n", 2, seconds):
            raise httpx.RemoteProtocolError("The answer has a chunk that is longer than it says.")
    while await line.until(b"\r\n", HEAD_MAX_BYTES, seconds):
        pass


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError as error:
        raise httpx.RemoteProtocolError("The answer has a chunk without a length.") from error
