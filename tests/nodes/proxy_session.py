"""One connection between a node and PostgreSQL: passes on what both say, and recognises an append of a writer."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from enum import Enum

WRITER = b"runfold writer "
APPEND = b"insert into events "
FLUSH = b"H\0\0\0\4"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Moment(Enum):
    """How far an append gets before its line goes dead. It is committed by the Sync at the end of its messages."""

    UNSENT = "the server has not heard of it"
    EXECUTED = "the server has done it, and waits for the Sync that commits it"
    COMMITTING = "all of it was sent, and nobody knows how far it came"
    COMMITTED = "it is committed, and nobody was told"


class Faults:
    """What is to happen, and what has."""

    def __init__(self) -> None:
        self.next_append: tuple[Moment, bool] | None = None
        """What happens to the next append of a writer, and whether the sides go on to believe in their connection."""
        self.happened = 0
        """How many appends met their moment."""
        self.is_hole = False
        """Whether nothing gets through."""


class Session:
    """One connection of a node, and ours to the server."""

    def __init__(self, faults: Faults, node: Streams, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._faults = faults
        self._node = node
        self._connect = connect
        self._lines = [node]
        self._statements: dict[bytes, bytes] = {}
        self._executed, self._committed = asyncio.Event(), asyncio.Event()
        self._is_deaf = False
        self.is_hole = faults.is_hole

    async def close(self) -> None:
        for _, writer in self._lines:
            writer.close()
        for _, writer in self._lines:
            with suppress(OSError):
                await writer.wait_closed()

    async def run(self) -> None:
        """Until one side hangs up. Raises OSError, IncompleteReadError."""
        size = await self._node[0].readexactly(4)
        startup = size + await self._node[0].readexactly(struct.unpack("!I", size)[0] - 4)
        if self.is_hole:
            await _for_ever()
        server = await self._connect()
        self._lines.append(server)
        server[1].write(startup)
        if WRITER in startup:
            ways = self._hear_node(server[1]), self._hear_server(server[0])
        else:
            ways = self._pass_on(self._node[0], server[1]), self._pass_on(server[0], self._node[1])
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if not self.is_hole:
                sink.write(data)
                await sink.drain()
        if self.is_hole:
            await _for_ever()

    async def _hear_server(self, source: asyncio.StreamReader) -> None:
        async for kind, message in self._messages(source):
            if kind in b"CE":
                self._executed.set()
            if kind == b"Z":
                self._committed.set()
            if not self._is_deaf:
                self._node[1].write(message)

    async def _hear_node(self, sink: asyncio.StreamWriter) -> None:
        moment = None
        async for kind, message in self._messages(self._node[0]):
            if self._is_append(kind, message) and self._faults.next_append:
                due = self._faults.next_append[0]
                if due is Moment.UNSENT:
                    return await self._strike()
                if kind == b"B":
                    moment, self._is_deaf = due, True
                    self._executed.clear()
                    self._committed.clear()
            if moment and kind == b"S":
                sink.write(FLUSH if moment is Moment.EXECUTED else message)
                if moment is not Moment.COMMITTING:
                    await (self._executed if moment is Moment.EXECUTED else self._committed).wait()
                return await self._strike()
            sink.write(message)
        return None

    def _is_append(self, kind: bytes, message: bytes) -> bool:
        """Whether this parses, or binds, the statement that appends; it is parsed once if it is prepared."""
        if kind == b"P":
            name, statement, _ = message[5:].split(b"\0", 2)
            self._statements[name] = statement
            return APPEND in statement
        return kind == b"B" and APPEND in self._statements.get(message[5:].split(b"\0", 2)[1], b"")

    async def _strike(self) -> None:
        assert self._faults.next_append, "it is due"
        (_, self.is_hole), self._faults.next_append = self._faults.next_append, None
        self._faults.happened += 1
        if self.is_hole:
            await _for_ever()

    async def _messages(self, source: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
        try:
            while True:
                header = await source.readexactly(5)
                message = header + await source.readexactly(struct.unpack("!I", header[1:])[0] - 4)
                if not self.is_hole:
                    yield header[:1], message
        except (OSError, asyncio.IncompleteReadError):
            if self.is_hole:
                await _for_ever()
            raise


async def _for_ever() -> None:
    await asyncio.Event().wait()
