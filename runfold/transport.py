"""Calls to the engine's management API: retries, errors, one set of connections per event loop."""

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from ssl import SSLContext
from typing import NamedTuple
from weakref import WeakKeyDictionary

import httpx

from runfold.addresses import Preferred
from runfold.answers import Answer, answer_of
from runfold.client import client_of
from runfold.config import Settings, current_settings
from runfold.errors import ApiConnectionError, ApiError, ConfigurationError, api_error, not_an_engine
from runfold.tracing import current_traceparent

ATTEMPTS_MAX = 5
WAIT_SECONDS_FIRST = 0.25
WAIT_SECONDS_MAX = 5.0
RETRY_AFTER_SECONDS_MAX = 60.0
SILENCE_SECONDS_MAX = 45.0
"""A stream that is silent for three heartbeats is broken."""
EVENT_STREAM = "text/event-stream"


def connect() -> httpx.AsyncClient:
    # Idle connections are given up before the engine closes them, which would look like an outage.
    return client_of(httpx.Timeout(30.0, connect=5.0), 3.0, _tls)


_insists: ContextVar[bool] = ContextVar("runfold_insists", default=False)


@contextmanager
def insisting() -> Generator[None]:
    """In here calls are tried until the engine answers, as the worker of a run does, whose code this is."""
    token = _insists.set(True)
    try:
        yield
    finally:
        _insists.reset(token)


class Line(NamedTuple):
    text: str
    address: str
    """Who told it."""


