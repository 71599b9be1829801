"""The runs that a gate holds before their queue, read off their states, and which of them have to be looked at."""

from typing import TypeAlias

from domain.run import Run
from domain.status import Status

HOLDING = frozenset({Status.PENDING_VERSION, Status.PENDING, Status.WAITING_ON_CONNECTIONS})
"""The statuses in which a gate holds a run until something arrives."""
Groups: TypeAlias = dict[tuple[str, str | None], dict[str, None]]
"""Held runs, in the order in which they came, by their task and the version that they are locked to."""


class HeldRuns:
    """Those of one group wait for the same: what opens their gate opens it for all."""

    def __init__(self) -> None:
        self.arrived: dict[str, None] = {}
        """Environments in which something arrived that held runs may wait for."""
        self.fresh: dict[str, None] = {}
        """Runs that came to a gate, and at which nobody looked there yet."""
        self._groups: dict[tuple[str, Status], Groups] = {}

    def groups(self, environment: str, status: Status) -> Groups:
        """The runs that one gate holds."""
        return self._groups.get((environment, status), {})

    def arrive(self, environment: str) -> None:
        """Something came that they may wait for."""
        self.arrived[environment] = None

    def note(self, before: Run | None, after: Run | None) -> None:
        """A run came to a gate, or left one."""
        if before and before.status in HOLDING:
            groups = self._groups[before.environment, before.status]
            runs = groups[before.task, before.lock]
            del runs[before.id]
            if not runs:
                del groups[before.task, before.lock]
        if after and after.status in HOLDING:
            groups = self._groups.setdefault((after.environment, after.status), {})
            groups.setdefault((after.task, after.lock), {})[after.id] = None
            self.fresh[after.id] = None
