"""What the engine does with commands about alert channels."""

from collections.abc import Callable
from typing import Any

from domain import announcing, lifecycle
from domain import commands as c
from domain import events as e
from domain.channel import Channel
from domain.commands import Command
from domain.draft import Draft, Origin
from domain.errors import NotAllowed, NotFound
from domain.memory import Memory

CHANNELS_MAX = 100


class ChannelHandlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.SaveChannel: self._save,
            c.RemoveChannel: self._remove,
            c.TestChannel: self._test,
        }

    def _save(self, command: c.SaveChannel, draft: Draft) -> Channel:
        if self._memory.environment(command.environment) is None:
            raise NotFound(f"There is no environment {command.environment}.")
        if len(self._memory.endings.channels(command.environment)) >= CHANNELS_MAX:
            raise NotAllowed(f"An environment has at most {CHANNELS_MAX} alert channels: remove one of them first.")
        after = draft.record(command.channel, [e.ChannelSaved(command.spec)], Origin.of(command))
        assert isinstance(after, Channel), "it was just saved"
        return after

    def _remove(self, command: c.RemoveChannel, draft: Draft) -> None:
        draft.record(self._find(command.channel, command).id, [e.ChannelRemoved()], Origin.of(command))

    def _test(self, command: c.TestChannel, draft: Draft) -> str:
        channel, environment = self._find(command.channel, command), self._memory.environment(command.environment)
        assert environment is not None, "a channel is of an environment"
        new = announcing.test_run(channel, command.run, draft.recorded_at)
        gates = self._memory.gates(environment, draft.recorded_at)
        draft.record(new.id, lifecycle.trigger(new, gates, environment), Origin.of(command))
        return new.id

    def _find(self, stream: str, command: Command) -> Channel:
        channel = self._memory.states.get(stream)
        if not isinstance(channel, Channel) or channel.environment != command.environment or channel.is_removed:
            raise NotFound(f"Alert channel {stream[:60]} not found.")
        return channel
