"""A server that says what it is told to, whatever it is asked; written on bare sockets."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HANG_UP = b""
LOOK_TURNS = 5
"""In each turn of an event loop it looks at its sockets."""


class Scripted:
    """`script` is what it says to each request, piece by piece, ANSWER when it is empty; HANG_UP ends a connection."""

    def __init__(self) -> None:
        self.port = 0
        self.scheme = "http"
        self.script: list[list[bytes]] = []
        self.came: list[tuple[int, bytes]] = []
        """The number of the connection, and what came at once."""
        self.left: set[int] = set()
        """The connections that are over."""
        self._connections = 0
        self._news = asyncio.Condition()

    def url(self, path: str = "/call", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def has_left(self, connection: int) -> None:
        """Wait until a connection is over, and whoever uses it in this event loop has heard of it."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: connection in self.left)
        for _ in range(LOOK_TURNS):
            await asyncio.sleep(0)

    async def has_come(self, count: int) -> None:
        """Wait until so much came."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.came) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self._connections
        self._connections += 1
        try:
            while data := await reader.read(1_000_000):
                async with self._news:
                    self.came.append((connection, data))
                    self._news.notify_all()
                for piece in self.script.pop(0) if self.script else [ANSWER]:
                    if piece == HANG_UP:
                        return
                    writer.write(piece)
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            async with self._news:
                self.left.add(connection)
                self._news.notify_all()


@asynccontextmanager
async def scripted(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Scripted]:
    server = Scripted()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        server.scheme = "https" if tls else "http"
        yield server
