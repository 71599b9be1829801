"""How schedules become runs: at their ticks, at the end of a run that a tick waited for, and by what tasks declare."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from msgspec.structs import replace

from domain import events as e
from domain import keys
from domain import schedule as schedules
from domain.calendar import Calendar, Tick
from domain.canceling import Cancels
from domain.commands import Accepted, TriggerRuns
from domain.declared import plan_of
from domain.derived import derived_id
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import InvalidInput, NotAllowed
from domain.events import MANUAL, SCHEDULE, JobRef, Scheduled, TaskSettings
from domain.job import Job
from domain.keys import Key
from domain.lifecycle import Deadline, NewRun
from domain.memory import Memory
from domain.schedule import BUFFER_ONE, CANCEL_OTHER, DECLARATIVE, SCHED, SKIP, Schedule
from domain.scheduled_payload import payload_of
from domain.ticks import FIRES, OVERLAP, Decided, decide
from domain.timing import local_text
from domain.triggering import FOR_EVER, trigger_run

BUFFER = "BUFFER"
OVERLAPPED = "Another run of its schedule took its place."


class Schedules:
    """Fires what is due. That a tick is never fired twice rests on its key, which one run alone can claim."""

    def __init__(self, memory: Memory, calendar: Calendar, cancels: Cancels) -> None:
        self._memory = memory
        self.calendar = calendar
        self._cancels = cancels

    def fire(self, schedule: Schedule, deadline: Deadline, draft: Draft) -> int:
        """Let the ticks that are due come to something, and say how many did. There may be more."""
        if schedules.deadline_of(schedule) != deadline:
            return 0
        decided = self._without_overlaps(schedule, decide(schedule, draft.recorded_at, self.calendar))
        count = 0
        # One after the other, as what one fires may be in the way of the next.
        for fate, group in groupby(decided, key=lambda each: each.fate):
            ticks = list(group)
            count += len(ticks)
            self._record(schedule, fate, ticks, draft)
        return count

    def settle(self, draft: Draft) -> None:
        """Fire the ticks that waited for the end of a run."""
        for stream in self._memory.schedules.freed():
            schedule = self._memory.states.get(stream)
            if not isinstance(schedule, Schedule) or schedule.buffered is None:
                continue
            if self._memory.schedules.is_busy(stream):
                continue
            tick, origin = schedule.buffered, _origin(schedule, schedule.buffered, draft)
            run = _run_id(schedule, tick, draft)
            fired = e.BufferedTickFired(tick, run, max(0, draft.recorded_at - tick.due))
            draft.record(stream, [fired], origin)
            self.trigger(schedule, tick, run, draft, origin)

    def declare(self, environment: Environment, draft: Draft, origin: Origin) -> None:
        """Let there be the schedules that the tasks declare, as their homes have them, and no others of that kind."""
        wanted = {task.id: plan_of(task) for task in environment.at_home() if task.schedule}
        known = self._memory.schedules.declared(environment.id)
        for task, stream in sorted(known.items()):
            schedule = self._memory.states[stream]
            assert isinstance(schedule, Schedule), "what is declared is a schedule"
            plan = wanted.pop(task, None)
            now = draft.recorded_at
            events = schedules.change(schedule, plan, now, self.calendar) if plan else schedules.delete(schedule)
            draft.record(stream, events, origin)
        for task, plan in sorted(wanted.items()):
            # No ids are made in here; the version of the environment tells one life of it from the next.
            stream = derived_id(SCHED, draft.recorded_at, environment.id, task, environment.version)
            created = schedules.create(stream, DECLARATIVE, plan, draft.recorded_at, self.calendar)
            draft.record(stream, created, origin)

    def backfill(self, schedule: Schedule, ticks: Iterable[Tick], draft: Draft, origin: Origin) -> list[Accepted]:
        """Make the runs of ticks that have none, which is told by the keys. Raises NotAllowed for ticks to come."""
        accepted: list[Accepted] = []
        made: dict[int, str] = {}
        ticks = list(ticks)
        for tick in ticks:
            if schedule.next is not None and tick.at >= schedule.next.at:
                raise NotAllowed(
                    f"The tick {local_text(tick.at)} UTC of schedule {schedule.id} has not come to anything yet:"
                    f" {'it is due soon' if schedule.is_active else 'let the schedule go on first'}."
                )
        for place, tick in enumerate(ticks):
            key = draft.state(key_of(schedule, tick.at))
            if isinstance(key, Key) and key.target is not None:
                accepted.append(Accepted(key.target, cached=True))
                continue
            run = made[tick.at] = _run_id(schedule, tick, draft, place)
            self.trigger(schedule, tick, run, draft, origin)
            accepted.append(Accepted(run))
        draft.record(schedule.id, [e.TicksBackfilled(made)] if made else [], origin)
        return accepted

    def run_now(self, schedule: Schedule, run: str, draft: Draft, origin: Origin) -> None:
        """Make a run beside the ticks, whatever the state of the schedule and its overlap policy."""
        draft.record(schedule.id, [e.ScheduleRunByHand(origin.at, run)], origin)
        new = new_run(schedule, Tick(origin.at, local_text(origin.at)), run, self.calendar)
        # The moment may be that of a tick as well, whose key is for the run of the tick.
        new = replace(new, key=None, key_until=0, keeps_failed=False, source=MANUAL)
        self._trigger(schedule, new, draft, origin)

    def check_declared(self, tasks: Iterable[TaskSettings], now: int) -> None:
        """Raises InvalidInput for a task whose schedule cannot be followed."""
        for task in tasks:
            if task.schedule:
                plan = plan_of(task)
                try:
                    schedules.check(plan, now, self.calendar)
                except InvalidInput as error:
                    raise InvalidInput(f"The schedule of the task {task.id!r}: {error}") from error

    def trigger(self, schedule: Schedule, tick: Tick, run: str, draft: Draft, origin: Origin) -> None:
        """Make the run of a tick."""
        self._trigger(schedule, new_run(schedule, tick, run, self.calendar), draft, origin)

    def _trigger(self, schedule: Schedule, new: NewRun, draft: Draft, origin: Origin) -> None:
        environment = self._memory.environment(schedule.environment)
        assert environment is not None, "a schedule is of an environment"
        job = self._memory.states.get(new.job.id) if new.job else None
        if new.job and isinstance(job, Job):
            new = replace(new, job=replace(new.job, name=job.spec.name))
        command = TriggerRuns(
            environment=environment.id, actor=origin.actor, cause=origin.cause, at=origin.at, runs=[new]
        )
        trigger_run(new, command, self._memory.gates(environment, draft.recorded_at), environment, draft, origin)

    def _without_overlaps(self, schedule: Schedule, decided: Iterable[Decided]) -> Iterator[Decided]:
        """The same, with what is in the way of a run that goes on as its policy has it."""
        overlap, has_buffered = schedule.plan.overlap, schedule.buffered is not None
        is_busy = self._memory.schedules.is_busy(schedule.id)
        for each in decided:
            if each.fate not in FIRES or overlap not in {SKIP, BUFFER_ONE}:
                yield each
            elif not is_busy:
                is_busy = True
                yield each
            elif overlap == BUFFER_ONE and not has_buffered:
                has_buffered = True
                yield each._replace(fate=BUFFER)
            else:
                yield each._replace(fate=OVERLAP)

    def _record(self, schedule: Schedule, fate: str, ticks: list[Decided], draft: Draft) -> None:
        first, last, following = ticks[0].tick, ticks[-1].tick, ticks[-1].next
        until = last if len(ticks) > 1 else None
        origin = _origin(schedule, first, draft)
        if fate == BUFFER:
            draft.record(schedule.id, [e.TickBuffered(first, following)], origin)
        elif fate not in FIRES:
            draft.record(schedule.id, [e.TicksSkipped(first, fate, following, until, len(ticks))], origin)
        else:
            runs = tuple(_run_id(schedule, each.tick, draft, place) for place, each in enumerate(ticks))
            late = max(0, draft.recorded_at - first.due)
            before = draft.state(schedule.id)
            assert isinstance(before, Schedule), "a schedule stays a schedule"
            draft.record(schedule.id, [e.TicksFired(first, runs, following, until, fate, late)], origin)
            for each, run in zip(ticks, runs, strict=True):
                if schedule.plan.overlap == CANCEL_OTHER:
                    self._cancel_others(schedule, draft, origin)
                self.trigger(before, each.tick, run, draft, origin)
                # What the next run is told of the one before it.
                before = replace(before, last=each.tick.at)
        job = schedule.plan.target.job
        if following is None and job is not None:
            draft.record(job, [e.JobCompleted()], origin)

    def _cancel_others(self, schedule: Schedule, draft: Draft, origin: Origin) -> None:
        for stream in self._memory.schedules.running(schedule.id):
            run = self._memory.run(stream)
            assert run is not None, "an unfinished run is in memory"
            self._cancels.cancel(run, OVERLAPPED, origin, draft)


def new_run(schedule: Schedule, tick: Tick, run: str, calendar: Calendar) -> NewRun:
    """The run of a tick."""
    target = schedule.plan.target
    payload = (bytes(target.payload) and target.payload) or payload_of(schedule, tick, calendar)
    return NewRun(
        run,
        target.task,
        payload,
        payload_type=target.payload_type,
        payload_size=len(bytes(payload)),
        queue=target.queue,
        tags=target.tags,
        metadata=target.metadata,
        priority=target.priority,
        concurrency_key=target.concurrency_key,
        ttl_ms=target.ttl_ms,
        max_attempts=target.max_attempts,
        max_duration_ms=target.max_duration_ms,
        is_test=target.is_test,
        machine=target.machine,
        key=key_of(schedule, tick.at),
        key_until=FOR_EVER,
        keeps_failed=True,
        source=SCHEDULE,
        schedule=Scheduled(schedule.id, schedule.revision, tick.at),
        job=None if target.job is None else JobRef(target.job, target.job_name, tick.at),
    )


def key_of(schedule: Schedule, at: int) -> str:
    """The key that the run of a tick claims. No two revisions plan the same moment, so the moment tells the tick."""
    return keys.stream_of(schedule.environment, "tick", schedule.id, str(at))


def _run_id(schedule: Schedule, tick: Tick, draft: Draft, place: int = 0) -> str:
    return derived_id("run", draft.recorded_at, schedule.id, schedule.revision, tick.at, place=place)


def _origin(schedule: Schedule, tick: Tick, draft: Draft) -> Origin:
    return Origin(schedule.environment, "schedule", f"{schedule.id}:{tick.at}", draft.recorded_at)
