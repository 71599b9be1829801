"""What a random life keeps besides its runs: channels, credentials, variables, keys, bulk actions."""

import asyncio
import random
from typing import Any

from tests.app.harness import SOON_SECONDS, Engine

ALERTS, SECRETS, CONNECTIONS = "/v1/alerts", "/v1/secrets", "/api/v1/connections"
ENVIRONMENTS, BULK, WORKERS = "/api/v1/environments", "/api/v1/bulk-actions", "/api/v1/workers"
NAMES = ("one", "two", "three")
WHOLE = {"kind": "webhook", "url": "https://example.com/", "on": ["failure", "recovery"]}


class Keeping:
    """What was kept so far; `taken_back` are the variables that were removed or made secret, once."""

    def __init__(self, engine: Engine, chance: random.Random, slug: str) -> None:
        self.engine = engine
        self.chance = chance
        self.variables = f"/api/v1/projects/default/envvars/{slug}"
        self.keys = f"{ENVIRONMENTS}/{slug}/keys"
        self.taken_back: set[str] = set()
        self.channels: list[str] = []
        self.bulks: list[str] = []

    async def change(self) -> None:
        """Save, replace or remove something of any kind."""
        await self.chance.choice((self._channel, self._secret, self._connection, self._variable, self._key))()

    async def act(self, runs: list[str]) -> None:
        """Cancel some of these runs, or replay those of a tag, and wait until that is done."""
        few = self.chance.sample(runs, min(len(runs), 3))
        wanted: dict[str, Any] = self.chance.choice(
            ({"action": "cancel", "runIds": few}, {"action": "replay", "filter": {"tag": "a"}})
        )
        bulk = (await self.engine.post(BULK, wanted))["id"]
        self.bulks.append(bulk)
        async with asyncio.timeout(SOON_SECONDS):
            head = self.engine.head
            while (await self.engine.get(f"{BULK}/{bulk}"))["status"] == "PENDING":
                await self.engine.service.loop.feed.grown(head)
                head = self.engine.head

    async def _channel(self) -> None:
        if self.channels and self.chance.random() < 0.4:
            await self._send("DELETE", f"{ALERTS}/{self.chance.choice(self.channels)}")
            return
        header = {"headers": {"X-Key": f"secret://{self.chance.choice(NAMES)}"}} if self.chance.random() < 0.5 else {}
        made = await self._send("POST", ALERTS, {"name": "ops", **WHOLE, **header})
        self.channels.append(made["id"])

    async def _secret(self) -> None:
        await self._save_or_remove(f"{SECRETS}/{self.chance.choice(NAMES)}", {"value": "5ec7e7"})

    async def _connection(self) -> None:
        await self._save_or_remove(f"{CONNECTIONS}/{self.chance.choice(NAMES)}", {"credentials": {"token": "5ec7e7"}})

    async def _save_or_remove(self, path: str, body: dict[str, Any]) -> None:
        is_saved = self.chance.random() < 0.7
        await self._send("PUT" if is_saved else "DELETE", path, body if is_saved else None)

    async def _variable(self) -> None:
        name, is_secret = self.chance.choice(NAMES), self.chance.random() < 0.2
        if self.chance.random() < 0.2:
            await self._send("DELETE", f"{self.variables}/{name}")
            self.taken_back.add(name)
            return
        value = f"value {self.chance.randint(0, 99)}"
        await self._send("POST", self.variables, {"name": name, "value": value, "isSecret": is_secret})
        if is_secret:
            self.taken_back.add(name)

    async def _key(self) -> None:
        made = await self._send("POST", self.keys)
        if self.chance.random() < 0.5:
            await self._send("DELETE", f"{self.keys}/{made['id']}")

    async def _send(self, method: str, path: str, body: Any = None) -> Any:
        """What is refused is part of a life, too."""
        response = await self.engine.client.request(method, path, json=body)
        assert response.status_code in {200, 201, 404}, response.text
        return response.json()