class Transport:
    """Clock, sleep and chance are arguments, so that tests need no time."""

    def __init__(
        self,
        *,
        connect: Callable[[], httpx.AsyncClient] = connect,
        settings: Callable[[], Settings] = current_settings,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._connect = connect
        self._settings = settings
        self.chance = chance
        self.sleep = sleep
        self.clock = clock
        self._preferred = Preferred()
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._guards: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None]] = WeakKeyDictionary()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | Callable[[], AsyncIterator[bytes]] | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        """The body of the successful answer; raises ApiError or ApiConnectionError when the attempts are used up.

        Raises ConfigurationError if something else than an engine answers. While it is `insisting` the attempts are
        never used up. An attempt asks one node after the other until one answers. A body that is a stream is made anew
        for each of them.
        """
        settings = self._settings()
        client = await self._client()
        headers = {
            "authorization": f"Bearer {settings.secret_key}",
            "content-type": content_type,
            # The same over all attempts, so that a repeated trigger makes no second run.
            "x-trigger-request-idempotency-key": str(uuid.uuid4()),
        }
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent

        async def ask(address: str) -> bytes:
            content = body() if callable(body) else body
            request = client.build_request(method, address + path, params=query, content=content, headers=headers)
            return await _send(client, request)

        for attempt in itertools.count(1):
            try:
                return await self._ask_any(ask, settings.addresses)
            except PassingError as passing:
                if attempt >= ATTEMPTS_MAX and not _insists.get():
                    raise passing.error from None  # its sentence has the reason; httpx's own story is forty lines
                wait = backoff(attempt, self.chance()) if passing.wait is None else passing.wait
            await self.sleep(wait)
        raise AssertionError("counting does not end")

    async def lines(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> AsyncGenerator[Line]:
        """The lines of an event stream as they come. Raises ApiError, PassingError, EndOfStream when there is no more.

        Raises ConfigurationError if what is answered is no event stream, so no engine's. One attempt, at one node: who
        reads knows how far that came. If the node fails, the next attempt is at another.
        """
        settings, client = self._settings(), await self._client()
        address = self._preferred.current(settings.addresses)
        request = client.build_request(
            "GET",
            address + path,
            params=query,
            headers={"authorization": f"Bearer {settings.secret_key}", **headers},
            timeout=httpx.Timeout(SILENCE_SECONDS_MAX, connect=5.0),
        )
        try:
            response = await client.send(request, stream=True)
            try:
                await _check(response)
                async for line in response.aiter_lines():
                    yield Line(line, origin(request))
            finally:
                await response.aclose()
        except PassingError as passing:
            if passing.is_of_node:
                self._preferred.leave(address, settings.addresses)
            raise
        except httpx.TransportError as error:
            self._preferred.leave(address, settings.addresses)
            raise PassingError(_unanswered(request, error)) from error

    async def _ask_any(self, ask: Callable[[str], Awaitable[bytes]], addresses: Sequence[str]) -> bytes:
        """The answer of the first node that has one. Raises ApiError, and PassingError when none has."""
        for others in reversed(range(len(addresses))):
            address = self._preferred.current(addresses)
            try:
                return await ask(address)
            except PassingError as passing:
                if passing.is_of_node:
                    self._preferred.leave(address, addresses)
                if not passing.is_of_node or not others:
                    raise
        raise AssertionError("there is at least one address")

    async def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._connect()
            guard = self._guards[loop] = self._close_with(loop, client)
            await anext(guard)
        return client

    async def _close_with(self, loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> AsyncGenerator[None]:
        """An event loop that ends closes its async generators: the one moment to close connections in order."""
        try:
            yield
        finally:
            self._clients.pop(loop, None)
            self._guards.pop(loop, None)
            await client.aclose()


class EndOfStream(Exception):
    """All was told."""


class PassingError(Exception):
    """The same call may succeed later, after `wait` seconds if the engine said so."""

    def __init__(self, error: ApiError | ApiConnectionError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait

    @property
    def is_of_node(self) -> bool:
        """Whether another node may do better at once."""
        return not isinstance(self.error, ApiError) or leaves_node(self.error.status)


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> bytes:
    try:
        response = await client.send(request)
    except httpx.TransportError as error:
        raise PassingError(_unanswered(request, error)) from error
    if response.is_success:
        return content_of(response)
    refusal = api_error(response.status_code, response.content, origin(request))
    if is_passing(response.status_code):
        raise PassingError(refusal, retry_after(response))
    raise refusal


async def _check(response: httpx.Response) -> None:
    """Raises ApiError, PassingError, EndOfStream, ConfigurationError unless it is an event stream to be read."""
    if response.status_code == 204:
        raise EndOfStream
    if not response.is_success:
        refusal = api_error(response.status_code, await response.aread(), origin(response.request))
        raise PassingError(refusal) if is_passing(response.status_code) else refusal
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != EVENT_STREAM:
        raise ConfigurationError(not_an_engine(response.status_code, origin(response.request)))


def _unanswered(request: httpx.Request, error: httpx.TransportError) -> ApiConnectionError:
    return ApiConnectionError(f"The engine at {origin(request)} did not answer: {reason(error)}")


def origin(request: httpx.Request) -> str:
    """Who was asked, without a password that may be in the address."""
    return f"{request.url.scheme}://{request.url.netloc.decode()}"


def content_of(response: httpx.Response) -> Answer:
    """What an engine answers: an object or a list in JSON, or nothing (204). Raises ConfigurationError for others."""
    content = response.content
    if not content.startswith((b"{", b"[")) and response.status_code != 204:
        raise ConfigurationError(not_an_engine(response.status_code, origin(response.request)))
    return answer_of(content, response.status_code, origin(response.request))


@cache
def _tls() -> SSLContext:
    """Certificates are read once: it takes longer than many calls."""
    return httpx.create_ssl_context()


def is_passing(status: int) -> bool:
    """Whether the same call may succeed later."""
    return status in {408, 429} or status >= 500


def leaves_node(status: int) -> bool:
    """Whether this is the answer of a node that stops, or knows no writer."""
    return status == 503


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait after a failed attempt (1-based): doubling, bounded, jittered downwards by up to a half."""
    doubled = WAIT_SECONDS_FIRST * 2.0 ** min(attempt - 1, 16)
    return min(WAIT_SECONDS_MAX, doubled) * (0.5 + chance / 2)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds the engine asks to wait; bounded, because a caller waits for them."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None  # absent, or a date, which the engine never sends
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)


def reason(error: httpx.TransportError) -> str:
    """Some of these errors have no text of their own."""
    return str(error) or type(error).__name__


default = Transport()
