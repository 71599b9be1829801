"""What the engine does with commands about queues, and about the limit of a whole environment."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import environment as environments
from domain import queue as queues
from domain.commands import Command
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import NotFound, QueueNotFound
from domain.memory import Memory


class QueueHandlers:
    """One method for each command; what it raises refuses the command."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.PauseQueue: self._pause,
            c.ResumeQueue: self._resume,
            c.OverrideQueueLimit: self._override,
            c.ResetQueueLimit: self._reset,
            c.LimitEnvironment: self._limit_environment,
        }

    def _pause(self, command: c.PauseQueue, draft: Draft) -> None:
        state = self._state(command)
        self._record(command, queues.pause(state, command.queue), draft)

    def _resume(self, command: c.ResumeQueue, draft: Draft) -> None:
        state = self._state(command)
        self._record(command, queues.resume(state, command.queue), draft)

    def _override(self, command: c.OverrideQueueLimit, draft: Draft) -> None:
        state, most = self._state(command), self._environment(command).concurrency_limit
        self._record(command, queues.override(state, command.queue, command.concurrency_limit, most), draft)

    def _reset(self, command: c.ResetQueueLimit, draft: Draft) -> None:
        state = self._state(command)
        self._record(command, queues.reset(state, command.queue), draft)

    def _limit_environment(self, command: c.LimitEnvironment, draft: Draft) -> None:
        events = environments.limit(self._environment(command), command.concurrency_limit)
        draft.record(command.environment, events, Origin.of(command))

    def _record(self, command: c.QueueCommand, events: list[Any], draft: Draft) -> None:
        draft.record(queues.stream_of(command.environment, command.queue), events, Origin.of(command))

    def _state(self, command: c.QueueCommand) -> queues.QueueState | None:
        self._environment(command)
        if not self._memory.knows_queue(command.environment, command.queue):
            raise QueueNotFound(f"There is no queue {command.queue[:200]!r} in this environment.")
        return self._memory.queue(command.environment, command.queue)

    def _environment(self, command: Command) -> Environment:
        environment = self._memory.environment(command.environment)
        if environment is None:
            raise NotFound(f"There is no environment {command.environment}.")
        return environment
