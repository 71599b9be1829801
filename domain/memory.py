"""The states that the engine holds, and what is read off them: ready runs, taken slots, timers, who has what.

All of it follows from the states alone, so that a start, a batch and the undoing of a batch are the same operation:
replace one state by another.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from domain.environment import Environment
from domain.lifecycle import Deadline, deadline_of
from domain.limits import QueueLimits
from domain.queue import QueueState
from domain.ready import ReadyRuns
from domain.run import Run
from domain.states import State


class Memory:
    """Every state that is kept, by stream."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.limits = QueueLimits(self.environment, self.queue)
        self.ready = ReadyRuns(self.run, self.limits)
        self.worker_runs: dict[str, set[str]] = {}
        self._timers: list[tuple[int, str, str]] = []
        self._environments: dict[str, Environment] = {}
        self._queues: dict[str, dict[str, QueueState]] = {}
        self._used: dict[str, dict[str, int]] = {}
        """How many of the runs kept here each queue has."""

    def run(self, stream: str) -> Run | None:
        """The run, if it is here."""
        state = self.states.get(stream)
        return state if isinstance(state, Run) else None

    def environment(self, stream: str) -> Environment | None:
        """The environment, if there is such a one."""
        state = self.states.get(stream)
        return state if isinstance(state, Environment) else None

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
            if run_before is None or run_after is None:
                self._note_use(run_before, run_after)
            if not _are_alike(run_before, run_after):
                self._note(run_before, run_after)
        elif isinstance(before, Environment) or isinstance(after, Environment):
            self._note_environment(stream, after)
        elif isinstance(before, QueueState) or isinstance(after, QueueState):
            self._note_queue(before, after)
        return before

    def queue(self, environment: str, name: str) -> QueueState | None:
        """What somebody said of a queue."""
        return self._queues.get(environment, {}).get(name)

    def queues(self, environment: str) -> set[str]:
        """The names of all queues that a version declares, that have unfinished runs, or of which somebody spoke."""
        state = self.environment(environment)
        declared = state.queues() if state else set[str]()
        return declared | self._used.get(environment, {}).keys() | self._queues.get(environment, {}).keys()

    def knows_queue(self, environment: str, name: str) -> bool:
        """Whether there is such a queue."""
        if name in self._used.get(environment, {}) or name in self._queues.get(environment, {}):
            return True
        state = self.environment(environment)
        return state is not None and name in state.queues()

    def due(self, now: int) -> Iterator[tuple[Run, Deadline]]:
        """The deadlines that have passed, earliest first, each once."""
        while self._timers and self._timers[0][0] <= now:
            at, stream, kind = heappop(self._timers)
            run = self.run(stream)
            if run is not None and self._is_armed(at, stream, kind):
                yield run, Deadline(at, kind)

    def next_due(self) -> int | None:
        """When the next deadline passes, or a rate allows more; it may turn out to be nobody's any more."""
        dues = [self._timers[0][0]] if self._timers else []
        rate = self.ready.next_due()
        return min(dues if rate is None else [*dues, rate], default=None)

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
        if isinstance(after, Environment):
            self._environments[stream] = after
        else:
            del self._environments[stream]
        self.limits.forget(stream)
        self.ready.reopen(stream)

    def _note_queue(self, before: State | None, after: State | None) -> None:
        known = after if isinstance(after, QueueState) else before
        assert isinstance(known, QueueState), "one of them is a queue"
        queues = self._queues.setdefault(known.environment, {})
        if after is known:
            queues[known.name] = known
        else:
            del queues[known.name]
        self.limits.forget(known.environment, known.name)
        if not (isinstance(before, QueueState) and isinstance(after, QueueState) and _only_counts(before, after)):
            self.ready.reopen(known.environment, known.name)

    def _note_use(self, before: Run | None, after: Run | None) -> None:
        run = before or after
        assert run is not None, "one of them is a run"
        used = self._used.setdefault(run.environment, {})
        runs = used.get(run.queue, 0) + (1 if after else -1)
        if runs:
            used[run.queue] = runs
        else:
            del used[run.queue]

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


def _only_counts(before: QueueState, after: QueueState) -> bool:
    """Whether nothing but further starts was noted, after which the queue allows no more than before."""
    return (before.is_paused, before.override) == (after.is_paused, after.override) and before.version < after.version


def _are_alike(before: Run | None, after: Run | None) -> bool:
    """Whether what is read off the two is the same, as it is most often: the same attempt is open, or all is over."""
    if before is None:
        return False
    if after is None:
        return before.is_final
    return before.token is not None and before.token == after.token
