"""What an engine holds in memory is what the ledger says, at every commit."""

from collections.abc import Iterable, Sequence

from domain import batch as batches
from domain import schedule as schedules
from domain import states
from domain import waitpoint as waitpoints
from domain.batch import Batch
from domain.eligibility import eligible
from domain.engine import Engine
from domain.environment import Environment
from domain.events import Recorded
from domain.lanes import kind_of
from domain.lifecycle import deadline_of
from domain.memory import Memory
from domain.ready import slots_of
from domain.run import Run
from domain.schedule import Schedule
from domain.states import State
from domain.status import Status
from domain.waitpoint import Waitpoint
from tests.simulation.log_check import LogCheck, is_ready
from tests.simulation.rules import rule


def _waiters_of(memory: Memory) -> dict[str, dict[str, None]]:
    return memory.waiters.by_target


class MemoryCheck:
    """Compares the memory of the engine with the fold of the log."""

    def __init__(self, log: LogCheck) -> None:
        self._log = log

    def check_batch(self, memory: Memory, batch: Sequence[Recorded]) -> None:
        """Compare what a batch has changed, and the slots. Raises Violation."""
        for stream in {recorded.stream: None for recorded in batch}:
            state = self._log.states[stream]
            expected, found = state if states.is_kept(state) else None, memory.states.get(stream)
            rule(found == expected, "%s is %s in memory, and %s in the ledger", stream, found, expected)
        self._check_slots(memory)

    def check_all(self, memory: Memory) -> None:
        """Compare everything. Raises Violation."""
        expected = {state.id: state for state in self._log.kept()}
        rule(memory.states == expected, "memory holds %s, the ledger %s", memory.states, expected)
        self._check_slots(memory)
        runs = [state for state in expected.values() if isinstance(state, Run)]
        workers: dict[str, set[str]] = {}
        for run in runs:
            if run.worker:
                workers.setdefault(run.worker, set()).add(run.id)
        rule(memory.worker_runs == workers, "workers have %s, in the ledger %s", memory.worker_runs, workers)
        for environment, queue in {(run.environment, run.queue) for run in runs}:
            ready = sum(run.queue == queue and is_ready(run) for run in runs)
            found = memory.ready.depth(environment, queue)
            rule(found == ready, "%d runs of %s are ready, in the ledger %d", found, queue, ready)
        self._check_batches(memory, expected.values())
        self._check_waiters(memory, runs)
        deadlines = [deadline_of(run) for run in runs]
        deadlines += [batches.deadline_of(state) for state in expected.values() if isinstance(state, Batch)]
        deadlines += [waitpoints.deadline_of(state) for state in expected.values() if isinstance(state, Waitpoint)]
        deadlines += [schedules.deadline_of(state) for state in expected.values() if isinstance(state, Schedule)]
        self._check_schedules(memory, expected.values())
        due = min((deadline.at for deadline in deadlines if deadline), default=None)
        timer = memory.next_due()
        rule(due is None or (timer is not None and timer <= due), "next timer at %s, next deadline at %s", timer, due)

    def check_rest(self, engine: Engine, now: int) -> None:
        """The engine finds nothing to do: nobody who may start waits while a worker wants it. Raises Violation."""
        for stream in self._log.unfinished:
            self._log.runs[stream].journal.check_time(now)
            run = self._log.states[stream]
            goes_on = isinstance(run, Run) and run.is_awake and self._may_start(run, now)
            rule(not goes_on, "%s waits, its wait is over, its queue is open, and there is a slot", stream)
        turns = engine._turns  # pyright: ignore[reportPrivateUsage]
        wanting = [each for each in turns.sessions if each.sequence and each.want > len(each.runs)]
        for stream in sorted(self._log.unfinished) if wanting else ():
            run = self._log.states[stream]
            assert isinstance(run, Run)
            if run.status is not Status.QUEUED or not self._may_start(run, now):
                continue
            environment = self._log.states[run.environment]
            assert isinstance(environment, Environment)
            able = [each.id for each in wanting if eligible(each, environment, turns.is_served)(kind_of(run))]
            rule(not able, "%s waits, its queue is open, there is a slot, and %s want it", stream, able)

    def _may_start(self, run: Run, now: int) -> bool:
        log, slots = self._log, slots_of(run)
        environment = log.states[run.environment]
        assert isinstance(environment, Environment)
        limit, most = log.queues.limit_of(environment, run.queue), log.queues.most
        return (
            log.queues.is_open(environment, run.queue, now)
            and (limit is None or len(log.open.get(slots, ())) < limit)
            and (most is None or log.open_in_all(environment.id) < most)
        )

    def _check_waiters(self, memory: Memory, runs: list[Run]) -> None:
        waiting: dict[str, set[str]] = {}
        for run in runs:
            for target in {target for wait in run.waits for target in wait.targets}:
                waiting.setdefault(target, set()).add(run.id)
        found = {target: set(waiters) for target, waiters in _waiters_of(memory).items()}
        rule(found == waiting, "the waiters are %s, in the ledger %s", found, waiting)
        kept = {run.worker for run in runs if run.is_awake}
        for environment in {run.environment for run in runs}:
            workers = {kind.worker for kind in memory.ready.kinds(environment) if kind.worker}
            rule(workers <= kept, "%s are said to keep the processes of ready runs, and %s do", workers, kept)

    def _check_schedules(self, memory: Memory, kept: Iterable[State]) -> None:
        running: dict[str, set[str]] = {}
        for run in kept:
            if isinstance(run, Run) and run.schedule:
                running.setdefault(run.schedule, set()).add(run.id)
        known = memory.schedules._running  # pyright: ignore[reportPrivateUsage]
        found = {schedule: set(runs) for schedule, runs in known.items()}
        rule(found == running, "schedules are said to have the runs %s, in the ledger %s", found, running)

    def _check_batches(self, memory: Memory, kept: Iterable[State]) -> None:
        unfinished: dict[str, dict[str, None]] = {}
        for run in kept:
            if isinstance(run, Run) and run.batch:
                unfinished.setdefault(run.batch, {})[run.id] = None
        found = memory.members.unfinished
        rule(found == unfinished, "batches wait for %s, in the ledger for %s", found, unfinished)

    def _check_slots(self, memory: Memory) -> None:
        for slots, open_runs in self._log.open.items():
            taken = memory.ready.taken(slots)
            rule(taken == len(open_runs), "%d slots of %s are taken by the open attempts %s", taken, slots, open_runs)
        for environment in {slots.environment for slots in self._log.open}:
            in_all, expected = memory.ready.taken_in_all(environment), self._log.open_in_all(environment)
            rule(in_all == expected, "%d slots of %s are taken by %d attempts", in_all, environment, expected)
