"""The server's answers leave in one piece, and streams are not held up by that."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.web.joining import JoiningProtocol

START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
STREAM: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}


class Pieces(asyncio.Transport):
    """A connection of which a test sees each write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes | str] = []
        self.news = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))
        self.news.set()

    def close(self) -> None:
        self.written.append("closed")
        self.news.set()

    def is_closing(self) -> bool:
        return "closed" in self.written

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


async def answered(request: bytes, *messages: dict[str, Any], until: Callable[[Pieces], bool]) -> list[bytes | str]:
    """What is written for a request to an application that sends these messages."""

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await message["after"]() if "after" in message else await send(message)

    config = uvicorn.Config(cast("Any", application), http=JoiningProtocol, log_config=None, access_log=False)
    config.load()
    transport = Pieces()
    protocol = JoiningProtocol(config, ServerState(), {})
    protocol.connection_made(transport)
    protocol.data_received(request)
    while not until(transport):
        transport.news.clear()
        await transport.news.wait()
    written = list(transport.written)
    protocol.connection_lost(None)
    return written


@pytest.mark.parametrize("body", [b"fine", b""])
async def test_head_and_body_are_one_piece(body: bytes) -> None:
    start = START | {"headers": [(b"content-length", b"%d" % len(body))]}
    written = await answered(
        b"GET / HTTP/1.1\r\nhost: here\r\n\r\n",
        start,
        {"type": "http.response.body", "body": body},
        until=lambda each: bool(each.written),
    )

    assert len(written) == 1
    assert bytes(cast("bytes", written[0])).startswith(b"HTTP/1.1 200 OK\r\n")
    assert bytes(cast("bytes", written[0])).endswith(b"\r\n\r\n" + body)


async def test_the_head_of_a_stream_does_not_wait_for_its_first_event() -> None:
    first = asyncio.Event()
    written: list[bytes | str] = await answered(
        b"GET / HTTP/1.1\r\nhost: here\r\n\r\n",
        STREAM,
        {"after": first.wait},
        until=lambda each: bool(each.written),
    )

    assert len(written) == 1
    assert bytes(cast("bytes", written[0])).endswith(b"\r\n\r\n")
    first.set()


async def test_what_is_held_back_leaves_before_the_connection_is_closed() -> None:
    written = await answered(
        b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n",
        START,
        {"type": "http.response.body", "body": b"fine"},
        until=lambda each: each.is_closing(),
    )

    assert bytes(cast("bytes", written[0])).endswith(b"\r\n\r\nfine")
    assert written[1:] == ["closed"]


async def test_later_parts_of_an_answer_leave_as_they_come() -> None:
    written = await answered(
        b"GET / HTTP/1.1\r\nhost: here\r\n\r\n",
        STREAM,
        {"type": "http.response.body", "body": b"one", "more_body": True},
        {"type": "http.response.body", "body": b"two", "more_body": False},
        until=lambda each: len(each.written) == 2,
    )

    assert bytes(cast("bytes", written[0])).endswith(b"\r\n\r\n3\r\none\r\n")
    assert written[1] == b"3\r\ntwo\r\n0\r\n\r\n"
