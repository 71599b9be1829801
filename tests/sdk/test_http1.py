"""The SDK's own HTTP/1.1: connections that are used again, bodies of every kind, and whatever a server does wrong."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from runfold import transport
from runfold.http1 import Client, Http1
from tests.certificates import server_context, trusting
from tests.sdk.scripted_server import HANG_UP, scripted

FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: text/plain\r\n\r\nfine"
PIECES = (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"3\r\none\r\n", b"3;x=y\r\ntwo\r", b"\n0\r\n\r\n")


@asynccontextmanager
async def client(
    idle_seconds: float = 60, tls: ssl.SSLContext | None = None, silence_seconds: float = 20
) -> AsyncGenerator[httpx.AsyncClient]:
    def context() -> ssl.SSLContext:
        assert tls, "only for https"
        return tls

    async with Client(Http1(context, idle_seconds), httpx.Timeout(silence_seconds)) as made:
        yield made


async def test_a_call_is_one_piece_and_its_connection_is_used_again() -> None:
    async with scripted([FINE], [FINE]) as server, client() as http:
        answers = [await http.post(server.url, content=b"hello") for _ in range(2)]

    assert [(each.status_code, each.text, each.headers["Content-Type"]) for each in answers] == [
        (200, "fine", "text/plain")
    ] * 2
    assert server.connections == 1
    assert server.requests[0].startswith(b"POST /path?a=b HTTP/1.1\r\nHost: 127.0.0.1:")
    assert server.requests[0].endswith(b"\r\nContent-Length: 5\r\n\r\nhello")


async def test_calls_at_the_same_time_have_connections_of_their_own() -> None:
    async with scripted([FINE], [FINE], [FINE]) as server, client() as http:
        await asyncio.gather(*(http.get(server.url) for _ in range(3)))

    assert server.connections == 3


@pytest.mark.parametrize(
    "reply",
    [
        [FINE, HANG_UP],
        [FINE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), HANG_UP],
        [FINE.replace(b"1.1", b"1.0"), HANG_UP],
        [FINE + b"HTTP/1.1 408 Too late\r\n\r\n"],
    ],
    ids=["hung up", "says close", "HTTP/1.0", "speaks unasked"],
)
async def test_a_connection_that_is_over_is_not_used_again(reply: list[bytes]) -> None:
    async with scripted(reply, [FINE]) as server, client() as http:
        await http.get(server.url)
        if HANG_UP in reply:
            await server.closed.wait()
        answer = await http.get(server.url)

    assert answer.text == "fine"
    assert server.connections == 2


async def test_a_connection_that_was_idle_for_long_is_hung_up() -> None:
    async with scripted([FINE], [FINE]) as server, client(idle_seconds=0) as http:
        await http.get(server.url)
        await http.get(server.url)

        await server.closed.wait()
        assert server.connections == 2


async def test_an_answer_in_chunks_comes_as_it_is_sent_and_leaves_its_connection_to_others() -> None:
    async with scripted(PIECES, [FINE]) as server, client() as http:
        async with http.stream("GET", server.url) as answer:
            pieces = [piece async for piece in answer.aiter_raw()]
        await http.get(server.url)

    assert pieces == [b"one", b"two"]
    assert server.connections == 1


async def test_an_answer_that_is_not_read_to_its_end_takes_its_connection_along() -> None:
    async with scripted(PIECES[:2], [FINE]) as server, client() as http:
        async with http.stream("GET", server.url) as answer:
            assert await anext(answer.aiter_raw()) == b"one"
        await server.closed.wait()
        await http.get(server.url)

    assert server.connections == 2


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with scripted([b"HTTP/1.1 200 OK\r\n\r\nall ", b"of it", HANG_UP]) as server, client() as http:
        answer = await http.get(server.url)

    assert answer.text == "all of it"


@pytest.mark.parametrize(
    ("method", "head"),
    [("HEAD", b"200 OK\r\ncontent-length: 4"), ("GET", b"204 No Content"), ("POST", b"200 OK\r\ncontent-length: 0")],
)
async def test_an_answer_without_a_body_waits_for_none(method: str, head: bytes) -> None:
    async with scripted([b"HTTP/1.1 " + head + b"\r\n\r\n"], [FINE]) as server, client() as http:
        answer = await http.request(method, server.url)
        await http.get(server.url)

    assert answer.content == b""
    assert server.connections == 1


async def test_cookies_and_redirects_are_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: /other\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
    async with scripted([moved], [FINE]) as server, client() as http:
        answer = await http.get(server.url, follow_redirects=True)
        await http.get(server.url)

    assert answer.status_code == 302
    assert b"cookie" not in server.requests[1].lower()


async def test_what_is_only_information_is_passed_over() -> None:
    async with scripted([b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", FINE]) as server, client() as http:
        answer = await http.get(server.url)

    assert (answer.status_code, answer.text) == (200, "fine")


async def test_a_packed_body_is_unpacked() -> None:
    packed = gzip.compress(b"small")
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with scripted([head, packed]) as server, client() as http:
        answer = await http.get(server.url)

    assert answer.text == "small"


async def test_a_body_of_unknown_length_is_sent_in_chunks() -> None:
    async def body() -> AsyncIterator[bytes]:
        for piece in (b"one", b"", b"twelve bytes"):
            yield piece

    async with scripted([FINE]) as server, client() as http:
        await http.post(server.url, content=body())

    assert server.requests[0].endswith(b"\r\n\r\n3\r\none\r\nc\r\ntwelve bytes\r\n0\r\n\r\n")


async def test_large_bodies_arrive_whole_both_ways() -> None:
    large = bytes(range(256)) * 20_000
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(large)
    async with scripted([head, large]) as server, client() as http:
        answer = await http.post(server.url, content=large)

    assert answer.content == large
    assert server.requests[0].endswith(large)


async def test_an_answer_to_half_a_request_is_heard() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!")
        writer.write_eof()
        await reader.read()
        writer.close()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(100_000)
            await asyncio.sleep(0)

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server, client() as http:
        answer = await http.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", content=body())

    assert (answer.status_code, answer.text) == (413, "no!")


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ([HANG_UP], "Server disconnected without sending a response."),
        ([b"HTTP/1.1 200 OK\r\ncontent", HANG_UP], "Server disconnected without sending a response."),
        ([FINE[:-1], HANG_UP], "Server disconnected in the middle of its answer."),
        ([*PIECES[:2], HANG_UP], "Server disconnected without sending a response."),
        ([PIECES[0], b"3\r\nmuch more\r\n"], "The answer has a chunk that is longer than it says."),
        ([PIECES[0], b"three\r\none\r\n"], "The answer has a chunk without a length."),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], "The answer is not one of HTTP/1.1."),
        ([b"HTTP/1.1 2x0 OK\r\n\r\n"], "The answer is not one of HTTP/1.1."),
        ([b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"], "The answer has a header without a name."),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], "The length of the answer is no number."),
        ([b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000], "more than 65536 bytes of headers"),
    ],
)
async def test_an_answer_that_is_none_is_an_error_of_the_protocol(reply: list[bytes], sentence: str) -> None:
    async with scripted(reply, [FINE]) as server, client() as http:
        with pytest.raises(httpx.RemoteProtocolError) as raised:
            await http.get(server.url)
        answer = await http.get(server.url)

    assert str(raised.value) == sentence
    assert answer.text == "fine"
    assert server.connections == 2


async def test_a_server_that_is_silent_is_given_up() -> None:
    async with scripted() as server, client(silence_seconds=0.01) as http:
        with pytest.raises(httpx.ReadTimeout, match="nothing came for"):
            await http.get(server.url)

        await server.closed.wait()


async def test_a_call_that_is_cancelled_hangs_up() -> None:
    async with scripted() as server, client() as http:
        call = asyncio.create_task(http.get(server.url))
        await server.asked.wait()
        call.cancel()

        await server.closed.wait()
        assert call.cancelled()


async def test_a_server_that_is_not_there_is_an_error_of_the_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with client() as http:
        with pytest.raises(httpx.ConnectError, match="All connection attempts failed"):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_a_header_cannot_smuggle_another_one_in() -> None:
    async with scripted([FINE]) as server, client() as http:
        with pytest.raises(httpx.LocalProtocolError, match="more than one line"):
            await http.get(server.url, headers={"authorization": "Bearer key\r\nx-other: 1"})

    assert server.requests == []


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    tls = server_context(tmp_path, "localhost")
    async with scripted([FINE], tls=tls) as server:
        async with client(tls=trusting(tmp_path)) as http:
            answer = await http.get(server.url)
        async with client(tls=ssl.create_default_context()) as http:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await http.get(server.url)

    assert answer.text == "fine"


async def test_closing_hangs_up_what_is_idle_and_what_is_not() -> None:
    async with scripted([FINE]) as server:
        http = Client(Http1(ssl.create_default_context, 60), httpx.Timeout(20))
        await http.get(server.url)
        server.asked.clear()
        call = asyncio.create_task(http.get(server.url))
        await server.asked.wait()

        await http.aclose()

        with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected"):
            await call


@pytest.mark.parametrize(("variable", "is_direct"), [("HTTP_PROXY", False), ("NO_PROXY", True), ("PATH", True)])
async def test_a_proxy_is_left_to_httpx(variable: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 (a parameter)
    for each in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
        monkeypatch.delenv(each.upper(), raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")

    async with scripted([FINE]) as server, transport.connect() as http:
        if is_direct:
            assert (await http.get(server.url)).text == "fine"
        else:
            with pytest.raises(httpx.ConnectError):
                await http.get(server.url)
