"""The states that the engine holds, and what is read off them: ready runs, taken slots, timers, who has what.

All of it follows from the states alone, so that a start, a batch and the undoing of a batch are the same operation:
replace one state by another.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, TypeAlias

from domain import batch as batches
from domain import channel as channels
from domain import connection as connections
from domain import named_event as named_events
from domain import schedule as schedules
from domain import waitpoint as waitpoints
from domain.batch import Batch
from domain.bulk import Bulk, BulkStatus
from domain.channel import Channel
from domain.connection import Connection
from domain.endings import Endings
from domain.environment import Environment
from domain.erasure import Erasure, ErasureStatus
from domain.events import RateLimit
from domain.gates import Gates
from domain.held import HOLDING, HeldRuns
from domain.job import QUEUES, Job
from domain.lifecycle import Deadline, deadline_of
from domain.limits import QueueLimits
from domain.members import Members
from domain.named_event import NamedEvent
from domain.queue import QueueState
from domain.ready import ReadyRuns
from domain.request_keys import RequestKeys
from domain.run import Run
from domain.schedule import Schedule
from domain.scheduled import ScheduledRuns
from domain.sink import Sink
from domain.states import State
from domain.status import Status
from domain.subscriptions import Subscriptions
from domain.waiters import Waiters
from domain.waitpoint import Waitpoint

Timed: TypeAlias = Run | Batch | Waitpoint | Schedule | NamedEvent | Channel
"""What moves on by itself when its time has come."""


class Memory:
    """Every state that is kept, by stream."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.limits = QueueLimits(self.environment, self.queue, self._rate_of_job)
        self.ready = ReadyRuns(self.run, self.limits)
        self.worker_runs: dict[str, set[str]] = {}
        self.children: dict[str, dict[str, None]] = {}
        """The unfinished children of a run."""
        self.members = Members()
        self.bulks: dict[str, None] = {}
        """The bulk actions that are to be carried on, in the order in which they began."""
        self.erasures: dict[str, None] = {}
        """The erasures that are to be carried out, in the order in which they were decided."""
        self.sinks: dict[str, Sink] = {}
        """The sinks to which events are streamed."""
        self.held = HeldRuns()
        self.waiters = Waiters()
        self.schedules = ScheduledRuns()
        self.subscriptions = Subscriptions()
        self.deliveries: dict[str, None] = {}
        """The named events whose time has come, and whose payload has to be brought: see DeliverEvent."""
        self.endings = Endings()
        self.requests = RequestKeys()
        self._timers: list[tuple[int, str, str]] = []
        self._environments: dict[str, Environment] = {}
        self._queues: dict[str, dict[str, QueueState]] = {}
        self._used: dict[str, dict[str, int]] = {}
        """How many of the runs kept here each queue has."""
        self._notes: dict[type[State | None], Callable[[str, Any, Any], None]] = {
            Environment: self._note_environment,
            Batch: self._note_batch,
            Waitpoint: self._note_waitpoint,
            Schedule: self._note_schedule,
            NamedEvent: self._note_named_event,
            Job: self._note_job,
            Bulk: self._note_bulk,
            Erasure: self._note_erasure,
            Sink: self._note_sink,
            Channel: self._note_channel,
            Connection: self._note_connection,
            QueueState: self._note_queue,
        }

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
            if not run_before or not run_after or run_before.queue != run_after.queue:
                self._note_use(run_before, run_after)
            if not _are_alike(run_before, run_after):
                self._note(run_before, run_after)
        elif note := self._notes.get(type(before if after is None else after)):
            note(stream, before, after)
        return before

    def lay_out(self, stream: str, state: State | None) -> None:
        """Have at hand what was over before, or put it away: that is no news, and nothing is read off it."""
        if state is None:
            del self.states[stream]
        else:
            self.states[stream] = state

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

    def gates(self, environment: Environment, now: int) -> Gates:
        """The gates of an environment."""

        def is_ready(name: str) -> bool:
            found = self.connection(environment.id, name)
            return found is not None and found.is_ready

        return Gates(environment, is_ready, now)

    def is_over(self, stream: str) -> bool:
        """Whether a run, a batch or a waitpoint that was there once is over: what is not kept any more is."""
        match self.states.get(stream):
            case Run() as run:
                return run.is_final
            case Batch() as batch:
                return batch.ended_at is not None
            case Waitpoint() as waitpoint:
                return waitpoint.is_over
            case _:
                return True

    def due(self, now: int) -> Iterator[tuple[Timed, Deadline]]:
        """The deadlines that have passed, earliest first, each once."""
        while self._timers and self._timers[0][0] <= now:
            at, stream, kind = heappop(self._timers)
            state = self.states.get(stream)
            if isinstance(state, Timed) and self._is_armed(at, stream, kind):
                yield state, Deadline(at, kind)

    def next_due(self) -> int | None:
        """When the next deadline passes, or a rate allows more; it may turn out to be nobody's any more."""
        dues = [self._timers[0][0]] if self._timers else []
        rate = self.ready.next_due()
        return min(dues if rate is None else [*dues, rate], default=None)

    def _arm(self, stream: str, deadline: Deadline) -> None:
        heappush(self._timers, (deadline.at, stream, deadline.kind))
        if len(self._timers) > 2 * len(self.states) + 1_000:
            # Most are of runs that have moved on; a far deadline must not keep them in memory.
            self._timers = [timer for timer in set(self._timers) if self._is_armed(*timer)]
            heapify(self._timers)

    def _is_armed(self, at: int, stream: str, kind: str) -> bool:
        state = self.states.get(stream)
        if isinstance(state, Batch):
            return batches.deadline_of(state) == (at, kind)
        if isinstance(state, Waitpoint):
            return waitpoints.deadline_of(state) == (at, kind)
        if isinstance(state, Schedule):
            return schedules.deadline_of(state) == (at, kind)
        if isinstance(state, NamedEvent):
            return named_events.deadline_of(state) == (at, kind)
        if isinstance(state, Channel):
            return channels.deadline_of(state) == (at, kind)
        return isinstance(state, Run) and deadline_of(state) == (at, kind)

    def _note_environment(self, stream: str, _before: Environment | None, after: Environment | None) -> None:
        self.held.arrive(stream)
        if after is not None:
            self._environments[stream] = after
        else:
            del self._environments[stream]
        self.limits.forget(stream)
        self.ready.reopen(stream)

    def _note_connection(self, _stream: str, _before: Connection | None, after: Connection | None) -> None:
        if after is not None:
            self.held.arrive(after.environment)

    def _note_job(self, stream: str, before: Job | None, after: Job | None) -> None:
        self.subscriptions.note_job(before, after)
        known = after or before
        assert known is not None, "there is a state before it or after it"
        if (before and before.spec.rate_limit) != (after and after.spec.rate_limit):
            queue = f"{QUEUES}{stream}"
            self.limits.forget(known.environment, queue)
            self.ready.reopen(known.environment, queue)

    def _rate_of_job(self, environment: str, queue: str) -> RateLimit | None:
        if not queue.startswith(QUEUES):
            return None
        job = self.states.get(queue.removeprefix(QUEUES))
        return job.spec.rate_limit if isinstance(job, Job) and job.environment == environment else None

    def _note_queue(self, _stream: str, before: QueueState | None, after: QueueState | None) -> None:
        known = after or before
        assert known is not None, "there is a state before it or after it"
        queues = self._queues.setdefault(known.environment, {})
        if after is known:
            queues[known.name] = known
        else:
            del queues[known.name]
        self.limits.forget(known.environment, known.name)
        if not (before and after and _only_counts(before, after)):
            self.ready.reopen(known.environment, known.name)

    def _note_use(self, before: Run | None, after: Run | None) -> None:
        if before:
            used = self._used[before.environment]
            used[before.queue] -= 1
            if not used[before.queue]:
                del used[before.queue]
        if after:
            used = self._used.setdefault(after.environment, {})
            used[after.queue] = used.get(after.queue, 0) + 1

    def _note_batch(self, stream: str, before: Batch | None, after: Batch | None) -> None:
        self.members.note_batch(stream, before, after)
        if after and after.ended_at is not None:
            self.waiters.end(stream)
        deadline = batches.deadline_of(after) if after else None
        # Also when an expiry is undone: its timer is used up.
        if deadline and (before is None or batches.deadline_of(before) != deadline):
            self._arm(stream, deadline)

    def _note_waitpoint(self, stream: str, before: Waitpoint | None, after: Waitpoint | None) -> None:
        if after is None:
            return
        if after.is_over:
            self.waiters.end(stream)
        deadline = waitpoints.deadline_of(after)
        if deadline and (before is None or waitpoints.deadline_of(before) != deadline):
            self._arm(stream, deadline)

    def _note_schedule(self, stream: str, before: Schedule | None, after: Schedule | None) -> None:
        self.schedules.note_schedule(before, after)
        deadline = schedules.deadline_of(after) if after else None
        if deadline and (before is None or schedules.deadline_of(before) != deadline):
            self._arm(stream, deadline)

    def _note_named_event(self, stream: str, before: NamedEvent | None, after: NamedEvent | None) -> None:
        deadline = named_events.deadline_of(after) if after else None
        if deadline is None:
            self.deliveries.pop(stream, None)
        elif before is None or named_events.deadline_of(before) != deadline:
            self._arm(stream, deadline)

    def _note_channel(self, stream: str, before: Channel | None, after: Channel | None) -> None:
        self.endings.note_channel(stream, before, after)
        deadline = channels.deadline_of(after) if after else None
        if deadline and (before is None or channels.deadline_of(before) != deadline):
            self._arm(stream, deadline)

    def _note_bulk(self, stream: str, _before: Bulk | None, after: Bulk | None) -> None:
        if after and after.status is BulkStatus.PENDING:
            self.bulks.setdefault(stream)
        else:
            self.bulks.pop(stream, None)

    def _note_erasure(self, stream: str, _before: Erasure | None, after: Erasure | None) -> None:
        if after and after.status is ErasureStatus.PENDING:
            self.erasures.setdefault(stream)
        else:
            self.erasures.pop(stream, None)

    def _note_sink(self, stream: str, _before: Sink | None, after: Sink | None) -> None:
        if after and not after.is_removed:
            self.sinks[stream] = after
        else:
            self.sinks.pop(stream, None)

    def _note(self, before: Run | None, after: Run | None) -> None:
        self.ready.replace(before, after)
        known = after or before
        assert known is not None, "there is a run before it or after it"
        # Most runs belong to nothing, and nobody waits for them; this is asked three times of every run.
        if known.batch or known.schedule or known.waits or self.waiters.by_target or self.members.sharing:
            self.waiters.note_run(before, after)
            self.members.note_run(before, after)
            self.schedules.note_run(before, after)
        if after is not None and after.ended_at is not None:
            self.endings.note_run(before, after)
        deadline = deadline_of(after) if after else None
        if after and deadline and (before is None or deadline_of(before) != deadline):
            self._arm(after.id, deadline)
        if before is None or after is None or before.status is not after.status:
            # Held runs keep their place when something is added to what is known of them.
            if (before and before.status in HOLDING) or (after and after.status in HOLDING):
                self.held.note(before, after)
            if (before and before.parent) or (after and after.parent):
                self._note_child(before, after)
        had, has = before.worker if before else None, after.worker if after else None
        if had != has:
            self._note_worker(before, after)

    def _note_worker(self, before: Run | None, after: Run | None) -> None:
        if before and before.worker:
            self.worker_runs[before.worker].discard(before.id)
            if not self.worker_runs[before.worker]:
                del self.worker_runs[before.worker]
        if after and after.worker:
            self.worker_runs.setdefault(after.worker, set()).add(after.id)

    def _note_child(self, before: Run | None, after: Run | None) -> None:
        if before and before.parent and not before.is_final and (after is None or after.is_final):
            siblings = self.children[before.parent]
            del siblings[before.id]
            if not siblings:
                del self.children[before.parent]
        if after and after.parent and not after.is_final and (before is None or before.is_final):
            self.children.setdefault(after.parent, {})[after.id] = None


def _only_counts(before: QueueState, after: QueueState) -> bool:
    """Whether nothing but further starts was noted, after which the queue allows no more than before."""
    return (before.is_paused, before.override) == (after.is_paused, after.override) and before.version < after.version


def _are_alike(before: Run | None, after: Run | None) -> bool:
    """Whether what is read off the two is the same, as it is most often: the same attempt is open, or all is over."""
    if before is None:
        return False
    if after is None:
        return before.is_final
    return (
        before.token is not None
        and before.token == after.token
        # What is not changed is the same object.
        and before.waits is after.waits
        and before.woken is after.woken
        and (before.status is Status.WAITING) is (after.status is Status.WAITING)
    )
