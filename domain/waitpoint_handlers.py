"""How tokens are made and completed."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain import waitpoint as waitpoints
from domain.commands import Command
from domain.draft import Draft, Origin
from domain.errors import NotFound
from domain.keys import Key
from domain.waitpoint import Waitpoint


class WaitpointHandlers:
    """One method for each command."""

    def __init__(self) -> None:
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.CreateWaitpoint: self._create,
            c.CompleteWaitpoint: self._complete,
        }

    def _create(self, command: c.CreateWaitpoint, draft: Draft) -> c.CreatedWaitpoint:
        key = draft.state(command.key) if command.key else None
        known = key.stands_for(draft.recorded_at) if isinstance(key, Key) else None
        if known is not None:
            return c.CreatedWaitpoint(known, cached=True)
        until = command.key_until if command.key else None
        created = e.WaitpointCreated(command.timeout_at, command.tags, command.idempotency_key, until, command.secret)
        draft.record(command.waitpoint, [created], Origin.of(command))
        if command.key:
            draft.record(command.key, [e.KeyClaimed(command.waitpoint, command.key_until)], Origin.of(command))
        return c.CreatedWaitpoint(command.waitpoint)

    def _complete(self, command: c.CompleteWaitpoint, draft: Draft) -> None:
        known = draft.state(command.waitpoint)
        if not isinstance(known, Waitpoint) or known.environment != command.environment:
            raise NotFound(f"Waitpoint {command.waitpoint} not found.")
        completed = e.WaitpointCompleted(command.output, command.output_blob, command.output_type)
        events = waitpoints.complete(known, completed)
        draft.record(known.id, events, Origin.of(command))
        if events and command.output_blob:
            draft.add_blob(command.output_blob.key, command.blobs[command.output_blob.key])
