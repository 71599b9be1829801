"""What the engine does with commands about schedules."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain import schedule as schedules
from domain.commands import Accepted, Command
from domain.draft import Draft, Origin
from domain.errors import InvalidInput, NotFound
from domain.keys import Key
from domain.memory import Memory
from domain.schedule import DECLARATIVE, IMPERATIVE, Schedule
from domain.scheduling import Schedules


class ScheduleHandlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory, ticking: Schedules) -> None:
        self._memory = memory
        self._ticking = ticking
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.SaveSchedule: self._save,
            c.ChangeSchedule: self._change,
            c.ActivateSchedule: self._activate,
            c.DeactivateSchedule: self._deactivate,
            c.DeleteSchedule: self._delete,
            c.ReckonSchedule: self._reckon,
            c.RunSchedule: self._run_now,
            c.BackfillTicks: self._backfill,
        }

    def _save(self, command: c.SaveSchedule, draft: Draft) -> str:
        key = draft.state(command.key) if command.key else None
        target = key.stands_for(draft.recorded_at) if isinstance(key, Key) else None
        if target and command.deduplication_key is None:
            # The request was sent before, and what became of its schedule since then is nothing that it asks for.
            return target
        known = draft.state(target) if target else None
        now, calendar, origin = draft.recorded_at, self._ticking.calendar, Origin.of(command)
        if isinstance(known, Schedule) and not known.is_deleted:
            draft.record(known.id, schedules.change(known, command.plan, now, calendar), origin)
            return known.id
        stream = command.schedule
        created = schedules.create(stream, IMPERATIVE, command.plan, now, calendar, command.deduplication_key)
        draft.record(stream, created, origin)
        if command.key:
            draft.record(command.key, [e.KeyClaimed(stream, command.key_until)], origin)
        return stream

    def _change(self, command: c.ChangeSchedule, draft: Draft) -> None:
        known = self._of_the_api(command.schedule, command)
        events = schedules.change(known, command.plan, draft.recorded_at, self._ticking.calendar)
        draft.record(known.id, events, Origin.of(command))

    def _activate(self, command: c.ActivateSchedule, draft: Draft) -> None:
        known = self._own(command.schedule, command)
        draft.record(known.id, schedules.activate(known), Origin.of(command))

    def _deactivate(self, command: c.DeactivateSchedule, draft: Draft) -> None:
        known = self._own(command.schedule, command)
        draft.record(known.id, schedules.deactivate(known), Origin.of(command))

    def _delete(self, command: c.DeleteSchedule, draft: Draft) -> None:
        known = self._of_the_api(command.schedule, command)
        draft.record(known.id, schedules.delete(known), Origin.of(command))
        key = draft.state(command.key) if command.key else None
        if isinstance(key, Key) and key.target == known.id:
            draft.record(key.id, [e.KeyFreed()], Origin.of(command))

    def _reckon(self, command: c.ReckonSchedule, draft: Draft) -> bool:
        known = self._memory.states.get(command.schedule)
        if not isinstance(known, Schedule) or known.environment != command.environment:
            return False
        events = schedules.reckon(known, self._ticking.calendar)
        draft.record(known.id, events, Origin.of(command))
        return any(isinstance(each, e.ScheduleReckoned) and each.moved for each in events)

    def _run_now(self, command: c.RunSchedule, draft: Draft) -> str:
        if made := draft.made_by(command.request):
            return made
        known, origin = self._find(command.schedule, command), Origin.of(command)
        self._ticking.run_now(known, command.run, draft, origin)
        draft.claim(command.request, command.run, origin)
        return command.run

    def _backfill(self, command: c.BackfillTicks, draft: Draft) -> list[Accepted]:
        known = self._find(command.schedule, command)
        return self._ticking.backfill(known, command.ticks, draft, Origin.of(command))

    def _of_the_api(self, stream: str, command: Command) -> Schedule:
        known = self._own(stream, command)
        if known.type == DECLARATIVE:
            raise InvalidInput(f"Schedule {stream} is declared by the code of its task: change it there.")
        return known

    def _own(self, stream: str, command: Command) -> Schedule:
        known = self._find(stream, command)
        if known.plan.target.job is not None:
            raise InvalidInput(f"Schedule {stream} is that of job {known.plan.target.job}: change it under /v1/jobs.")
        return known

    def _find(self, stream: str, command: Command) -> Schedule:
        known = self._memory.states.get(stream)
        if not isinstance(known, Schedule) or known.environment != command.environment or known.is_deleted:
            raise NotFound(f"Schedule {stream} not found.")
        return known
