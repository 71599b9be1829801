"""httpx's client as far as calls to an engine need it: cookies, redirects and logging took a sixth of each."""

from collections.abc import Callable
from ssl import SSLContext
from typing import Any
from urllib.request import getproxies

import httpx


class Client(httpx.AsyncClient):
    """Sends by one way, and looks at nothing on it. Of httpx's hooks those of responses are called."""

    def __init__(self, way: httpx.AsyncBaseTransport, timeout: httpx.Timeout) -> None:
        super().__init__(transport=way, timeout=timeout)
        self._way = way

    async def send(self, request: httpx.Request, *, stream: bool = False, **_: Any) -> httpx.Response:
        """The answer, whole unless it is to be a stream. Raises httpx's TransportError."""
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


def client_of(timeout: httpx.Timeout, limits: httpx.Limits, tls: Callable[[], SSLContext]) -> httpx.AsyncClient:
    """A client for one event loop. Through a proxy it is httpx's own, which knows the way."""
    if getproxies().keys() - {"no"}:
        return httpx.AsyncClient(timeout=timeout, verify=tls(), limits=limits)
    return Client(httpx.AsyncHTTPTransport(verify=tls(), limits=limits), timeout)
