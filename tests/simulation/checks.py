"""All that is checked while a simulation runs, in one place to report to."""

from collections.abc import Sequence

from domain.commands import Command, Turn
from domain.draft import Answer, Draft
from domain.engine import Engine, Now
from domain.events import Recorded
from domain.memory import Memory
from domain.states import State
from tests.simulation.answer_check import AnswerCheck
from tests.simulation.lease_check import Holds, LeaseCheck
from tests.simulation.log_check import LogCheck
from tests.simulation.memory_check import MemoryCheck

EVERYTHING_EACH = 16
"""The whole memory is compared after so many batches, and what a batch changed after each."""


class Checks:
    """Hears of everything, at the moment it happens. Each method raises Violation."""

    def __init__(self, holds: Holds, lease_ms: int) -> None:
        self.log = LogCheck()
        self.leases = LeaseCheck(self.log.states, holds, lease_ms)
        self._answers = AnswerCheck(self.log, lease_ms)
        self._memory = MemoryCheck(self.log)
        self._batches = 0

    def committed(self, batch: Sequence[Recorded]) -> None:
        """A batch is in the ledger."""
        self.log.read(batch)

    def started(self, engine: Engine, now: int) -> None:
        """An engine was built from the ledger."""
        self._begin_anew(engine.memory, now)

    def failed(self, engine: Engine, now: int) -> None:
        """A batch was undone."""
        self._begin_anew(engine.memory, now)

    def submitted(self, command: Command, now: int) -> None:
        """A command is in the inbox."""
        if isinstance(command, Turn):
            self.leases.submitted(command, now)
            self._answers.submitted(command, now)

    def decided(self, engine: Engine, batch: Draft | None, now: Now) -> None:
        """The engine looked around, and perhaps made a batch."""
        self.leases.decided(batch.records if batch else (), now.mono)
        if batch is None:
            self._memory.check_rest(engine, now.wall)

    def landed(self, engine: Engine, batch: Sequence[Recorded]) -> None:
        """The engine knows that its batch is in the ledger."""
        self._batches += 1
        self._memory.check_batch(engine.memory, batch)
        if self._batches % EVERYTHING_EACH == 0:
            self._memory.check_all(engine.memory)

    def ended(self, engine: Engine) -> None:
        """All is over, and the engine is idle."""
        self._memory.check_all(engine.memory)

    def answered(self, command: Command, answer: Answer) -> None:
        """A command is answered now."""
        self._answers.answered(command, answer)

    def kept_states(self) -> list[State]:
        """The states that an engine keeps at the head."""
        return self.log.kept()

    def _begin_anew(self, memory: Memory, now: int) -> None:
        self._memory.check_all(memory)
        self.leases.begin_anew(now)
        self._answers.begin_anew()
