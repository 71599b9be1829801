"""Calls by the way of the SDK's own: what goes over the wire, and what becomes of answers that are none."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvloop

from runfold.client import Client
from runfold.short_calls import REQUEST_MAX_BYTES, ShortCalls
from tests.certificates import server_context, trusting
from tests.sdk.scripted import ANSWER, HANG_UP, scripted

OK = b"HTTP/1.1 200 OK\r\n"
LONG = httpx.Timeout(30.0)


def elsewhere(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b'"by the other way"')


@asynccontextmanager
async def client(
    patience: httpx.Timeout = LONG, idle_seconds: float = 60.0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Client]:
    context = tls or ssl.create_default_context()
    way = ShortCalls(httpx.MockTransport(elsewhere), lambda: context, idle_seconds)
    async with Client(way, patience) as http:
        yield http


async def test_a_call_is_one_piece_and_its_connection_is_used_again() -> None:
    async with scripted() as server, client() as http:
        for number in range(2):
            answer = await http.post(server.url(f"/call/{number}?a=%20b"), content=b"[1]", headers={"x-key": "k"})
            assert (answer.status_code, answer.content) == (200, b"{}")

    head = "POST /call/{}?a=%20b HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nuser-agent: runfold\r\n"
    rest = "accept-encoding: gzip, deflate\r\nx-key: k\r\nContent-Length: 3\r\n\r\n[1]"
    assert [(connection, data.decode()) for connection, data in server.came] == [
        (0, head.format(number, server.port) + rest) for number in range(2)
    ]


async def test_calls_at_the_same_time_have_connections_of_their_own() -> None:
    async with scripted() as server, client() as http:
        server.script = [[], []]
        both = [asyncio.create_task(http.get(server.url())) for _ in range(2)]
        await server.has_come(2)
        for each in both:
            each.cancel()
        await asyncio.gather(*both, return_exceptions=True)

    assert sorted(connection for connection, _ in server.came) == [0, 1]


@pytest.mark.parametrize(
    "pieces",
    [
        [OK + b"connection: close\r\ncontent-length: 2\r\n\r\n{}"],
        [b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
        [ANSWER, HANG_UP],
        [OK + b"\r\n", b"{", b"}", HANG_UP],
    ],
    ids=["it says so", "an old server", "it hangs up", "a body up to the end"],
)
async def test_a_connection_that_is_over_is_not_used_again(pieces: list[bytes]) -> None:
    async with scripted() as server, client() as http:
        server.script = [pieces]
        first = await http.get(server.url())
        await server.has_left(0)
        second = await http.get(server.url())

    assert (first.content, second.content) == (b"{}", b"{}")
    assert [connection for connection, _ in server.came] == [0, 1]


async def test_a_connection_that_was_idle_for_long_is_hung_up() -> None:
    async with scripted() as server, client(idle_seconds=0) as http:
        await http.get(server.url())
        await server.has_left(0)
        await http.get(server.url())

    assert [connection for connection, _ in server.came] == [0, 1]


async def test_the_answer_before_is_none_to_a_call_that_gets_none() -> None:
    async with scripted() as server, client() as http:
        server.script = [[b"HTTP/1.1 204 No Content\r\n\r\n"], [HANG_UP]]
        await http.get(server.url())
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(server.url())


@pytest.mark.parametrize("pieces", [[ANSWER, ANSWER], [ANSWER + ANSWER], [ANSWER + ANSWER[:9]]])
async def test_what_nobody_asked_for_ends_the_connection(pieces: list[bytes]) -> None:
    async with scripted() as server, client() as http:
        server.script = [pieces]
        await http.get(server.url())
        await server.has_left(0)
        await http.get(server.url())

    assert [connection for connection, _ in server.came] == [0, 1]


@pytest.mark.parametrize(
    ("pieces", "status", "content"),
    [
        ([OK + b"transfer-encoding: chunked\r\n\r\n2\r\n[1\r\n", b"3\r\n,2]\r\n0\r\n\r\n"], 200, b"[1,2]"),
        ([b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", ANSWER], 200, b"{}"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
        ([b"HTTP/1.1 404 Not", b" Found\r\nContent-Le", b"ngth: 4\r\n\r\nno", b"ne"], 404, b"none"),
        (
            [OK + b"content-encoding: gzip\r\nconnection: close\r\n\r\n" + gzip.compress(b"[1]", mtime=0), HANG_UP],
            200,
            b"[1]",
        ),
    ],
    ids=["chunks", "information", "no body", "in pieces", "packed"],
)
async def test_answers_are_read_whole(pieces: list[bytes], status: int, content: bytes) -> None:
    async with scripted() as server, client() as http:
        server.script = [pieces]
        answer = await http.get(server.url())

    assert (answer.status_code, answer.content) == (status, content)


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        ([HANG_UP], "disconnected"),
        ([OK + b"content-length: 9\r\n\r\n{}", HANG_UP], "disconnected"),
        ([OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", HANG_UP], "disconnected"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "Expected HTTP/"),
        ([b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"], r"\w"),
    ],
    ids=["nothing", "too short", "no last chunk", "another protocol", "an upgrade"],
)
async def test_an_answer_that_is_none_is_an_error(pieces: list[bytes], sentence: str) -> None:
    async with scripted() as server, client() as http:
        server.script = [pieces]
        with pytest.raises(httpx.RemoteProtocolError, match=sentence):
            await http.get(server.url())

        assert (await http.get(server.url())).content == b"{}"

    assert [connection for connection, _ in server.came] == [0, 1]


async def test_a_server_that_is_silent_is_given_up() -> None:
    async with scripted() as server, client(httpx.Timeout(0.05)) as http:
        server.script = [[OK + b"content-length: 9\r\n\r\n{}"]]
        with pytest.raises(httpx.ReadTimeout):
            await http.get(server.url())
        await server.has_left(0)


async def test_a_call_without_a_time_out_is_not_given_up() -> None:
    async with scripted() as server, client(httpx.Timeout(None)) as http:
        assert (await http.get(server.url())).content == b"{}"


async def test_a_call_that_is_cancelled_hangs_up() -> None:
    async with scripted() as server, client() as http:
        server.script = [[]]
        call = asyncio.create_task(http.get(server.url()))
        await server.has_come(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.has_left(0)


@pytest.mark.parametrize(
    ("host", "sentence"), [("127.0.0.1", "All connection attempts failed"), ("nowhere.invalid", r"\[Errno .*\w")]
)
async def test_a_server_that_is_not_there_is_an_error_of_the_connection(host: str, sentence: str) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        async with client() as http:
            with pytest.raises(httpx.ConnectError, match=sentence):
                await http.get(f"http://{host}:{unheard.getsockname()[1]}/")


async def test_the_next_address_is_dialed_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    begun: list[str] = []
    create_connection = loop.create_connection

    async def addresses(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(None, None, None, "", (address, port)) for address in ("192.0.2.1", "192.0.2.2", "127.0.0.1")]

    async def create(protocol: type[asyncio.Protocol], host: str, port: int, **_: object) -> object:
        begun.append(host)
        if host == "192.0.2.1":
            raise ConnectionRefusedError(111, "refused")
        if host == "192.0.2.2":
            await loop.create_future()
        return await create_connection(protocol, host, port)

    monkeypatch.setattr(loop, "getaddrinfo", addresses)
    async with scripted() as server, client(httpx.Timeout(30.0, connect=0.3)) as http:
        monkeypatch.setattr(loop, "create_connection", create)
        answer = await http.get(server.url(host="engine.test"))

    assert answer.content == b"{}"
    assert begun == ["192.0.2.1", "192.0.2.2", "127.0.0.1"]


async def test_addresses_that_are_silent_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def create(*_arguments: object, **_named: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create)
    async with client(httpx.Timeout(30.0, connect=0.02)) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.get("http://127.0.0.1:9/")


async def test_a_header_cannot_smuggle_another_one_in() -> None:
    async with scripted() as server, client() as http:
        answer = await http.get(server.url(), headers={"x-key": "a\r\nx-other: b"})

    assert answer.json() == "by the other way", "which refuses it"
    assert server.came == []


async def test_what_is_long_or_a_stream_goes_the_other_way() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"[1]"

    async with scripted() as server, client() as http:
        answers = [
            await http.post(server.url(), content=bytes(REQUEST_MAX_BYTES + 1)),
            await http.post(server.url(), content=pieces()),
            await http.head(server.url()),
        ]
        async with http.stream("GET", server.url()) as stream:
            answers.append(stream)
            await stream.aread()

    assert [each.json() for each in answers] == ["by the other way"] * 4
    assert server.came == []


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    tls = server_context(tmp_path, "localhost")
    async with scripted(tls) as server, client(tls=trusting(tmp_path)) as http:
        assert (await http.get(server.url(host="localhost"))).content == b"{}"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await http.get(server.url(host="127.0.0.1"))

    async with scripted(tls) as server, client() as http:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await http.get(server.url(host="localhost"))


async def test_closing_hangs_up_what_is_idle() -> None:
    async with scripted() as server:
        async with client() as http:
            await http.get(server.url())

        await server.has_left(0)


def test_any_event_loop_will_do() -> None:
    async def call_twice() -> list[bytes]:
        async with scripted() as server, client() as http:
            return [(await http.get(server.url(host="localhost"))).content for _ in range(2)]

    assert uvloop.run(call_twice()) == [b"{}", b"{}"]
