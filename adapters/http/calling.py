"""One HTTP call: one deadline for all of it, one connection that is not used again, and nothing of the environment."""

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from typing import Any, NoReturn

import httpcore
from msgspec.structs import replace

from adapters.http.addresses import AddressPolicy
from adapters.http.capture import Capture
from adapters.http.dialing import AddressNotAllowed, Dialer, LookupFailed, Resolve
from adapters.http.lookups import SystemResolver
from adapters.http.targets import Target, joined, target_of
from adapters.http.trust import world
from domain.calls import AttemptStatus, Call, ErrorClass, Found, Timings, failed
from domain.errors import InvalidInput

SHOWN = re.compile(
    r"content-(type|length|encoding|language)|date|etag|last-modified|location|retry-after|server|via|cache-control"
    r"|expires|allow|x-request-id|x-correlation-id|x-amzn-requestid|cf-ray|traceparent|(x-)?ratelimit-[a-z-]{1,30}"
)
"""The response headers that are kept: none of them carries a session."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_GOES_ANYWHERE = frozenset({"accept", "accept-language", "user-agent", "content-type"})
"""The headers of users that another origin gets to see."""


class _Failed(Exception):
    """The call is over; `found` says why."""

    def __init__(self, error_class: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.found = failed(error_class, message)


class _Response:
    """What has come of a response."""

    def __init__(self, response: httpcore.Response) -> None:
        headers = response.headers
        self.status = response.status
        self.location = _value_of(b"location", headers)
        self._shown = _shown(headers)
        self._capture = Capture(_value_of(b"content-type", headers), _value_of(b"content-encoding", headers))
        self._is_read = self._is_whole = False

    async def read(self, response: httpcore.Response) -> None:
        """Read its body, as far as it is kept."""
        async for chunk in response.aiter_stream():
            self._capture.feed(chunk)
            if self._capture.is_full:
                break
        else:
            self._is_whole = True
        self._is_read = True

    def added_to(self, found: Found) -> Found:
        """What was found, with this. The executions document has a status code where the request completed alone."""
        return replace(
            found,
            status_code=self.status if self._is_read else None,
            message=found.message if self._is_read else f"{found.message} Its status was {self.status}.",
            body_preview=self._capture.text,
            body_truncated=not self._is_whole,
            bytes_received=self._capture.received,
            response_headers=self._shown,
        )


class _Hop:
    """What is known of one request and its response so far, and when it came to be known."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = self._mark = now()
        self.phase = "lookup"
        self.parts: dict[str, int] = {}
        self.response: _Response | None = None
        self.certificate_ends_at: int | None = None

    def looked_up(self) -> None:
        """The addresses are known."""
        self._enter("connect", "lookup_ms")

    async def trace(self, name: str, info: dict[str, Any]) -> None:
        """What the library says of its steps."""
        match name:
            case "connection.connect_tcp.complete":
                self._enter("send", "connect_ms")
            case "connection.start_tls.started":
                self.phase = "tls"
            case "connection.start_tls.complete":
                self._enter("send", "tls_ms")
                self.certificate_ends_at = _certificate_end(info["return_value"])
            case "http11.receive_response_headers.complete":
                self.phase = "body"
                self.parts["first_byte_ms"] = _ms(self._now() - self._began)
            case _:
                pass

    def _enter(self, phase: str, part: str) -> None:
        now = self._now()
        self.parts[part], self._mark, self.phase = _ms(now - self._mark), now, phase


