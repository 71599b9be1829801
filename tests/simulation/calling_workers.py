"""A worker whose code asks for tokens and children, and for what became of them, until it is answered."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Raw, json

from domain import commands as c
from domain.draft import Answer
from domain.lifecycle import NewRun
from tests.simulation.code import StepAsk, TriggerAsk
from tests.simulation.hosts import Executed
from tests.simulation.network import Network, is_worth_repeating
from tests.simulation.programs import fold
from tests.simulation.rules import rule
from tests.simulation.shelf import ReadResults
from tests.simulation.workers import PATIENCE_MS, Code, Worker
from tests.simulation.world import World

FOR_EVER = 2**53


def task_of(program: str, tasks: Sequence[str]) -> str:
    """The task that executes a program, always the same."""
    return tasks[fold(0, program) % len(tasks)]


class CallingWorker(Worker):
    """Calls the API by way of `network`, and reads by way of `library`."""

    def __init__(
        self, world: World, network: Network, library: Network, environment: str, code: Code, capacity: int
    ) -> None:
        self._library = library
        super().__init__(world, network, environment, code, capacity)

    def make_token(self, process: Executed, ask: StepAsk, done: Callable[[str], None]) -> None:
        """Ask for a token, by the key of the step."""
        key = _key_of(process, ask)
        now = self._world.now().wall
        timeout = None if ask.timeout_ms is None else now + ask.timeout_ms
        more = {"timeout_at": timeout, "idempotency_key": key, "key": f"key_token_{key}", "key_until": FOR_EVER}
        self._ask(process, c.CreateWaitpoint, lambda: {"waitpoint": self._world.new_id("waitpoint")}, more, done)

    def trigger(self, process: Executed, ask: TriggerAsk, done: Callable[[tuple[str, ...], str | None], None]) -> None:
        """Ask for children, each by a key of its own."""
        batch = self._world.new_id("batch") if ask.is_batch else None
        children = [self._child(process, ask, place, batch) for place in range(len(ask.programs))]
        if batch is None:
            self._trigger_next(process, children, (), lambda runs: done(runs, None))
        else:
            self._trigger(process, children, batch, lambda runs: done(runs, batch))

    def read(self, streams: Sequence[str], done: Callable[[Any], None]) -> None:
        """Ask what became of runs and batches."""
        make = partial(ReadResults, streams=streams, **self._origin("read"))
        self._library.call(make, lambda answer: self._wake(lambda: heard(answer)), patience=PATIENCE_MS)

        def heard(answer: Answer) -> None:
            if is_worth_repeating(answer):
                self._later(self._world.draw(20, 300), lambda: self.read(streams, done))
            else:
                done(answer)

    def _ask(
        self,
        process: Executed,
        kind: type[c.Command],
        ids: Callable[[], dict[str, Any]],
        more: dict[str, Any],
        done: Callable[[Any], None],
    ) -> None:
        """Ask until there is an answer, as long as the process lives."""
        if not process.is_alive:
            return
        self._world.tell("%s: %s %s", self.session, kind.__name__, more)

        def make() -> c.Command:
            return kind(**self._origin("code"), **ids(), **more)

        def heard(answer: Answer) -> None:
            if is_worth_repeating(answer):
                self._later(self._world.draw(20, 300), lambda: self._ask(process, kind, ids, more, done))
            else:
                rule(not isinstance(answer, Exception), "%s is refused: %s", more, answer)
                done(answer.waitpoint if isinstance(answer, c.CreatedWaitpoint) else answer)

        self._network.call(make, lambda answer: self._wake(lambda: heard(answer)), patience=PATIENCE_MS)

    def _child(self, process: Executed, ask: TriggerAsk, place: int, batch: str | None) -> dict[str, Any]:
        program = ask.programs[place]
        key = f"{_key_of(process, ask)}_{place}"
        return {
            "task": task_of(program, [task.id for task in self._code.tasks]),
            "payload": Raw(json.encode(program)),
            "payload_size": 20,
            "parent": process.run.run,
            "batch": batch,
            "key": f"key_child_{key}",
            "key_until": FOR_EVER,
            "idempotency_key": key,
            "keeps_failed": True,
        }

    def _trigger_next(
        self,
        process: Executed,
        children: list[dict[str, Any]],
        runs: tuple[str, ...],
        done: Callable[[tuple[str, ...]], None],
    ) -> None:
        """One after the other."""
        if not children:
            done(runs)
            return
        first, *others = children
        self._trigger(process, [first], None, lambda more: self._trigger_next(process, others, (*runs, *more), done))

    def _trigger(
        self,
        process: Executed,
        children: list[dict[str, Any]],
        batch: str | None,
        done: Callable[[tuple[str, ...]], None],
    ) -> None:
        def ids() -> dict[str, Any]:
            return {"runs": [NewRun(id=self._world.new_id("run"), **child) for child in children]}

        def accepted(answer: list[c.Accepted]) -> None:
            done(tuple(each.run for each in answer))

        more = {"batch": batch, "request": self._world.new_id("key_request")}
        self._ask(process, c.TriggerRuns, ids, more, accepted)

    def _origin(self, cause: str) -> dict[str, Any]:
        return {
            "environment": self._environment,
            "actor": self.session,
            "cause": cause,
            "at": self._world.now().wall,
        }


def _key_of(process: Executed, ask: StepAsk | TriggerAsk) -> str:
    """The same whichever process does it."""
    return f"{process.run.run}_{ask.name}_{ask.number}"
