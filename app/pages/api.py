"""The API, as pages ask it: the same routes as everybody's, with the key of whoever is signed in, in this process."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import httpx
import msgspec
from msgspec import Raw
from starlette.types import ASGIApp

from app.web.caller import FORWARDED, REQUEST_KEY

UNAUTHORIZED = 401
NOT_FOUND = 404


class ApiError(Exception):
    """What the API refused; the message is its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Answer(NamedTuple):
    """What the API said: `lag` is by how many events a list was behind."""

    content: bytes
    lag: int

    @property
    def data(self) -> Any:
        """The whole body."""
        return msgspec.json.decode(self.content)

    @property
    def raw(self) -> dict[str, Raw]:
        """The fields of the body, each as it was written: what users sent is to be shown as it is."""
        return msgspec.json.decode(self.content, type=dict[str, Raw])


class Gateway:
    """One client for all pages of an application."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self._application, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://engine", trust_env=False)

    async def send(
        self, method: str, path: str, parameters: Mapping[str, str], body: object, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Ask a route of this application."""
        content = None if body is None else msgspec.json.encode(body)
        return await self._client.request(method, path, params=parameters, content=content, headers=headers)


class Api:
    """The API for one visitor. Whatever is refused raises ApiError."""

    def __init__(self, gateway: Gateway, key: str, found_at: str) -> None:
        self._gateway = gateway
        self._headers = {"authorization": f"Bearer {key}", FORWARDED: found_at}

    def name_requests(self, key: str) -> None:
        """Send this key with all that follows: what was made with it before is not made again, but answered."""
        self._headers[REQUEST_KEY] = key

    async def get(self, path: str, **parameters: str) -> Any:
        """The body of the answer to a question."""
        return (await self.ask(path, parameters)).data

    async def ask(self, path: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """The answer to a question."""
        return await self.send("GET", path, parameters=parameters)

    async def post(self, path: str, body: object = None) -> Any:
        """The body of the answer to a command."""
        return (await self.send("POST", path, body)).data

    async def send(
        self, method: str, path: str, body: object = None, parameters: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request."""
        response = await self._gateway.send(method, path, parameters or {}, body, self._headers)
        if response.is_error:
            raise ApiError(response.status_code, _sentence_of(response.content))
        lag = response.headers.get("x-runfold-lag", "0")
        return Answer(response.content, int(lag))


def _sentence_of(content: bytes) -> str:
    body: dict[str, Any] = msgspec.json.decode(content)
    match body:
        case {"error": {"message": str(sentence)}} | {"detail": str(sentence)}:  # the executions document, all others
            return sentence
        case _:
            return "The engine refused this without a reason."
