"""A server to be called, written on bare sockets: it answers as told by the path, also as no server should."""

import asyncio
import gzip
import json
import ssl
import struct
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

BOMB = gzip.compress(bytes(64 * 1024 * 1024))
"""64 MB in as many KB."""
HOST = "127.0.0.1"


class Asked(Struct):
    """A request as it came, the names of its headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Target:
    """What came, and what it is to be answered: the next of `script` for /next, a status and a body."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: list[tuple[int, str, dict[str, str]]] = []
        self.port = 0
        self.scheme = "http"
        self.release = asyncio.Event()
        """Lets those go on that wait at /gate."""
        self._news = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/", host: str = HOST) -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def came(self, count: int) -> list[Asked]:
        """Wait until so many requests came."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= count)
        return self.asked

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            asked = await _read(reader)
            async with self._news:
                self.asked.append(asked)
                self._news.notify_all()
            await self._answer(asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    def hang_up(self) -> None:
        for task in self._connections:
            task.cancel()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        what, _, detail = parts.path.strip("/").partition("/")
        match what:
            case "status":
                await _send(writer, int(detail), b"so it is", query)
            case "next":
                status, body, headers = self.script.pop(0)
                await _send(writer, status, body.encode(), headers)
            case "echo":
                told = {"method": asked.method, "headers": asked.headers, "body": asked.body.decode("latin-1")}
                await _send(writer, 200, json.dumps(told).encode(), {"content-type": "application/json"})
            case "gate":
                await self.release.wait()
                await _send(writer, 200, b"through", {})
            case "big":
                await _send(writer, 200, b"x" * int(detail), {})
            case _ if what in MISBEHAVIOURS:
                await MISBEHAVIOURS[what](writer, detail)
            case _:
                await _send(writer, 200, b"hello", {"content-type": "text/plain"})


async def _hang(_writer: asyncio.StreamWriter, _detail: str) -> None:
    await asyncio.Event().wait()


async def _drip(writer: asyncio.StreamWriter, _detail: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _never_end(writer: asyncio.StreamWriter, _detail: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"endless " * 1_000)
        await writer.drain()


async def _reset(writer: asyncio.StreamWriter, _detail: str) -> None:
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


async def _explode(writer: asyncio.StreamWriter, _detail: str) -> None:
    await _send(writer, 200, BOMB, {"content-encoding": "gzip"})


async def _say(writer: asyncio.StreamWriter, detail: str) -> None:
    writer.write(bytes.fromhex(detail))
    await writer.drain()


async def _say_much(writer: asyncio.StreamWriter, _detail: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"x-long: " + b"y" * 200_000 + b"\r\n\r\n")
    await writer.drain()


MISBEHAVIOURS: dict[str, Callable[[asyncio.StreamWriter, str], Coroutine[None, None, None]]] = {
    "hang": _hang,
    "drip": _drip,
    "endless": _never_end,
    "reset": _reset,
    "bomb": _explode,
    "raw": _say,
    "headers": _say_much,
}


@asynccontextmanager
async def a_target(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Target]:
    """A server that listens while the block runs."""
    target = Target()
    server = await asyncio.start_server(target.serve, HOST, 0, ssl=tls)
    target.port = server.sockets[0].getsockname()[1]
    target.scheme = "https" if tls else "http"
    try:
        yield target
    finally:
        server.close()
        target.hang_up()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]) -> None:
    told = {"content-length": str(len(body)), "set-cookie": "session=1", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    writer.write(f"HTTP/1.1 {status} Told\r\n{lines}\r\n".encode("latin-1") + body)
    await writer.drain()
