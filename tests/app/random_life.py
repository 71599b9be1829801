"""Random commands to an engine, through its API, and everything that the API says of them as they are obeyed."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests.app.harness import RETRY, Engine, report
from tests.app.statuses import ERROR

VIP = {"name": "vip", "concurrencyLimit": 2}
QUEUES = ("vip", "slow")
TAGS = ("a", "b", "c")
SCHEDULES, TOKENS = "/api/v1/schedules", "/api/v1/waitpoints/tokens"


class Life:
    """An environment, what was made in it, and what its worker holds."""

    def __init__(self, engine: Engine, chance: random.Random) -> None:
        self.engine = engine
        self.chance = chance
        self.version = ""
        self.runs: list[str] = []
        self.held: list[dict[str, Any]] = []
        self.schedules: list[str] = []
        self.tokens: list[str] = []

    async def begin(self) -> None:
        await self.register()
        for _ in range(6):
            await self.trigger()
        await self.take()

    async def register(self) -> None:
        """Another version, with another limit of the queue."""
        limit = self.chance.choice((1, 2, 5))
        tasks = [{"id": "greet", "retry": RETRY}, {"id": "vip", "queue": VIP | {"concurrencyLimit": limit}}]
        self.version = await self.engine.register(*tasks)

    async def trigger(self) -> None:
        chance = self.chance
        options: dict[str, Any] = {"tags": chance.sample(TAGS, chance.randint(0, 2)), "test": chance.random() < 0.3}
        if chance.random() < 0.2:
            options["delay"] = "10s"
        if chance.random() < 0.2:
            options["ttl"] = 5
        if chance.random() < 0.2:
            options["machine"] = "micro"
        if chance.random() < 0.2 and self.runs:
            options["parentRunId"] = chance.choice(self.runs)
        task = chance.choice(("greet", "greet", "vip", "unknown"))
        body = {"payload": {"n": len(self.runs)}, "options": options}
        response = await self._try("POST", f"/api/v1/tasks/{task}/trigger", body)
        if response.status_code == 200:
            self.runs.append(response.json()["id"])

    async def take(self) -> None:
        self.held += (await self.engine.turn(self.version, want=self.chance.randint(1, 3)))["runs"]

    async def start(self) -> None:
        if self.held:
            hand = self.chance.choice(self.held)
            await self.engine.turn(self.version, self._said(hand, "started"), want=0)

    async def end(self) -> None:
        if self.held:
            hand = self.held.pop(self.chance.randrange(len(self.held)))
            how: dict[str, Any] = self.chance.choice(
                ({"kind": "succeeded", "output": 1}, {"kind": "failed", "error": ERROR})
            )
            said = [self._said(hand, "started"), self._said(hand, **how)]
            await self.engine.turn(self.version, *said, want=0)

    async def annotate(self) -> None:
        if self.runs:
            run = self.chance.choice(self.runs)
            await self._try("POST", f"/api/v1/runs/{run}/tags", {"tags": [self.chance.choice(TAGS)]})

    async def cancel(self) -> None:
        if self.runs:
            await self._try("POST", f"/api/v2/runs/{self.chance.choice(self.runs)}/cancel")

    async def replay(self) -> None:
        if self.runs:
            response = await self._try("POST", f"/api/v1/runs/{self.chance.choice(self.runs)}/replay")
            if response.status_code == 200:
                self.runs.append(response.json()["id"])

    async def steer_a_queue(self) -> None:
        path, body = self.chance.choice(
            (
                ("pause", {"type": "custom", "action": "pause"}),
                ("pause", {"type": "custom", "action": "resume"}),
                ("concurrency/override", {"type": "custom", "concurrencyLimit": self.chance.randint(0, 3)}),
                ("concurrency/reset", {"type": "custom"}),
            )
        )
        await self._try("POST", f"/api/v1/queues/vip/{path}", body)

    async def limit(self) -> None:
        limit = self.chance.choice((None, 1, 3))
        await self._try("PUT", "/api/v1/concurrency", {"concurrencyLimit": limit})

    async def plan(self) -> None:
        every = {"task": "greet", "every": self.chance.randint(1, 3)}
        if self.schedules and self.chance.random() < 0.5:
            await self._try("PUT", f"{SCHEDULES}/{self.chance.choice(self.schedules)}", every)
            return
        response = await self._try("POST", SCHEDULES, every)
        if response.status_code == 200:
            self.schedules.append(response.json()["id"])

    async def steer_a_schedule(self) -> None:
        if self.schedules:
            schedule = self.chance.choice(self.schedules)
            what = self.chance.choice(("activate", "deactivate", ""))
            if what:
                await self._try("POST", f"{SCHEDULES}/{schedule}/{what}")
            else:
                await self._try("DELETE", f"{SCHEDULES}/{schedule}")

    async def make_a_token(self) -> None:
        response = await self._try("POST", TOKENS, {"tags": ["a"], "timeout": "1m"})
        self.tokens.append(response.json()["id"])

    async def complete_a_token(self) -> None:
        if self.tokens:
            await self._try("POST", f"{TOKENS}/{self.chance.choice(self.tokens)}/complete", {"data": 1})

    async def pass_time(self) -> None:
        await self.engine.advance(self.chance.choice((1, 1_000, 6_000, 61_000)))

    def _said(self, hand: dict[str, Any], kind: str, **fields: Any) -> dict[str, Any]:
        return report(hand, kind, at=self.engine.clock.wall, **fields)

    async def _try(self, method: str, path: str, body: Any = None) -> Any:
        """What is refused is part of a life, too."""
        response = await self.engine.client.request(method, path, json=body)
        assert response.status_code in {200, 404, 422} or "limit" in response.text, response.text
        return response


COMMANDS: tuple[Callable[[Life], Awaitable[None]], ...] = (
    *(Life.trigger, Life.trigger, Life.take, Life.start, Life.end, Life.annotate, Life.cancel, Life.replay),
    *(Life.steer_a_queue, Life.limit, Life.plan, Life.steer_a_schedule, Life.register, Life.pass_time, Life.pass_time),
    *(Life.make_a_token, Life.complete_a_token),
)
