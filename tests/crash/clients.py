"""Clients that ask until they are answered, whatever happens to the engine."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import httpx

from adapters.http.trust import world
from tests.crash.jobs import Request, next_request

AGAIN_SECONDS = 0.03
THINK_SECONDS = 0.01
"""How long a client thinks at most, for each request that it has made: a rush at first, and never too much."""
ANSWER_SECONDS = 10.0
AGAIN_MAX = 50


class Clients:
    """Several clients, each with one request at a time, from one seed; each call goes to any of the nodes."""

    def __init__(self, urls: Sequence[str], secret_key: str, seed: int) -> None:
        self.requests: list[Request] = []
        self.turned_away = 0
        """How often the engine said that it could not take a request now."""
        headers = {"authorization": f"Bearer {secret_key}"}
        self._http = httpx.AsyncClient(headers=headers, timeout=ANSWER_SECONDS, trust_env=False, verify=world())
        self._urls = urls
        self._chance = random.Random(f"{seed} nodes")
        self._seed = seed
        self._asking: list[asyncio.Task[None]] = []
        self._enough = asyncio.Event()

    @property
    def answered(self) -> int:
        """How many requests have their answer."""
        return sum(bool(request.runs) for request in self.requests)

    def begin(self, count: int = 3) -> None:
        """Ask, until `finish`."""
        self._asking += [asyncio.create_task(self._ask(f"client-{number}")) for number in range(count)]

    def check(self) -> None:
        """Raise what went wrong with a client."""
        for task in self._asking:
            if task.done():
                task.result()

    async def finish(self) -> None:
        """Wait until every request has its answer."""
        self._enough.set()
        for task in self._asking:
            await task

    async def ask(self, request: Request) -> None:
        """Ask until there is an answer."""
        self.requests.append(request)
        await self._send(request)

    async def ask_again(self) -> None:
        """Send requests once more: the same one must get the same answer."""
        for request in random.Random(self._seed).sample(self.requests, min(AGAIN_MAX, len(self.requests))):
            await self._send(request)

    async def post(self, path: str, body: Any) -> httpx.Response:
        """Ask once."""
        return await self._http.post(f"{self._node()}{path}", json=body)

    async def put(self, path: str, body: Any) -> httpx.Response:
        """Say once."""
        return await self._http.put(f"{self._node()}{path}", json=body)

    async def insist(self, path: str, **request: Any) -> Any:
        """Send this until it is answered; returns what."""
        while True:
            try:
                response = await self._http.post(f"{self._node()}{path}", **request)
            except httpx.TransportError:
                response = None
            if response is not None and response.status_code != 503:
                assert response.is_success, response.text
                return response.json()
            await asyncio.sleep(AGAIN_SECONDS)

    async def get(self, path: str) -> httpx.Response | None:
        """What the engine says, None when it says nothing."""
        try:
            return await self._http.get(f"{self._node()}{path}")
        except httpx.TransportError:
            return None

    async def close(self) -> None:
        """Ask no more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await self._http.aclose()

    async def _ask(self, name: str) -> None:
        chance = random.Random(f"{self._seed} {name}")
        number = 0
        while not self._enough.is_set():
            number += 1
            request = next_request(chance, f"{name}-{number}")
            await self.ask(request)
            if chance.random() < 0.1:
                await self._send(request)  # as if the answer had been lost
            await asyncio.sleep(chance.uniform(0, number * THINK_SECONDS))

    async def _send(self, request: Request) -> None:
        while True:
            answer = await self._try(request)
            if answer is not None:
                request.answered(answer)
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _try(self, request: Request) -> dict[str, Any] | None:
        headers = {"x-trigger-request-idempotency-key": request.key}
        try:
            response = await self._http.post(f"{self._node()}{request.path}", json=request.body(), headers=headers)
        except httpx.TransportError:
            return None
        if response.status_code == 503:
            assert response.headers["retry-after"] == "1", "who is to ask again is told when"
            self.turned_away += 1
            return None
        assert response.status_code == 200, f"{request.key}: {response.status_code} {response.text}"
        answer: dict[str, Any] = response.json()
        return answer

    def _node(self) -> str:
        return self._chance.choice(self._urls)
