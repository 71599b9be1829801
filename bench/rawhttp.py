"""A client that costs next to nothing: the same request again and again over connections that stay open."""

import asyncio
import time
from urllib.parse import urlsplit

import uvloop
from msgspec import Struct

from bench.figures import BenchError
from bench.processes import HEADERS


class Load(Struct, frozen=True):
    """What a server was asked to do, and how long each answer took, in milliseconds."""

    per_second: float
    took_ms: list[float]


def load(address: str, path: str, body: bytes, *, requests: int, connections: int) -> Load:
    """Post the body so many times. Raises BenchError for an answer that is not 200."""
    where = urlsplit(address)
    assert where.hostname, "an engine listens at a host"
    assert where.port, "and at a port"
    head = f"POST {path} HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-type: application/json\r\n"
    named = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"{head}{named}content-length: {len(body)}\r\n\r\n".encode() + body
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(where.hostname, where.port, request, requests, connections))


async def _load(host: str, port: int, request: bytes, requests: int, connections: int) -> Load:
    took: list[float] = []
    left = iter(range(requests))
    streams = [await asyncio.open_connection(host, port) for _ in range(connections)]

    async def go_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in left:
            begun = time.perf_counter()
            writer.write(request)
            await _answer(reader)
            took.append((time.perf_counter() - begun) * 1_000)

    begun = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for reader, writer in streams:
                group.create_task(go_on(reader, writer))
    finally:
        for _, writer in streams:
            writer.close()
    return Load(requests / (time.perf_counter() - begun), took)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise BenchError(f"The server answered {head[:40]!r}: {body[:200]!r}")
