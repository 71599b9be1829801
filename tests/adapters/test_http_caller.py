"""One HTTP call against a real server that behaves, and one that does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.http.addresses import AddressPolicy, parsed_networks
from adapters.http.calling import SafeHttpCaller
from adapters.http.dialing import Resolve
from adapters.http.targets import check_headers, target_of
from domain.calls import AttemptStatus, Call, ErrorClass, Found
from domain.errors import InvalidInput
from tests.certificates import END, server_context, trusting
from tests.targets import Target, a_target

HERE = AddressPolicy(parsed_networks("127.0.0.0/8"))
NAMES = {
    "good.test": ["127.0.0.1"],
    "other.test": ["127.0.0.1"],
    "inward.test": ["10.0.0.1"],
    "mixed.test": ["127.0.0.1", "169.254.169.254"],
    "metadata.test": ["169.254.169.254"],
    "none.test": [],
}


async def resolve(host: str, _port: int) -> list[str]:
    if host not in NAMES:
        raise OSError(host)
    return NAMES[host]


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with a_target() as target:
        yield target


async def call(url: str, *, by: Resolve | None = None, policy: AddressPolicy = HERE, **more: Any) -> Found:
    return await SafeHttpCaller(policy, resolve=by).call(Call(more.pop("method", "GET"), url, **more))


def ended(found: Found) -> tuple[AttemptStatus, ErrorClass | None, int | None]:
    return found.status, found.error_class, found.status_code


async def test_an_answer_is_found_with_its_status_body_headers_and_times(target: Target) -> None:
    found = await call(target.url("/"))

    assert ended(found) == (AttemptStatus.SUCCESS, None, 200)
    assert (found.body_preview, found.bytes_received, found.body_truncated) == ("hello", 5, False)
    assert found.response_headers == {"content-length": "5", "content-type": "text/plain"}
    assert found.timings.first_byte_ms is not None
    assert 0 <= found.timings.first_byte_ms <= found.timings.total_ms == found.latency_ms
    assert (found.timings.lookup_ms, found.timings.connect_ms, found.timings.tls_ms) != (None, None, None)


async def test_a_request_is_sent_as_it_was_asked_for(target: Target) -> None:
    await call(
        target.url("/a%20b?c=d"), method="PUT", headers=(("X-One", "1"), ("Content-Type", "text/x")), body=b"\x00hi"
    )

    (asked,) = target.asked
    assert (asked.method, asked.path, asked.body) == ("PUT", "/a%20b?c=d", b"\x00hi")
    assert asked.headers == {
        "host": f"127.0.0.1:{target.port}",
        "accept-encoding": "identity",
        "connection": "close",
        "x-one": "1",
        "content-type": "text/x",
        "content-length": "3",
    }


@pytest.mark.parametrize("status", [200, 201, 204, 301, 400, 404, 410, 429, 500, 503, 599])
async def test_every_status_is_an_answer(target: Target, status: int) -> None:
    found = await call(target.url(f"/status/{status}"))

    assert ended(found) == (AttemptStatus.SUCCESS, None, status)


@pytest.mark.parametrize(
    ("path", "error_class"),
    [("/hang", ErrorClass.READ_TIMEOUT), ("/drip", ErrorClass.DEADLINE_EXCEEDED)],
)
async def test_one_deadline_holds_for_all_of_it(target: Target, path: str, error_class: ErrorClass) -> None:
    found = await call(target.url(path), timeout_ms=150)

    assert ended(found) == (AttemptStatus.TIMEOUT, error_class, None)
    assert found.message is not None
    assert "within 0.15 s" in found.message


async def test_what_came_before_the_deadline_is_kept(target: Target) -> None:
    found = await call(target.url("/drip"), timeout_ms=150)

    assert (found.message or "").endswith("had not ended within 0.15 s. Its status was 200.")
    assert found.bytes_received > 0
    assert found.body_preview == "." * found.bytes_received
    assert (found.body_truncated, found.response_headers) == (True, {"content-length": "1000000"})


async def test_what_came_before_a_redirect_was_refused_is_kept(target: Target) -> None:
    found = await call(target.url("/status/307?location=ftp://a.test/"), max_redirects=1)

    assert ended(found) == (AttemptStatus.HTTP_ERROR, ErrorClass.REDIRECT_REFUSED, 307)
    assert (found.body_preview, found.body_truncated) == ("so it is", False)
    assert found.response_headers["location"] == "ftp://a.test/"


async def test_a_look_up_that_hangs_is_within_the_deadline() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        raise AssertionError

    found = await call("http://slow.test/", by=never, timeout_ms=50)

    assert ended(found) == (AttemptStatus.TIMEOUT, ErrorClass.CONNECT_TIMEOUT, None)


async def test_an_endless_body_is_read_no_further_than_it_is_kept(target: Target) -> None:
    found = await call(target.url("/endless"))

    assert ended(found) == (AttemptStatus.SUCCESS, None, 200)
    assert (len(found.body_preview or ""), found.body_truncated) == (65_536, True)
    assert found.bytes_received < 300_000


@pytest.mark.parametrize(("size", "truncated"), [(65_535, False), (65_536, False), (65_537, True)])
async def test_a_body_of_exactly_what_is_kept_is_whole(target: Target, size: int, truncated: bool) -> None:  # noqa: FBT001
    found = await call(target.url(f"/big/{size}"))

    assert (len(found.body_preview or ""), found.body_truncated) == (min(size, 65_536), truncated)


async def test_what_is_compressed_is_not_unpacked_beyond_what_is_kept(target: Target) -> None:
    found = await call(target.url("/bomb"))

    assert (len(found.body_preview or ""), found.body_truncated) == (65_536, True)
    assert found.bytes_received < 70_000


@pytest.mark.parametrize(
    "answer",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
    ids=ascii,
)
async def test_what_is_not_http_is_a_protocol_error(target: Target, answer: bytes) -> None:
    found = await call(target.url(f"/raw/{answer.hex()}"))

    assert ended(found) == (AttemptStatus.CONNECTION_ERROR, ErrorClass.PROTOCOL_ERROR, None)
    assert found.message is not None
    assert found.message.endswith(".")
    assert not found.message.endswith("..")


async def test_headers_that_are_too_long_are_not_read(target: Target) -> None:
    assert ended(await call(target.url("/headers")))[1] is ErrorClass.PROTOCOL_ERROR


async def test_a_connection_that_is_reset_or_refused_is_told(target: Target) -> None:
    reset = await call(target.url("/reset"))
    async with a_target() as gone:
        nowhere = gone.url()
    refused = await call(nowhere)

    assert ended(reset) == ended(refused) == (AttemptStatus.CONNECTION_ERROR, ErrorClass.CONNECT_ERROR, None)
    assert "broke" in (reset.message or "")
    assert "cannot be connected to" in (refused.message or "")


@pytest.mark.parametrize("host", ["nowhere.test", "none.test"])
async def test_a_name_without_an_address_is_told(host: str) -> None:
    found = await call(f"http://{host}/", by=resolve)

    assert ended(found) == (AttemptStatus.CONNECTION_ERROR, ErrorClass.DNS_ERROR, None)
    assert found.message == f"The name {host} cannot be resolved."


@pytest.mark.parametrize("host", ["inward.test", "mixed.test", "metadata.test"])
async def test_a_name_with_one_address_that_must_not_be_called_is_not_called_at_all(target: Target, host: str) -> None:
    found = await call(target.url(host=host), by=resolve)

    assert ended(found) == (AttemptStatus.CONNECTION_ERROR, ErrorClass.ADDRESS_NOT_ALLOWED, None)
    assert found.message == f"Calling {host}:{target.port} is not allowed."
    assert target.asked == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "127。0。0。1", "017700000001"]
)
async def test_this_machine_is_not_called_however_it_is_written(target: Target, host: str) -> None:
    found = await call(target.url(host=host), policy=AddressPolicy())

    assert found.error_class in {ErrorClass.ADDRESS_NOT_ALLOWED, ErrorClass.DNS_ERROR}
    assert target.asked == []


async def test_the_name_is_looked_up_once_so_that_it_cannot_change_behind_the_check(target: Target) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    found = await call(target.url(host="good.test"), by=rebinding)

    assert (found.status_code, len(answers)) == (200, 1)
    assert target.asked[0].headers["host"] == f"good.test:{target.port}"


async def test_the_next_address_is_tried_when_one_does_not_answer(target: Target) -> None:
    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    assert (await call(target.url(host="good.test"), by=two)).status_code == 200


async def test_proxies_of_the_environment_are_not_asked(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert (await call(target.url())).status_code == 200


async def test_a_redirect_is_an_answer_unless_it_is_to_be_followed(target: Target) -> None:
    url = target.url("/status/302?location=/status/201")

    assert (await call(url)).status_code == 302
    followed = await call(url, max_redirects=1)
    assert (followed.status_code, followed.redirects) == (201, 1)
    assert (await call(url, max_redirects=1, stays=frozenset({302}))).status_code == 302


def redirecting(target: Target, location: bytes) -> str:
    target.script = [(302, "", {"location": location.decode("latin-1")})]
    return target.url("/next")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"/status/200?" + b"a" * 7_000 + b"end", "/status/200?" + "a" * 7_000 + "end"),
        ("/status/200?café".encode(), "/status/200?caf%C3%A9"),
        ("/status/200?café".encode("latin-1"), "/status/200?caf%C3%A9"),
    ],
    ids=["long", "UTF-8", "Latin-1"],
)
async def test_a_redirect_is_followed_to_where_it_leads_and_not_to_what_is_shown_of_it(
    target: Target, location: bytes, path: str
) -> None:
    found = await call(redirecting(target, location), max_redirects=1)

    assert (found.status_code, target.asked[-1].path) == (200, path)


async def test_a_redirect_to_a_url_that_is_too_long_is_refused(target: Target) -> None:
    found = await call(redirecting(target, b"/" + b"a" * 8_192), max_redirects=1)

    assert found.error_class is ErrorClass.REDIRECT_REFUSED
    assert len(target.asked) == 1


async def test_a_redirect_without_end_is_given_up(target: Target) -> None:
    found = await call(target.url("/status/302?location=?location=/"), max_redirects=2)
    endless = await call(target.url("/status/307?location=%3Flocation%3D%253F"), max_redirects=0)

    assert found.redirects <= 2
    assert endless.status_code == 307


@pytest.mark.parametrize(
    ("host", "error_class"), [("inward.test", "address_not_allowed"), ("[::1", "redirect_refused")]
)
async def test_each_hop_is_checked(target: Target, host: str, error_class: str) -> None:
    url = target.url(f"/status/302?location=http://{host}/", host="good.test")

    found = await call(url, by=resolve, max_redirects=3)

    assert found.error_class == error_class


async def test_secrets_do_not_follow_a_redirect_to_another_origin(target: Target) -> None:
    headers = (("Authorization", "Bearer a"), ("X-Api-Key", "b"), ("Accept", "text/x"), ("User-Agent", "secret"))
    elsewhere = target.url(f"/status/307?location={target.url('/echo', host='other.test')}", host="good.test")
    here = target.url("/status/307?location=/echo", host="good.test")

    there = await call(
        elsewhere, by=resolve, max_redirects=1, headers=headers, secret_headers=frozenset({"user-agent"})
    )
    same = await call(here, by=resolve, max_redirects=1, headers=headers)

    seen = json.loads(there.body_preview or "")["headers"]
    assert seen.keys() == {"host", "accept-encoding", "connection", "accept"}
    assert {"authorization", "x-api-key", "user-agent"} <= json.loads(same.body_preview or "")["headers"].keys()


async def test_a_body_with_a_secret_does_not_follow_either(target: Target) -> None:
    url = target.url(f"/status/307?location={target.url('/echo', host='other.test')}", host="good.test")

    found = await call(url, by=resolve, method="POST", body=b"s", has_secret_body=True, max_redirects=1)

    assert found.error_class is ErrorClass.REDIRECT_REFUSED
    assert len(target.asked) == 1


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(302, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST"), (308, "PUT", "PUT")],
)
async def test_a_redirect_keeps_the_method_or_becomes_a_get(
    target: Target, status: int, method: str, then: str
) -> None:
    url = target.url(f"/status/{status}?location=/echo")

    found = await call(url, method=method, body=b"hi", max_redirects=1)

    told = json.loads(found.body_preview or "")
    assert (told["method"], told["body"]) == (then, "hi" if then == method else "")


async def test_a_secure_connection_is_made_to_the_name_and_not_to_the_number(tmp_path: Path) -> None:
    async with a_target(server_context(tmp_path, "good.test")) as target:
        trusted = SafeHttpCaller(HERE, resolve=resolve, trust=trusting(tmp_path))

        good = await trusted.call(Call("GET", target.url(host="good.test")))
        wrong_name = await trusted.call(Call("GET", target.url(host="other.test")))
        strange = await call(target.url(host="good.test"), by=resolve)
        plain = await call(f"http://good.test:{target.port}/", by=resolve)

    assert ended(good) == (AttemptStatus.SUCCESS, None, 200)
    assert good.timings.tls_ms is not None
    tls_error = (AttemptStatus.CONNECTION_ERROR, ErrorClass.TLS_ERROR, None)
    assert ended(wrong_name) == ended(strange) == tls_error
    assert plain.status is AttemptStatus.CONNECTION_ERROR


async def test_the_end_of_the_certificate_is_found_whatever_becomes_of_the_call(target: Target, tmp_path: Path) -> None:
    async with a_target(server_context(tmp_path, "good.test")) as secure:
        trusted = SafeHttpCaller(HERE, resolve=resolve, trust=trusting(tmp_path))
        elsewhere = f"/status/302?location={secure.url(host='good.test')}"
        paths = ("/", "/status/500", "/hang")

        found = [await trusted.call(Call("GET", secure.url(each, "good.test"), timeout_ms=500)) for each in paths]
        redirected = await trusted.call(Call("GET", target.url(elsewhere, "good.test"), max_redirects=1))
        refused = await trusted.call(Call("GET", secure.url(host="other.test")))
        plain = await call(target.url())

    end = int(END.timestamp() * 1_000)
    assert [each.certificate_ends_at for each in [*found, redirected]] == [end] * 4
    assert [each.error_class for each in found] == [None, None, ErrorClass.READ_TIMEOUT]
    assert (refused.certificate_ends_at, plain.certificate_ends_at) == (None, None)


async def test_a_canceled_call_lets_go_of_its_connection(target: Target) -> None:
    asking = asyncio.create_task(call(target.url("/hang")))
    await target.came(1)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize(
    "charset", ["latin-1", '"iso-8859-1"', "punycode", "hex", "idna", "nothing", "utf-8; charset=hex"]
)
async def test_a_body_is_text_whatever_is_said_of_it(target: Target, charset: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset={charset}\r\n\r\n".encode()
    answer = head + b"caf\xe9"

    found = await call(target.url(f"/raw/{answer.hex()}"))

    assert found.body_preview == ("café" if "latin" in charset or "iso" in charset else "caf\ufffd")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "begins with http:// or https://"),
        ("example.com", "begins with http:// or https://"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://user:pw@example.com/", "holds a user or password"),
        ("http://a b/", "spaces"),
        ("http://a\r\nb/", "spaces"),
        ("http://[fe80::1%25eth0]/", "zone|cannot be read"),
        ("http://example.com:99999/", "port"),
        ("http://example.com:0/", "port"),
        ("http://example.com/" + "x" * 8_192, "at most 8192"),
    ],
)
def test_a_url_that_cannot_be_called_is_refused_in_a_sentence(url: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        target_of(url)


def test_a_url_is_called_as_it_is_meant() -> None:
    target = target_of("https://Bücher.example:8443/ä?q=1#fragment")

    assert (target.scheme, target.host, target.port) == ("https", "xn--bcher-kva.example", 8443)
    assert (target.path, target.host_header) == (b"/%C3%A4?q=1", "xn--bcher-kva.example:8443")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Host", "a"), ("content-length", "1"), ("Transfer-Encoding", "chunked"), ("Connection", "close")),
        *(("X-Cron-Service-Attempt", "9"), ("webhook-id", "a"), ("bad name", "a"), ("a:b", "c"), ("", "a")),
        *(("X-A", "b\r\nX-Injected: d"), ("X-A", "b\0"), ("X-A", "€"), ("X-A", "x" * 16_385)),
    ],
    ids=ascii,
)
def test_headers_that_must_not_be_sent_are_refused_without_their_values(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_headers([(name, value)])

    assert str(refusal.value).endswith(".")
    assert "X-Injected" not in str(refusal.value)
