"""How runs are canceled: with the attempt that works on them, and with all that they triggered."""

from domain import lifecycle
from domain.draft import Draft, Origin
from domain.lifecycle import PARENT_CANCELED
from domain.memory import Memory
from domain.run import Run
from domain.turns import Turns


class Cancels:
    """Shared by all commands that cancel."""

    def __init__(self, memory: Memory, turns: Turns) -> None:
        self._memory = memory
        self._turns = turns

    def cancel(self, run: Run, reason: str | None, origin: Origin, draft: Draft) -> None:
        """Cancel the run, what it triggered and what that triggered, as far as it is not finished."""
        events = lifecycle.cancel(run, reason)
        if not events:
            return
        draft.record(run.id, events, origin)
        self._turns.stop(run, "CANCELED")
        parents = [run.id]
        while parents:
            for child in sorted(self._memory.children.get(parents.pop(), ())):
                known = self._memory.run(child)
                assert known is not None, "an unfinished child is in memory"
                draft.record(child, lifecycle.cancel(known, PARENT_CANCELED), origin)
                self._turns.stop(known, "CANCELED")
                parents.append(child)
