"""What the engine does with each command: load, decide, record. Reports of workers are in `turns`."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain import keys, lifecycle
from domain.commands import Accepted, Command
from domain.draft import Draft, Origin, Ticket
from domain.environment import Environment
from domain.environment_handlers import EnvironmentHandlers
from domain.errors import InvalidInput, NotFound
from domain.keys import Key
from domain.lifecycle import NewRun
from domain.memory import Memory
from domain.run import Run
from domain.states import Batch
from domain.turns import Turns


class Handlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory, turns: Turns) -> None:
        self._memory = memory
        self._turns = turns
        self._methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.TriggerRuns: self._trigger_runs,
            c.CancelRun: self._cancel_run,
            c.RescheduleRun: self._reschedule_run,
            c.GiveUpRun: self._give_up_run,
            c.ResetKey: self._reset_key,
            c.EndTurn: self._end_turn,
            **EnvironmentHandlers(memory).methods,
        }

    def handle(self, ticket: Ticket, command: Command, draft: Draft, now: int) -> None:
        """Decide one command. `now` is on the monotonic clock. Raises Refused; nothing is recorded then."""
        if isinstance(command, c.Turn):
            self._turns.take(command, ticket, draft, now)
            return
        draft.answers.append((ticket, self._methods[type(command)](command, draft)))

    def _trigger_runs(self, command: c.TriggerRuns, draft: Draft) -> list[Accepted]:
        environment = self._environment(command)
        if not command.runs:
            raise InvalidInput("A trigger is of one run or more.")
        if command.request and command.batch is None and len(command.runs) > 1:
            raise InvalidInput("Several runs that can be asked for again need a batch, which knows them all.")
        now = draft.recorded_at
        if command.request:
            request = draft.state(command.request)
            target = request.stands_for(now) if isinstance(request, Key) else None
            if target:
                batch = draft.state(target)
                return [Accepted(run) for run in batch.runs] if isinstance(batch, Batch) else [Accepted(target)]
        origin = Origin.of(command)
        accepted = [self._trigger(new, environment, draft, origin) for new in command.runs]
        for new, each in zip(command.runs, accepted, strict=True):
            if new.payload_blob and not each.cached:
                draft.add_blob(new.payload_blob.key, command.blobs[new.payload_blob.key])
        if command.batch:
            draft.record(command.batch, [e.BatchTriggered(tuple(each.run for each in accepted))], origin)
        if command.request:
            target = command.batch or accepted[0].run
            draft.record(command.request, [e.KeyClaimed(target, command.request_until)], origin)
        return accepted

    def _trigger(self, new: NewRun, environment: Environment, draft: Draft, origin: Origin) -> Accepted:
        key = draft.state(new.key) if new.key else None
        if isinstance(key, Key) and (target := key.stands_for(draft.recorded_at)):
            run = draft.state(target)
            if isinstance(run, Run) and keys.holds(run):
                return Accepted(target, cached=True)
        draft.record(new.id, lifecycle.trigger(new, environment, draft.recorded_at), origin)
        if new.key:
            draft.record(new.key, [e.KeyClaimed(new.id, new.key_until)], origin)
        return Accepted(new.id)

    def _cancel_run(self, command: c.CancelRun, draft: Draft) -> None:
        self._end(self._run(command.run, command, draft), command, draft, "CANCELED")

    def _give_up_run(self, command: c.GiveUpRun, draft: Draft) -> None:
        self._end(self._run(command.run, command, draft), command, draft, "GONE")

    def _end(self, run: Run, command: c.CancelRun | c.GiveUpRun, draft: Draft, told: str) -> None:
        events = (
            lifecycle.cancel(run, command.reason)
            if isinstance(command, c.CancelRun)
            else lifecycle.give_up(run, command.message)
        )
        if events:
            draft.record(run.id, events, Origin.of(command))
            self._turns.stop(run, told)

    def _reschedule_run(self, command: c.RescheduleRun, draft: Draft) -> None:
        run = self._run(command.run, command, draft)
        draft.record(run.id, lifecycle.reschedule(run, command.until, draft.recorded_at), Origin.of(command))

    def _reset_key(self, command: c.ResetKey, draft: Draft) -> None:
        key = draft.state(command.key)
        if not isinstance(key, Key) or key.stands_for(draft.recorded_at) is None:
            raise NotFound("No run has this idempotency key.")
        draft.record(command.key, [e.KeyFreed()], Origin.of(command))

    def _end_turn(self, command: c.EndTurn, draft: Draft) -> None:
        self._turns.end(command, draft)

    def _environment(self, command: Command) -> Environment:
        environment = self._memory.environment(command.environment)
        if environment is None:
            raise NotFound(f"There is no environment {command.environment}.")
        return environment

    def _run(self, stream: str, command: Command, draft: Draft) -> Run:
        run = draft.state(stream)
        if not isinstance(run, Run) or run.environment != command.environment:
            raise NotFound(f"Run {stream} not found.")
        return run
