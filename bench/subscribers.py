"""Clients that watch runs by long polling, and cost next to nothing: one connection and one task each."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from bench.figures import BenchError
from bench.processes import HEADERS

CONNECTING_AT_A_TIME = 100
LIMIT_BYTES = 65_536
SLOW_BUFFER_BYTES = 4_096


class Subscribers:
    """Who watches one run each; `told` is called with the run and the body of each answer that has news."""

    def __init__(self, address: str, told: Callable[[str, bytes], None]) -> None:
        where = urlsplit(address)
        assert where.hostname, "an engine listens at a host"
        assert where.port, "and at a port"
        self._where = where.hostname, where.port
        self._told = told
        self._tasks: list[asyncio.Task[None]] = []
        self._gate = asyncio.Semaphore(CONNECTING_AT_A_TIME)
        self._slow: list[asyncio.StreamWriter] = []
        self.asked = 0
        """How many have sent their first poll."""

    async def watch(self, runs: Sequence[str], position: int) -> None:
        """Watch these runs from a position on; returns when all polls are sent."""
        self._tasks += [asyncio.create_task(self._poll(run, position)) for run in runs]
        wanted = len(self._tasks)
        while self.asked < wanted:
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)

    async def watch_and_not_read(self, path: str, count: int) -> None:
        """So many streams of server-sent events that nobody reads."""
        for _ in range(count):
            connection = socket.create_connection(self._where)
            # What the system takes for a reader is full soon.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
            _, writer = await asyncio.open_connection(sock=connection, limit=LIMIT_BYTES)
            writer.write(self._request(path))
            transport = writer.transport
            assert isinstance(transport, asyncio.Transport), "a socket is read from and written to"
            transport.pause_reading()
            self._slow.append(writer)

    async def close(self) -> None:
        """Leave. Raises BenchError if one of them was answered what it cannot go on with."""
        for task in self._tasks:
            if not task.done():
                task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._slow:
            writer.close()
        for each in ends:
            if isinstance(each, Exception):
                raise BenchError(f"A subscriber had to stop: {each}") from each

    async def _poll(self, run: str, position: int) -> None:
        async with self._gate:
            reader, writer = await asyncio.open_connection(*self._where, limit=LIMIT_BYTES)
        offset, is_first = f"{position}_0", True
        try:
            while True:
                query = f"log=full&live=true&offset={offset}&handle=run-{run}"
                writer.write(self._request(f"/realtime/v1/runs/{run}?{query}"))
                if is_first:
                    self.asked, is_first = self.asked + 1, False
                head, body = await _answer(reader)
                offset = head.partition(b"electric-offset: ")[2].partition(b"\r\n")[0].decode()
                if b'"operation"' in body:
                    self._told(run, body)
        finally:
            writer.close()

    def _request(self, path: str) -> bytes:
        named = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        return f"GET {path} HTTP/1.1\r\nhost: {self._where[0]}\r\n{named}\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200 "):
        raise BenchError(f"The server answered {head[:40]!r}: {body[:200]!r}")
    return head, body


class Changes:
    """Changes of runs over a few connections: `begun` sends one as soon as one of them is free."""

    def __init__(self, address: str) -> None:
        where = urlsplit(address)
        self._where = where.hostname, where.port
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def open(self, connections: int) -> None:
        """Connect."""
        for _ in range(connections):
            self._free.put_nowait(await asyncio.open_connection(*self._where))

    async def change(self, run: str, mark: str) -> None:
        """Set the metadata of a run. Raises BenchError."""
        reader, writer = await self._free.get()
        body = b'{"metadata":{"m":"%s"}}' % mark.encode()
        named = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        head = f"PUT /api/v1/runs/{run}/metadata HTTP/1.1\r\nhost: a\r\n{named}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await _answer(reader)
        self._free.put_nowait((reader, writer))

    def close(self) -> None:
        """Disconnect."""
        while not self._free.empty():
            self._free.get_nowait()[1].close()


class Latencies:
    """From when a change was sent to when its subscriber was told of it, or of a later one, in milliseconds."""

    def __init__(self) -> None:
        self.took_ms: list[float] = []
        self._sent: dict[str, list[tuple[str, float]]] = {}
        self._all_told = asyncio.Event()

    def sent(self, run: str, mark: str) -> None:
        """A change of a run with this mark is on its way."""
        self._sent.setdefault(run, []).append((mark, time.perf_counter()))

    def told(self, run: str, body: bytes) -> None:
        """A subscriber was told this. A reader that is late is told of the last change only."""
        mark = "mark-" + body.partition(b"mark-")[2].partition(b"\\")[0].decode()
        waiting, now = self._sent.get(run, []), time.perf_counter()
        place = next((number for number, (each, _) in enumerate(waiting) if each == mark), -1)
        self.took_ms += [(now - begun) * 1_000 for _, begun in waiting[: place + 1]]
        del waiting[: place + 1]
        if not any(self._sent.values()):
            self._all_told.set()

    async def all_told(self, seconds: float) -> None:
        """Wait until each change was told. Raises BenchError for those that nobody was told of."""
        self._all_told.clear()
        try:
            async with asyncio.timeout(seconds):
                while any(self._sent.values()):
                    await self._all_told.wait()
        except TimeoutError:
            raise BenchError(f"{sum(map(len, self._sent.values()))} changes were never told.") from None
