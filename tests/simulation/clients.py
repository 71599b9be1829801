"""Clients: they trigger, cancel, reschedule, reset, pause and limit, and ask again until they have an answer."""

from collections.abc import Callable
from typing import Any

from msgspec import Raw

from domain import commands as c
from domain.commands import Accepted, Command, CreatedBatch
from domain.draft import Answer
from domain.lifecycle import NewRun
from domain.metadata import Operation
from tests.simulation.network import Network, is_worth_repeating
from tests.simulation.world import World

PATIENCE_MS = 4_000


class Client:
    """One caller of the API. As the API does, it gives each run its id only when the request arrives."""

    def __init__(
        self, world: World, network: Network, environment: str, tasks: tuple[str, ...], queues: tuple[str, ...]
    ) -> None:
        self._world = world
        self._network = network
        self._environment = environment
        self._tasks = tasks
        self._queues = queues
        self._known: list[str] = []
        self.waiting: int = 0
        """How many requests are planned, or have no answer yet."""

    def create_environment(self, then: Callable[[], None]) -> None:
        """Make the environment in which everything happens."""
        kind = "DEVELOPMENT" if self._world.happens(0.3) else "PRODUCTION"
        self._ask(c.CreateEnvironment, then=then, slug="one", type=kind)

    def plan(self, delay: int) -> None:
        """Ask for something later."""
        self.waiting += 1
        self._world.after(delay, self._act)

    def _act(self) -> None:
        self.waiting -= 1
        chance = self._world.chance.random()
        if chance < 0.6 or not self._known:
            self._trigger([self._new_run()])
        elif chance < 0.66:
            self._trigger([self._new_run() for _ in range(self._world.draw(2, 6))], is_batch=True)
        elif chance < 0.7:
            self._create_batch(self._world.draw(1, 5))
        elif chance < 0.75:
            self._annotate(self._pick())
        elif chance < 0.81:
            self._ask(c.CancelRun, run=self._pick())
        elif chance < 0.86:
            self._ask(c.RescheduleRun, run=self._pick(), until=self._world.now().wall + self._world.draw(1, 9_000))
        elif chance < 0.89:
            self._ask(c.ResetKey, key=self._pick_key())
        elif chance < 0.92:
            self._ask(c.GiveUpRun, run=self._pick(), message="Someone gave it up.")
        elif chance < 0.98:
            self._control(self._queues[self._world.draw(0, len(self._queues) - 1)])
        else:
            self._ask(c.LimitEnvironment, concurrency_limit=self._maybe(0.8, 0, 6))

    def open_everything(self) -> None:
        """Take back all that keeps runs from starting."""
        for queue in self._queues:
            self._ask(c.ResumeQueue, queue=queue)
            self._ask(c.ResetQueueLimit, queue=queue)
        self._ask(c.LimitEnvironment, concurrency_limit=None)

    def _annotate(self, run: str) -> None:
        chance = self._world.chance.random()
        if chance < 0.4:
            self._ask(c.AddTags, run=run, tags=tuple(f"tag-{self._world.draw(1, 15)}" for _ in range(3)))
        elif chance < 0.8:
            seen = (Operation("increment", "seen", 1),)
            self._ask(c.UpdateMetadata, run=run, operations=seen, root_operations=seen)
        else:
            self._ask(c.ExplainRun, run=run)

    def _control(self, queue: str) -> None:
        chance = self._world.chance.random()
        if chance < 0.35:
            self._ask(c.PauseQueue, queue=queue)
        elif chance < 0.65:
            self._ask(c.ResumeQueue, queue=queue)
        elif chance < 0.9:
            self._ask(c.OverrideQueueLimit, queue=queue, concurrency_limit=self._world.draw(0, 4))
        else:
            self._ask(c.ResetQueueLimit, queue=queue)

    def _pick(self) -> str:
        oldest = max(0, len(self._known) - 3) if self._world.happens(0.8) else 0
        return self._known[self._world.draw(oldest, len(self._known) - 1)]

    def _pick_key(self) -> str:
        return f"key_user_{self._world.draw(1, 3)}"

    def _maybe(self, probability: float, low: int, high: int) -> int | None:
        return self._world.draw(low, high) if self._world.happens(probability) else None

    def _new_run(self) -> dict[str, Any]:
        wall = self._world.now().wall
        delay = self._maybe(0.2, 1, 9_000)
        new: dict[str, Any] = {
            "task": self._tasks[self._world.draw(0, len(self._tasks) - 1)],
            "payload": Raw(b"{}"),
            "payload_size": 2,
            "priority": self._maybe(0.1, 1, 20) or 0,
            "delay_until": wall + delay if delay else None,
            "ttl_ms": self._maybe(0.15, 100, 9_000),
            "max_attempts": self._maybe(0.2, 1, 4),
            "max_duration_ms": self._maybe(0.1, 200, 4_000),
            "concurrency_key": "ab"[self._world.draw(0, 1)] if self._world.happens(0.2) else None,
        }
        if self._world.happens(0.3):
            new |= {"key": self._pick_key(), "key_until": wall + self._world.draw(500, 30_000)}
        return new

    def _note(self, accepted: list[Accepted]) -> None:
        self._known += [each.run for each in accepted]

    def _trigger(self, new_runs: list[dict[str, Any]], *, is_batch: bool = False) -> None:
        def ids() -> dict[str, Any]:
            batch = self._world.new_id("batch") if is_batch else None
            runs = [NewRun(id=self._world.new_id("run"), batch=batch, **new) for new in new_runs]
            return {"runs": runs, "batch": batch}

        self._ask(c.TriggerRuns, ids, request=self._world.new_id("key_request"))

    def _create_batch(self, count: int) -> None:
        wall = self._world.now().wall
        asked: dict[str, Any] = {"run_count": count, "expires_at": wall + self._world.draw(2_000, 20_000)}
        asked |= {"request": self._world.new_id("key_request")}

        def stream(made: Answer) -> None:
            assert isinstance(made, CreatedBatch), "nothing refuses a batch without a parent"
            for _ in range(self._world.draw(1, 3)):
                self._add_items(made.batch, count)

        self._ask(c.CreateBatch, lambda: {"batch": self._world.new_id("batch")}, hear=stream, **asked)

    def _add_items(self, batch: str, count: int) -> None:
        """Some items, some of them twice; those that no stream brings are lost."""
        indexes = [self._world.draw(0, count - 1) for _ in range(self._world.draw(1, 2 * count))]
        new_runs = [self._new_run() for _ in indexes]

        def ids() -> dict[str, Any]:
            return {"runs": [NewRun(id=self._world.new_id("run"), batch=batch, **new) for new in new_runs]}

        self._ask(c.AddItems, ids, batch=batch, indexes=tuple(indexes))

    def _ask(
        self,
        command: type[Command],
        ids: Callable[[], dict[str, Any]] = dict[str, Any],
        then: Callable[[], None] = lambda: None,
        hear: Callable[[Answer], None] = lambda _answer: None,
        **more: Any,
    ) -> None:
        self.waiting += 1
        request = self._world.new_id("request")
        self._world.tell("client: %s %s %s", request, command.__name__, more)

        def make() -> Command:
            wall = self._world.now().wall
            return command(environment=self._environment, actor="key:1", cause=request, at=wall, **ids(), **more)

        def call() -> None:
            self._network.call(make, done, patience=PATIENCE_MS)

        def done(answer: Answer) -> None:
            if is_worth_repeating(answer):
                self._world.after(self._world.draw(100, 1_000), call)
                return
            self._world.tell("client: %s is answered %r", request, answer)
            self.waiting -= 1
            if command is c.TriggerRuns:
                self._note(answer)
            hear(answer)
            then()

        call()
