"""What the engine does with commands about sinks."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain.commands import Command
from domain.draft import Draft, Origin
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.memory import Memory
from domain.sink import Sink

SINKS_MAX = 20


class SinkHandlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.AddSink: self._add,
            c.AdvanceSink: self._advance,
            c.RemoveSink: self._remove,
        }

    def _add(self, command: c.AddSink, draft: Draft) -> Sink:
        if self._memory.environment(command.environment) is None:
            raise NotFound(f"There is no environment {command.environment}.")
        ours = [each for each in self._memory.sinks.values() if each.environment == command.environment]
        if len(ours) >= SINKS_MAX:
            raise NotAllowed(f"An environment has at most {SINKS_MAX} sinks: remove one of them first.")
        if command.spec.file and any(each.spec.file == command.spec.file for each in self._memory.sinks.values()):
            raise InvalidInput(f"Another sink writes to the file {command.spec.file}.")
        after = draft.record(command.sink, [e.SinkAdded(command.spec, command.after)], Origin.of(command))
        assert isinstance(after, Sink), "it was just added"
        return after

    def _advance(self, command: c.AdvanceSink, draft: Draft) -> None:
        sink = self._memory.sinks.get(command.sink)
        if sink is not None and sink.position < command.position:
            draft.record(sink.id, [e.SinkAdvanced(command.position)], Origin.of(command))

    def _remove(self, command: c.RemoveSink, draft: Draft) -> None:
        sink = self._memory.sinks.get(command.sink)
        if sink is None or sink.environment != command.environment:
            raise NotFound(f"Sink {command.sink[:60]} not found.")
        draft.record(sink.id, [e.SinkRemoved()], Origin.of(command))
