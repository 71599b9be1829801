"""Nobody loses a run, or is timed out, without having had the whole lease or the whole duration."""

from collections.abc import Callable, Sequence

from domain import events as e
from domain.commands import Turn
from domain.engine import deaf_after
from domain.events import Recorded
from domain.run import Run
from domain.states import State
from tests.simulation.rules import rule

Holds = Callable[[str], frozenset[tuple[str, int]]]
"""What the process of a worker really holds, nothing if it is gone."""


class LeaseCheck:
    """Sees each batch when it is decided, before it is committed."""

    def __init__(self, states: dict[str, State], holds: Holds, lease_ms: int) -> None:
        self._states = states
        self._holds = holds
        self._lease_ms = lease_ms
        self._heard: dict[str, int] = {}
        self._anew = 0
        """Since when all leases and durations count at the earliest."""
        self._looked = 0
        self._handed: dict[tuple[str, int], int] = {}
        self._started: dict[str, int] = {}

    def saw_handing(self, run: str, token: int) -> bool:
        """Whether the present engine knows how the run came to its worker, so that it cannot be wrong about it."""
        return self._handed.get((run, token), -1) >= self._anew

    def begin_anew(self, now: int) -> None:
        """The engine started, or could not commit."""
        self._anew = self._looked = now

    def submitted(self, turn: Turn, now: int) -> None:
        """A worker was heard of."""
        self._heard[turn.session] = now

    def decided(self, batch: Sequence[Recorded], now: int) -> None:
        """Check what is about to be committed. Raises Violation."""
        if now - self._looked > deaf_after(self._lease_ms):
            self._anew = now
        self._looked = now
        for recorded in batch:
            match recorded.event:
                case e.RunDequeued(token=token):
                    self._handed[recorded.stream, token] = now
                case e.AttemptStarted():
                    self._started[recorded.stream] = now
                case e.RunTimedOut(max_duration_ms=most):
                    had = now - max(self._started[recorded.stream], self._anew)
                    rule(had >= most, "%s: timed out after %d of %d ms", recorded.stream, had, most)
                case e.RunEnqueued(reason="lost"):
                    self._check_loss(recorded, now)
                case e.RunFrozen() if recorded.cause == "lease":
                    self._check_loss(recorded, now)
                case e.AttemptFailed() as failed if failed.error.code == e.WORKER_LOST:
                    self._check_loss(recorded, now)
                case _:
                    pass

    def _check_loss(self, recorded: Recorded, now: int) -> None:
        run = self._states[recorded.stream]
        assert isinstance(run, Run)
        worker, token = run.worker or "", run.token or 0
        if recorded.cause == "lease":
            silent = now - max(self._heard.get(worker, 0), self._anew)
            rule(silent >= self._lease_ms, "%s: lost after %d ms of silence", run.id, silent)
        elif self.saw_handing(run.id, token):
            # An engine that began anew no longer knows which answers may still be on their way.
            rule((run.id, token) not in self._holds(worker), "%s: taken from %s, which holds it", run.id, worker)
