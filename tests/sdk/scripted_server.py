"""A server on a socket that answers with the bytes that a test gives it, and keeps what it was sent."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

HANG_UP = b""
"""Instead of an answer: the connection is closed. Behind an answer it is what ends that."""
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class ScriptedServer:
    """Answers requests one after another, on whichever connection they come."""

    def __init__(self, replies: Sequence[Sequence[bytes]]) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        """A connection has ended."""
        self.asked = asyncio.Event()
        """A request has come."""
        self._replies = [list(reply) for reply in replies]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(await _request_from(reader))
        self.asked.set()
        if not self._replies:
            await reader.read()  # until the client hangs up
            return False
        for piece in self._replies.pop(0):
            if piece == HANG_UP:
                writer.close()
                await writer.wait_closed()
                return False
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return True


@asynccontextmanager
async def scripted(
    *replies: Sequence[bytes], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncGenerator[ScriptedServer]:
    """A server with these answers; it is silent when there are no more."""
    scripted_server = ScriptedServer(replies)
    server = await asyncio.start_server(scripted_server.serve, host, 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scripted_server.url = f"{'https' if tls else 'http'}://{'localhost' if tls else host}:{port}/path?a=b"
    async with server:
        yield scripted_server


async def _request_from(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        return head + await reader.readuntil(b"\r\n0\r\n\r\n")
    length = LENGTH.search(head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")
