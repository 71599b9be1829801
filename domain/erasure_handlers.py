"""What the engine does with commands about erasures: see `erasure`."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain.commands import Command
from domain.draft import Draft, Origin
from domain.erasure import Erasure, ErasureStatus
from domain.errors import NotAllowed, NotFound
from domain.run import Run


class ErasureHandlers:
    """Erasures are decided here; whoever carries them out says when they are complete."""

    def __init__(self) -> None:
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.EraseRuns: self._erase,
            c.CompleteErasure: self._complete,
        }

    def _erase(self, command: c.EraseRuns, draft: Draft) -> bool:
        for stream, version in command.runs.items():
            run = draft.state(stream)
            if not isinstance(run, Run) or run.environment != command.environment:
                raise NotFound(f"Run {stream} not found.")
            if not run.is_final:
                raise NotAllowed(f"Run {stream} is {run.status}: what it holds can be erased when it has ended.")
            if run.version != version:
                return False
        for stream in command.needed_by:
            needing = draft.state(stream)
            if isinstance(needing, Run) and not needing.is_final:
                raise NotAllowed(f"Run {stream} still goes on ({needing.status}), and needs what is to be erased.")
        origin = Origin.of(command)
        for stream in command.runs:
            run = draft.state(stream)
            assert isinstance(run, Run), "it was one just now"
            # In the ledger nothing is left of what was archived.
            if not run.is_archived:
                draft.record(stream, [_left(run, command)], origin)
        recorded = e.ErasureRecorded(
            tuple(command.runs), command.seals, command.with_names, command.segment, command.root, command.rewritten
        )
        draft.record(command.erasure, [recorded], origin)
        return True

    def _complete(self, command: c.CompleteErasure, draft: Draft) -> None:
        erasure = draft.state(command.erasure)
        if isinstance(erasure, Erasure) and erasure.status is ErasureStatus.PENDING:
            draft.record(command.erasure, [e.ErasureCompleted()], Origin.of(command))


def _left(run: Run, command: c.EraseRuns) -> e.RunEvent:
    if command.segment is None:
        return e.RunErased(command.erasure, command.with_names)
    return e.RunArchived(command.erasure, command.segment, run.attempts, run.job is not None)
