"""The client of the SDK: httpx's, without what an engine never asks for."""

from collections.abc import AsyncIterator

import httpx
import pytest

from runfold import client
from runfold.client import Client
from runfold.transport import connect

URL = "http://engine.test/api"
TIMEOUT = httpx.Timeout(30.0)


async def test_cookies_are_not_kept_and_redirects_not_followed() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(307, headers={"location": "/elsewhere", "set-cookie": "a=b"})

    async with Client(httpx.MockTransport(answer), TIMEOUT) as http:
        statuses = [(await http.post(URL, content=b"{}")).status_code for _ in range(2)]

    assert statuses == [307, 307]
    assert [(str(each.url), each.headers.get("cookie"), each.content) for each in asked] == [(URL, None, b"{}")] * 2


async def test_whoever_looks_at_responses_sees_each() -> None:
    seen: list[str] = []

    async def look(response: httpx.Response) -> None:
        seen.append(f"{response.request.method} {response.status_code}")

    async with Client(httpx.MockTransport(lambda _: httpx.Response(200)), TIMEOUT) as http:
        http.event_hooks["response"].append(look)
        await http.post(URL)
        await http.get(URL)

    assert seen == ["POST 200", "GET 200"]


class Broken(httpx.AsyncByteStream):
    """An answer that ends in the middle."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        raise httpx.ReadError("cut")

    async def aclose(self) -> None:
        self.is_closed = True


async def test_an_answer_that_breaks_off_is_closed() -> None:
    broken = Broken()
    async with Client(httpx.MockTransport(lambda _: httpx.Response(200, stream=broken)), TIMEOUT) as http:
        with pytest.raises(httpx.ReadError, match="cut"):
            await http.get(URL)

    assert broken.is_closed


@pytest.mark.parametrize(
    ("proxies", "kind"),
    [({"http": "http://proxy.test:3128"}, httpx.AsyncClient), ({"no": "localhost"}, Client), ({}, Client)],
)
async def test_through_a_proxy_httpx_knows_the_way(
    monkeypatch: pytest.MonkeyPatch, proxies: dict[str, str], kind: type[httpx.AsyncClient]
) -> None:
    monkeypatch.setattr(client, "getproxies", lambda: proxies)

    async with connect() as http:
        assert type(http) is kind


async def test_a_request_says_what_is_named_and_who_sends_it() -> None:
    async with Client(httpx.MockTransport(lambda _: httpx.Response(200)), TIMEOUT) as http:
        http.headers["x-other"] = "of the client"
        http.cookies.set("a", "b")
        request = http.build_request("POST", URL, content=b"{}", params={"a": "1"}, headers={"accept-encoding": "gzip"})

    assert (request.method, str(request.url), request.content) == ("POST", f"{URL}?a=1", b"{}")
    assert dict(request.headers) == {
        "host": "engine.test",
        "user-agent": "runfold",
        "accept-encoding": "gzip",
        "content-length": "2",
    }


async def test_a_call_has_its_own_patience_or_that_of_the_client() -> None:
    patience: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        patience.append(request.extensions["timeout"]["read"])
        return httpx.Response(200)

    async with Client(httpx.MockTransport(answer), TIMEOUT) as http:
        await http.get(URL)
        await http.get(URL, timeout=7.0)
        await http.get(URL, timeout=httpx.Timeout(8.0))
        await http.get(URL)

    assert patience == [30.0, 7.0, 8.0, 30.0]


async def test_the_parameters_of_one_call_are_none_of_the_next() -> None:
    async with Client(httpx.MockTransport(lambda _: httpx.Response(200)), TIMEOUT) as http:
        asked = [str((await http.get(URL, params=params)).url) for params in ({"page": "2"}, None)]

    assert asked == [f"{URL}?page=2", URL]
