"""What must be true of the log: places, times, slots, keys, and each run's own story."""

from collections.abc import Sequence

from domain import events as e
from domain import states
from domain.environment import Environment
from domain.events import Recorded, RunDequeued, RunEvent, RunResumed
from domain.keys import Key, holds
from domain.ready import Kind, Slots, slots_of
from domain.run import Run
from domain.states import State
from domain.status import Status
from tests.simulation.batch_check import BatchCheck
from tests.simulation.queue_facts import QueueFacts
from tests.simulation.rules import rule
from tests.simulation.run_facts import RunFacts


class LogCheck:
    """Reads the log as it grows, and keeps the state of every aggregate: the fold that engines are compared with."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.runs: dict[str, RunFacts] = {}
        self.batches = BatchCheck(self.runs)
        self.unfinished: set[str] = set()
        self.open: dict[Slots, set[str]] = {}
        """The runs with an open attempt that does not wait, by the slots that they take."""
        self.tokens: dict[str, bool] = {}
        """The tokens that were made, and whether they are over."""
        self.queues = QueueFacts()
        self._position = 0
        self._recorded_at = 0

    def read(self, batch: Sequence[Recorded]) -> None:
        """Check what was committed. Raises Violation."""
        for recorded in batch:
            before = self.states.get(recorded.stream)
            self._check_place(recorded, before.version if before else 0)
            if isinstance(recorded.event, RunEvent):
                self._check_run(recorded, recorded.event)
            elif isinstance(recorded.event, e.KeyClaimed) and isinstance(before, Key):
                self._check_claim(before, recorded)
            elif not isinstance(recorded.event, RunEvent):
                self.queues.follow(recorded)
                self.batches.follow(recorded.stream, recorded.event)
                self._follow_token(recorded)
            self.states[recorded.stream] = states.evolve(before, recorded)
        self.batches.check_commit()
        for run in self.unfinished:
            self.runs[run].journal.check_commit()
        for recorded in batch:
            facts = self.runs.get(recorded.stream)
            rule(not facts or facts.is_settled, "%s: nobody decided what follows the failure", recorded.stream)
        self.queues.end_batch()

    def is_over(self, stream: str) -> bool | None:
        """Whether a run, a batch or a token is over; None if there is no such thing."""
        if stream in self.runs:
            return self.runs[stream].ended is not None
        return self.tokens[stream] if stream in self.tokens else self.batches.is_over(stream)

    def open_in_all(self, environment: str) -> int:
        """How many attempts of the environment are open."""
        return sum(len(runs) for slots, runs in self.open.items() if slots.environment == environment)

    def kept(self) -> list[State]:
        """The states that an engine keeps at this position."""
        return [state for state in self.states.values() if states.is_kept(state)]

    def _check_place(self, recorded: Recorded, version: int) -> None:
        rule(recorded.position == self._position + 1, "position %d follows %d", recorded.position, self._position)
        rule(recorded.version == version + 1, "%s: version %d follows %d", recorded.stream, recorded.version, version)
        rule(recorded.recorded_at >= self._recorded_at, "position %d is recorded as earlier", recorded.position)
        rule(bool(recorded.actor and recorded.cause), "position %d has no actor or no cause", recorded.position)
        self._position, self._recorded_at = recorded.position, recorded.recorded_at

    def _check_run(self, recorded: Recorded, event: RunEvent) -> None:
        run = recorded.stream
        if isinstance(event, e.RunTriggered):
            rule(run not in self.runs, "%s is triggered twice", run)
            self.runs[run] = RunFacts(run, event, self.is_over)
            self.unfinished.add(run)
            if event.parent and event.idempotency_key:
                self.runs[event.parent].journal.add_child(event.idempotency_key, run)
            return
        rule(run in self.runs, "%s: %s before it was triggered", run, event)
        environment = self.states[recorded.environment]
        assert isinstance(environment, Environment)
        facts = self.runs[run]
        had_slot = facts.takes_slot
        if isinstance(event, RunDequeued | RunResumed):
            self._check_order(run)
        facts.follow(recorded, event, environment)
        if had_slot != facts.takes_slot:
            self._check_slots(recorded, facts, environment)
        if facts.ended:
            self.unfinished.discard(run)

    def _follow_token(self, recorded: Recorded) -> None:
        match recorded.event:
            case e.WaitpointCreated():
                rule(recorded.stream not in self.tokens, "%s is made twice", recorded.stream)
                self.tokens[recorded.stream] = False
            case e.WaitpointCompleted() | e.WaitpointTimedOut():
                rule(self.tokens[recorded.stream] is False, "%s is over twice: %s", recorded.stream, recorded.event)
                self.tokens[recorded.stream] = True
            case _:
                pass

    def _check_order(self, run: str) -> None:
        """First come, first served among the ready runs that compete for the same slots and the same workers."""
        first = self.states[run]
        assert isinstance(first, Run)
        for other in self.unfinished:
            state = self.states[other]
            if isinstance(state, Run) and is_ready(state) and _lane_of(state) == _lane_of(first):
                rule(_place_of(first) <= _place_of(state), "%s is handed out before %s", first, state)

    def _check_slots(self, recorded: Recorded, facts: RunFacts, environment: Environment) -> None:
        queue = facts.triggered.queue
        taken = self.open.setdefault(Slots(environment.id, queue, facts.triggered.concurrency_key), set())
        if not facts.takes_slot:
            taken.remove(recorded.stream)
            return
        taken.add(recorded.stream)
        limit = self.queues.limit_of(environment, queue)
        rule(limit is None or len(taken) <= limit, "%d runs of queue %s run, its limit is %s", len(taken), queue, limit)
        in_all, most = self.open_in_all(environment.id), self.queues.most
        rule(most is None or in_all <= most, "%d runs of the environment run, its limit is %s", in_all, most)
        self.queues.follow_start(recorded, queue, environment, is_first=not facts.goes_on)

    def _check_claim(self, key: Key, recorded: Recorded) -> None:
        target = key.stands_for(recorded.recorded_at)
        run = self.states.get(target or "")
        # The key of a request stands for its answer whatever became of the run.
        is_freed = isinstance(run, Run) and not holds(run) and not key.id.startswith("key_request")
        rule(target is None or is_freed, "%s stands for %s, and there is %s", key.id, target, recorded.event)


def is_ready(run: Run) -> bool:
    """Whether it may go on as soon as there is a slot."""
    return run.status is Status.QUEUED or run.is_awake


def _lane_of(run: Run) -> tuple[Slots, Kind]:
    worker = run.worker if run.is_awake else None
    return slots_of(run), Kind(run.task, run.lock, run.last_version, run.machine, worker)


def _place_of(run: Run) -> tuple[int, str]:
    return run.queued_at - run.priority * 1_000, run.id
