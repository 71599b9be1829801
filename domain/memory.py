"""The states that the engine holds, and what is read off them: ready runs, taken slots, timers, who has what.

All of it follows from the states alone, so that a start, a batch and the undoing of a batch are the same operation:
replace one state by another.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from domain import connection as connections
from domain.connection import Connection
from domain.environment import Environment
from domain.lifecycle import Deadline, deadline_of
from domain.ready import ReadyRuns
from domain.run import Run
from domain.states import State


class Memory:
    """Every state that is kept, by stream."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.ready = ReadyRuns(self.run)
        self.worker_runs: dict[str, set[str]] = {}
        self._timers: list[tuple[int, str, str]] = []
        self._environments: dict[str, Environment] = {}
        self._limits: dict[str, dict[str, int | None]] = {}

    def run(self, stream: str) -> Run | None:
        """The run, if it is here."""
        state = self.states.get(stream)
        return state if isinstance(state, Run) else None

    def environment(self, stream: str) -> Environment | None:
        """The environment, if there is such a one."""
        state = self.states.get(stream)
        return state if isinstance(state, Environment) else None

    def connection(self, environment: str, name: str) -> Connection | None:
        """The connection of this name, if there ever was one; `is_ready` says whether there is now."""
        state = self.states.get(connections.stream_of(environment, name))
        return state if isinstance(state, Connection) else None

    def environments(self) -> Iterator[Environment]:
        """All of them."""
        return iter(self._environments.values())

    def replace(self, stream: str, after: State | None) -> State | None:
        """Put a state in the place of the one before, or take it away; returns the one before."""
        before = self.states.get(stream)
        if after is None:
            self.states.pop(stream, None)
        else:
            self.states[stream] = after
        run_before = before if isinstance(before, Run) else None
        run_after = after if isinstance(after, Run) else None
        if run_before or run_after:
            if not _are_alike(run_before, run_after):
                self._note(run_before, run_after)
        elif isinstance(before, Environment) or isinstance(after, Environment):
            self._note_environment(stream, after)
        return before

    def limit_of(self, environment: str, queue: str) -> int | None:
        """The concurrency limit of a queue in the current version."""
        known = self._limits.setdefault(environment, {})
        if queue not in known:
            state = self.environment(environment)
            known[queue] = state.limit_of(queue) if state else None
        return known[queue]

    def due(self, now: int) -> Iterator[tuple[Run, Deadline]]:
        """The deadlines that have passed, earliest first, each once."""
        while self._timers and self._timers[0][0] <= now:
            at, stream, kind = heappop(self._timers)
            run = self.run(stream)
            if run is not None and self._is_armed(at, stream, kind):
                yield run, Deadline(at, kind)

    def next_due(self) -> int | None:
        """When the next deadline passes; it may turn out to be nobody's any more."""
        return self._timers[0][0] if self._timers else None

    def _arm(self, run: Run, deadline: Deadline) -> None:
        heappush(self._timers, (deadline.at, run.id, deadline.kind))
        if len(self._timers) > 2 * len(self.states) + 1_000:
            # Most are of runs that have moved on; a far deadline must not keep them in memory.
            self._timers = [timer for timer in set(self._timers) if self._is_armed(*timer)]
            heapify(self._timers)

    def _is_armed(self, at: int, stream: str, kind: str) -> bool:
        run = self.run(stream)
        return run is not None and deadline_of(run) == (at, kind)

    def _note_environment(self, stream: str, after: State | None) -> None:
        self._limits.pop(stream, None)
        if isinstance(after, Environment):
            self._environments[stream] = after
        else:
            del self._environments[stream]

    def _note(self, before: Run | None, after: Run | None) -> None:
        self.ready.replace(before, after)
        deadline = deadline_of(after) if after else None
        if after and deadline and (before is None or deadline_of(before) != deadline):
            self._arm(after, deadline)
        had, has = before.worker if before else None, after.worker if after else None
        if had == has:
            return
        if before and had:
            self.worker_runs[had].discard(before.id)
            if not self.worker_runs[had]:
                del self.worker_runs[had]
        if after and has:
            self.worker_runs.setdefault(has, set()).add(after.id)


def _are_alike(before: Run | None, after: Run | None) -> bool:
    """Whether what is read off the two is the same, as it is most often: the same attempt is open, or all is over."""
    if before is None:
        return False
    if after is None:
        return before.is_final
    return before.token is not None and before.token == after.token
