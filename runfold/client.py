"""httpx's client as far as calls to an engine need it: what it does besides took most of a call (ADR 54)."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from ssl import SSLContext
from typing import Any
from urllib.request import getproxies

import httpx

from runfold.short_calls import WHOLE, ShortCalls

HEADERS = {"user-agent": "runfold", "accept-encoding": "gzip, deflate"}


class Client(httpx.AsyncClient):
    """Sends by one way, and looks at nothing on it: cookies, redirects, hooks but those of responses, settings."""

    def __init__(self, way: httpx.AsyncBaseTransport, timeout: httpx.Timeout) -> None:
        super().__init__(transport=way, timeout=timeout)
        self._way = way

    def build_request(
        self,
        method: str,
        url: httpx.URL | str,
        *,
        headers: Any = None,
        timeout: Any = httpx.USE_CLIENT_DEFAULT,
        extensions: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> httpx.Request:
        """A request of what is named here, and nothing of the client but its time-outs."""
        patience = self.timeout if timeout is httpx.USE_CLIENT_DEFAULT else httpx.Timeout(timeout)
        return httpx.Request(
            method,
            _url(str(url)),
            headers={**HEADERS, **dict(headers or {})},
            extensions={**(extensions or {}), "timeout": patience.as_dict()},
            **named,
        )

    async def send(self, request: httpx.Request, *, stream: bool = False, **_: Any) -> httpx.Response:
        """The answer, whole unless it is to be a stream. Raises httpx's TransportError."""
        request.extensions[WHOLE] = not stream
        response = await self._way.handle_async_request(request)
        response.request = request
        try:
            for hook in self.event_hooks["response"]:
                await hook(response)
            if not stream:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


def client_of(timeout: httpx.Timeout, idle_seconds: float, tls: Callable[[], SSLContext]) -> httpx.AsyncClient:
    """A client for one event loop, which uses a connection again for so long.

    Through a proxy it is httpx's own, which knows the way.
    """
    limits = httpx.Limits(keepalive_expiry=idle_seconds)
    if getproxies().keys() - {"no"}:
        return httpx.AsyncClient(timeout=timeout, verify=tls(), limits=limits)
    return Client(ShortCalls(httpx.AsyncHTTPTransport(verify=tls(), limits=limits), tls, idle_seconds), timeout)


@lru_cache(maxsize=100)
def _url(text: str) -> httpx.URL:
    """Taken apart once: most calls go to a few addresses."""
    return httpx.URL(text)