class SafeHttpCaller:
    """Calls what the policy permits. `resolve` looks names up; `trust` is whose certificates are believed."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._policy = policy
        self._resolve = resolve or SystemResolver()
        self._trust = trust or world()
        self._now = now

    async def call(self, call: Call) -> Found:
        """Make one call within its time; whatever goes wrong is in what it returns."""
        began = self._now()
        hops = [_Hop(self._now)]
        try:
            async with asyncio.timeout(call.timeout_ms / 1_000):
                await self._follow(call, hops)
            found = Found(AttemptStatus.SUCCESS, 0)
        except TimeoutError:
            found = _timed_out(hops[-1].phase, call.timeout_ms)
        except _Failed as over:
            found = over.found
        if hops[-1].response is not None:
            found = hops[-1].response.added_to(found)
        took = _ms(self._now() - began)
        timings = Timings(**hops[-1].parts, total_ms=took)
        ends = [hop.certificate_ends_at for hop in hops if hop.certificate_ends_at is not None]
        certificate = min(ends, default=None)
        return replace(
            found, latency_ms=took, timings=timings, redirects=len(hops) - 1, certificate_ends_at=certificate
        )

    async def _follow(self, call: Call, hops: list[_Hop]) -> None:
        target = _target(call.url)
        while True:
            response = await self._ask(call, target, hops[-1])
            is_redirect = response.status in _REDIRECTS - call.stays and response.location
            if not is_redirect or not call.max_redirects:
                return
            if len(hops) > call.max_redirects:
                raise _Failed(
                    ErrorClass.REDIRECT_REFUSED, f"The target redirects more than {call.max_redirects} times."
                )
            call, target = _redirected(call, target, response.status, response.location)
            hops.append(_Hop(self._now))

    async def _ask(self, call: Call, target: Target, hop: _Hop) -> _Response:
        origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
        connection = httpcore.AsyncHTTPConnection(
            origin, self._trust, network_backend=Dialer(self._resolve, self._policy, hop.looked_up)
        )
        request = httpcore.Request(
            call.method,
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target.path),
            headers=_headers_of(call, target),
            content=call.body,
            extensions={"trace": hop.trace},
        )
        try:
            response = await connection.handle_async_request(request)
            hop.response = _Response(response)
            await hop.response.read(response)
            return hop.response
        except AddressNotAllowed:
            raise _Failed(ErrorClass.ADDRESS_NOT_ALLOWED, f"Calling {target.host_header} is not allowed.") from None
        except LookupFailed:
            raise _Failed(ErrorClass.DNS_ERROR, f"The name {target.host} cannot be resolved.") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            _fail(hop.phase, target, error)
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, ValueError) as error:
            message = f"{target.host_header} does not speak HTTP as it should: {str(error).rstrip('.')}."
            raise _Failed(ErrorClass.PROTOCOL_ERROR, message) from None
        finally:
            await connection.aclose()


def _certificate_end(stream: httpcore.AsyncNetworkStream) -> int | None:
    """When the certificate ends that the server showed; None where it was not verified, and so is not known."""
    connection = stream.get_extra_info("ssl_object")
    shown = connection.getpeercert() if isinstance(connection, ssl.SSLObject | ssl.SSLSocket) else None
    date = shown.get("notAfter") if shown else None
    return ssl.cert_time_to_seconds(date) * 1_000 if isinstance(date, str) else None


def _fail(phase: str, target: Target, error: Exception) -> NoReturn:
    why = f" ({error})" if str(error) else ""
    if phase == "tls":
        raise _Failed(
            ErrorClass.TLS_ERROR, f"No secure connection to {target.host_header} could be made{why}."
        ) from None
    if phase in {"lookup", "connect"}:
        raise _Failed(ErrorClass.CONNECT_ERROR, f"{target.host_header} cannot be connected to{why}.") from None
    raise _Failed(ErrorClass.CONNECT_ERROR, f"The connection to {target.host_header} broke{why}.") from None


def _timed_out(phase: str, timeout_ms: int) -> Found:
    within = f"within {timeout_ms / 1_000:g} s"
    if phase in {"lookup", "connect", "tls"}:
        return failed(ErrorClass.CONNECT_TIMEOUT, f"No connection came about {within}.")
    if phase == "send":
        return failed(ErrorClass.READ_TIMEOUT, f"The target did not answer {within}.")
    return failed(ErrorClass.DEADLINE_EXCEEDED, f"The target began to answer, and had not ended {within}.")


def _target(url: str) -> Target:
    try:
        return target_of(url)
    except InvalidInput as error:
        raise _Failed(ErrorClass.INVALID_REQUEST, str(error)) from None


def _headers_of(call: Call, target: Target) -> list[tuple[bytes, bytes]]:
    given = [(name.encode("ascii"), value.encode("latin-1")) for name, value in call.headers]
    # Compressed bodies would have to be unpacked: those who must send them do it anyway.
    first = [(b"Host", target.host_header.encode()), (b"Accept-Encoding", b"identity"), (b"Connection", b"close")]
    length = [] if call.body is None else [(b"Content-Length", str(len(call.body)).encode())]
    return first + given + length


def _value_of(name: bytes, headers: list[tuple[bytes, bytes]]) -> str:
    """The whole value of a header, of several the first. Some send UTF-8 where RFC 9110 (5.5) has ASCII."""
    return _text_of(next((value for each, value in headers if each.lower() == name), b""))


def _text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _shown(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if SHOWN.fullmatch(name):
            found.setdefault(name, _text_of(raw_value))
    return found


def _redirected(call: Call, target: Target, status: int, location: str) -> tuple[Call, Target]:
    """The request that a redirect asks for, without what another origin must not see."""
    try:
        url = joined(call.url, location)
        goes_to = target_of(url)
    except InvalidInput as error:
        raise _Failed(ErrorClass.REDIRECT_REFUSED, str(error)) from None
    if target.scheme == "https" and goes_to.scheme != "https":
        raise _Failed(ErrorClass.REDIRECT_REFUSED, "The target redirects from https to http.")
    changes: dict[str, Any] = {"url": url}
    headers = call.headers
    if status not in _KEEPS_METHOD and call.method != "GET":
        changes |= {"method": "GET", "body": None}
        headers = tuple(each for each in headers if each[0].lower() != "content-type")
    if goes_to.origin != target.origin:
        if changes.get("body", call.body) is not None and call.has_secret_body:
            raise _Failed(ErrorClass.REDIRECT_REFUSED, "The target redirects a body that holds a secret elsewhere.")
        headers = tuple(each for each in headers if _goes_along(each[0].lower(), call))
    return replace(call, headers=headers, **changes), goes_to


def _goes_along(name: str, call: Call) -> bool:
    is_ours = name.startswith("x-cron-service-")
    return (is_ours or name in _GOES_ANYWHERE) and name not in call.secret_headers


def _ms(seconds: float) -> int:
    return round(seconds * 1_000)
