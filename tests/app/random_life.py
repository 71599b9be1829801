"""Random commands to an engine, through its API, and everything that the API says of them as they are obeyed."""

import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from tests.app.harness import RETRY, Engine, report
from tests.app.random_keeping import Keeping
from tests.app.statuses import ERROR

VIP = {"name": "vip", "concurrencyLimit": 2}
QUEUES = ("vip", "slow")
TAGS = ("a", "b", "c")
SCHEDULES, TOKENS = "/api/v1/schedules", "/api/v1/waitpoints/tokens"
BATCHES, BATCHES_V3, EVENTS = "/api/v1/batches", "/api/v3/batches", "/api/v1/events"
DEPLOYMENTS, JOBS, EXECUTIONS = "/api/v1/deployments", "/v1/jobs", "/v1/executions"


class Life:
    """An environment, what was made in it, and what its worker holds."""

    def __init__(self, engine: Engine, chance: random.Random, slug: str) -> None:
        self.engine = engine
        self.chance = chance
        self.version = ""
        self.runs: list[str] = []
        self.held: list[dict[str, Any]] = []
        self.schedules: list[str] = []
        self.tokens: list[str] = []
        self.batches: list[str] = []
        self.jobs: list[str] = []
        self.executions: list[str] = []
        self.events: list[str] = []
        self.keeping = Keeping(engine, chance, slug)
        self.executor = Engine(engine.service, engine.clock, engine.client, f"{engine.session}Http")
        """Executes what Runfold brings along."""

    async def begin(self) -> None:
        await self.register()
        for _ in range(6):
            await self.trigger()
        await self.take()
        await self.save_a_job()
        await self.run_a_job()
        await self.make_a_batch()
        await self.plan()
        for _ in range(6):
            await self.keep()

    async def register(self) -> None:
        """Another version, with another limit of the queue, and perhaps with a task that events start."""
        limit = self.chance.choice((1, 2, 5))
        event = {"event": {"name": "paid"}} if self.chance.random() < 0.5 else {}
        tasks = [{"id": "greet", "retry": RETRY}, {"id": "vip", "queue": VIP | {"concurrencyLimit": limit}} | event]
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

    async def make_a_batch(self) -> None:
        """Of several tasks, at once or piece by piece, and perhaps never whole."""
        tasks = self.chance.choices(("greet", "vip"), k=self.chance.randint(1, 3))
        if self.chance.random() < 0.4:
            response = await self._try("POST", "/api/v1/tasks/batch", {"items": [{"task": task} for task in tasks]})
            body = response.json()
            self.batches.append(body["id"])
            self.runs += [run["id"] for run in body["runs"]]
            return
        missing = self.chance.choice((0, 0, 1))
        made = await self.engine.client.post("/api/v3/batches", json={"runCount": len(tasks) + missing})
        self.batches.append(made.json()["id"])
        options = {"ttl": -1} if self.chance.random() < 0.2 else {}
        lines = [json.dumps({"index": n, "task": task, "options": options}) for n, task in enumerate(tasks)]
        path, media_type = f"{BATCHES_V3}/{self.batches[-1]}/items", {"content-type": "application/x-ndjson"}
        await self.engine.client.post(path, content="\n".join(lines), headers=media_type)
        self.runs += (await self.engine.get(f"/api/v2/batches/{self.batches[-1]}"))["runs"]

    async def save_a_job(self) -> None:
        """Another one, or another name or an end of one that there is."""
        if self.jobs and self.chance.random() < 0.5:
            job = self.chance.choice(self.jobs)
            method, change = self.chance.choice((("PATCH", {"name": f"pong {len(self.jobs)}"}), ("DELETE", None)))
            await self.engine.client.request(method, f"{JOBS}/{job}", json=change)
            return
        body: dict[str, Any] = {
            "name": f"ping {len(self.jobs)}",
            "kind": "webhook_trigger",
            "request": {"url": "https://example.com/"},
        }
        self.jobs.append((await self.engine.client.post(JOBS, json=body)).json()["id"])

    async def run_a_job(self) -> None:
        if self.jobs:
            response = await self.engine.client.post(f"{JOBS}/{self.chance.choice(self.jobs)}/run-now")
            if response.status_code == 201:
                self.executions.append(response.json()["execution_id"])

    async def execute(self) -> None:
        """What an executor does with what it gets: it goes on, succeeds, or fails."""
        for handed in (await self.executor.turn("builtin", want=2))["runs"]:
            said = [self._said(handed, "started")]
            found: dict[str, Any] = {"status": "SUCCESS", "latencyMs": 7, "statusCode": 200}
            if self.chance.random() < 0.4:
                said.append(self._said(handed, "succeeded", output=found))
            elif self.chance.random() < 0.7:
                failed = found | {"status": "HTTP_ERROR", "statusCode": 503, "errorClass": "http_status"}
                said.append(self._said(handed, "failed", output=failed, error=ERROR, retryInMs=1_000))
            await self.executor.turn("builtin", *said, want=0)

    async def log(self) -> None:
        """Lines of a run that a worker holds, which may not have begun."""
        if self.held:
            hand = self.chance.choice(self.held)
            lines = [{"at": self.engine.clock.wall, "level": self.chance.choice(("info", "error")), "message": "said"}]
            said = [self._said(hand, "started"), self._said(hand, "logged", lines=lines, first=0)]
            await self.engine.turn(self.version, *said, want=0)

    async def send(self) -> None:
        """A named event, which may be to come, and to be canceled."""
        if self.events and self.chance.random() < 0.3:
            await self.engine.client.post(f"{EVENTS}/{self.chance.choice(self.events)}/cancel")
            return
        options = {"deliverAfter": 5} if self.chance.random() < 0.5 else {}
        event = {"name": self.chance.choice(("paid", "sent")), "id": f"event-{len(self.events)}"}
        await self._try("POST", EVENTS, {"event": event, "options": options})
        self.events.append(event["id"])

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
            what = self.chance.choice(("activate", "deactivate", "run-now", ""))
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

    async def keep(self) -> None:
        await self.keeping.change()

    async def act_in_bulk(self) -> None:
        if self.runs:
            await self.keeping.act(self.runs)

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
    *(Life.make_a_token, Life.complete_a_token, Life.make_a_batch, Life.log, Life.send),
    *(Life.save_a_job, Life.run_a_job, Life.run_a_job, Life.execute),
    *(Life.keep, Life.keep, Life.keep, Life.act_in_bulk),
)
