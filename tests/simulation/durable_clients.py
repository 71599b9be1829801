"""Clients of durable runs: they trigger, make and complete tokens, cancel, pause and limit."""

from collections.abc import Callable
from typing import Any

from msgspec import Raw, json

from domain import commands as c
from domain.commands import CreatedWaitpoint
from domain.draft import Answer
from tests.simulation.calling_workers import FOR_EVER, task_of
from tests.simulation.clients import Client
from tests.simulation.network import Network
from tests.simulation.programs import Author
from tests.simulation.world import World


class DurableClient(Client):
    """One caller of the API. `open_tokens` and `live_runs` tell what there is to complete, or to cancel."""

    def __init__(
        self,
        world: World,
        network: Network,
        environment: str,
        tasks: tuple[str, ...],
        queues: tuple[str, ...],
        *,
        author: Author,
        open_tokens: Callable[[], list[str]],
        live_runs: Callable[[], list[str]],
    ) -> None:
        super().__init__(world, network, environment, tasks, queues)
        self._author = author
        self._open_tokens = open_tokens
        self._live_runs = live_runs

    def begin(self) -> None:
        """Trigger the first run."""
        self._trigger([self._new_run()])

    def complete_everything(self) -> None:
        """Let nobody wait for a token any longer."""
        for token in self._open_tokens():
            self._complete(token)

    def _act(self) -> None:
        self.waiting -= 1
        chance = self._world.chance.random()
        if chance < 0.25:
            self._trigger([self._new_run()])
        elif chance < 0.35:
            self._make_token()
        elif chance < 0.78:
            self._complete_some()
        elif chance < 0.85:
            self._cancel()
        elif chance < 0.97:
            self._control(self._queues[self._world.draw(0, len(self._queues) - 1)])
        else:
            self._ask(c.LimitEnvironment, concurrency_limit=self._maybe(0.8, 1, 4))

    def _new_run(self) -> dict[str, Any]:
        program = self._author.write()
        task = task_of(program, self._tasks)
        return {"task": task, "payload": Raw(json.encode(program)), "payload_size": 20}

    def _make_token(self) -> None:
        """A token that is nobody's, perhaps one that there is already by its key."""
        timeout = self._world.now().wall + self._world.draw(100, 20_000) if self._world.happens(0.3) else None
        asked: dict[str, Any] = {"timeout_at": timeout}
        if self._world.happens(0.5):
            key = f"key_token_{self._world.draw(1, 2)}"
            until = self._world.now().wall + self._world.draw(500, 30_000) if self._world.happens(0.5) else FOR_EVER
            asked |= {"key": key, "key_until": until, "idempotency_key": key}

        def made(answer: Answer) -> None:
            assert isinstance(answer, CreatedWaitpoint), answer
            self._author.shared.append(answer.waitpoint)

        self._ask(c.CreateWaitpoint, lambda: {"waitpoint": self._world.new_id("waitpoint")}, hear=made, **asked)

    def _complete_some(self) -> None:
        """Tokens that somebody waits for, or nobody yet; one, or several at the same instant."""
        tokens = self._open_tokens()
        for _ in range(self._world.draw(1, 3) if tokens else 0):
            self._complete(tokens[self._world.draw(0, len(tokens) - 1)])

    def _complete(self, token: str) -> None:
        self._ask(c.CompleteWaitpoint, waitpoint=token, output=Raw(b'"done"'))

    def _cancel(self) -> None:
        runs = self._live_runs()
        if runs:
            self._ask(c.CancelRun, run=runs[self._world.draw(0, len(runs) - 1)])
