"""Answers in one piece: uvicorn writes head and body apart, and each write wakes the client and costs a system call."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = b"HTTP/1.1 "


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a transport that joins."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a client."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop.call_soon)))


class Joined:
    """A transport that holds the head of an answer back until its body comes, but no longer than a turn of the loop.

    `call_soon` is that of the event loop.
    """

    def __init__(self, transport: asyncio.Transport, call_soon: Any) -> None:
        self._transport = transport
        self._call_soon = call_soon
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write it, or hold it back."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(HEAD):
            self._held = data
            # The body of a stream may come much later.
            self._call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Hang up when all is written."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's own."""
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)
