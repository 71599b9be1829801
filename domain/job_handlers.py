"""What the engine does with commands about HTTP jobs and about the secrets of their requests."""

from collections.abc import Callable, Sequence
from typing import Any

from domain import commands as c
from domain import events as e
from domain import job as jobs
from domain import schedule as schedules
from domain import secret as secrets
from domain.commands import Command
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import NotFound
from domain.events import Event, JobSpec
from domain.job import Job, JobKind, JobState
from domain.memory import Memory
from domain.schedule import IMPERATIVE, Schedule
from domain.scheduling import Schedules
from domain.secret import Secret
from domain.triggering import trigger_runs


class JobHandlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory, ticking: Schedules) -> None:
        self._memory = memory
        self._ticking = ticking
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.CreateJob: self._create,
            c.ChangeJob: lambda command, draft: self._then(command, draft, lambda job: jobs.change(job, command.spec)),
            c.PauseJob: lambda command, draft: self._then(command, draft, jobs.pause),
            c.ResumeJob: self._resume,
            c.DeleteJob: lambda command, draft: self._then(command, draft, lambda _: [e.JobDeleted()]),
            c.SaveSecret: self._save_secret,
            c.RemoveSecret: self._remove_secret,
        }

    def _create(self, command: c.CreateJob, draft: Draft) -> Job:
        environment = self._environment(command)
        created: list[Event] = [e.JobCreated(command.spec, command.state, command.token)]
        if command.runs:
            trigger_runs(command, environment, draft, self._memory)
            created.append(e.JobCompleted())
        # Its schedule comes first: a time that there is none of refuses the command before anything is written.
        if command.state == JobState.ACTIVE:
            self._schedule(command.job, command.spec, command, draft)
        else:
            self._check(command.spec, draft)
        after = draft.record(command.job, created, Origin.of(command))
        assert isinstance(after, Job), "it was just created"
        return after

    def _resume(self, command: c.ResumeJob, draft: Draft) -> Job:
        job = self._find(command, draft)
        events = jobs.resume(job, draft.recorded_at)
        runs = command.runs if events and job.spec.kind == JobKind.ONE_TIME else []
        if runs:
            trigger_runs(command, self._environment(command), draft, self._memory)
            events = [*events, e.JobCompleted()]
        elif events:
            self._schedule(job.id, job.spec, command, draft)
        return self._record(job, events, command, draft)

    def _then(self, command: c.JobCommand, draft: Draft, decide: Callable[[Job], Sequence[Event]]) -> Job:
        job = self._find(command, draft)
        events = decide(job)
        for event in events:
            match event:
                case e.JobChanged(spec=spec) if job.state is JobState.ACTIVE or self._schedule_of(job.id):
                    self._schedule(job.id, spec, command, draft)
                case e.JobChanged(spec=spec):
                    self._check(spec, draft)
                case _:
                    self._end_schedule(job, event, command, draft)
        return self._record(job, events, command, draft)

    def _schedule(self, job: str, spec: JobSpec, command: Command, draft: Draft) -> None:
        """Let the job start at its times: the schedule is made, or follows another plan, or goes on."""
        plan = jobs.plan_of(job, spec)
        if plan is None:
            return
        known, now, calendar = self._schedule_of(job), draft.recorded_at, self._ticking.calendar
        if known is None:
            stream = jobs.schedule_of(job)
            events = schedules.create(stream, IMPERATIVE, plan, now, calendar)
            draft.record(stream, events, Origin.of(command))
            return
        events = schedules.change(known, plan, now, calendar)
        if isinstance(command, c.ResumeJob):
            events = [*events, *schedules.activate(known)]
        draft.record(known.id, events, Origin.of(command))

    def _end_schedule(self, job: Job, event: Event, command: Command, draft: Draft) -> None:
        known = self._schedule_of(job.id)
        if known is not None:
            is_deleted = isinstance(event, e.JobDeleted)
            events = schedules.delete(known) if is_deleted else schedules.deactivate(known)
            draft.record(known.id, events, Origin.of(command))

    def _schedule_of(self, job: str) -> Schedule | None:
        found = self._memory.states.get(jobs.schedule_of(job))
        return found if isinstance(found, Schedule) and not found.is_deleted else None

    def _check(self, spec: JobSpec, draft: Draft) -> None:
        """Raises InvalidInput for times that there are none of, as `_schedule` would."""
        plan = jobs.plan_of("", spec)
        if plan is not None:
            schedules.create("", IMPERATIVE, plan, draft.recorded_at, self._ticking.calendar)

    def _find(self, command: c.JobCommand | c.ResumeJob, draft: Draft) -> Job:
        job = draft.state(command.job)
        if not isinstance(job, Job) or job.environment != command.environment or job.state is JobState.DELETED:
            raise NotFound(f"Job {command.job[:60]} not found.")
        return job

    def _record(self, job: Job, events: Sequence[Event], command: Command, draft: Draft) -> Job:
        after = draft.record(job.id, events, Origin.of(command))
        assert isinstance(after, Job), "a job stays a job"
        return after

    def _save_secret(self, command: c.SaveSecret, draft: Draft) -> Secret | None:
        environment = self._environment(command)
        stream = secrets.stream_of(environment.id, command.name)
        found = draft.state(stream)
        known = found if isinstance(found, Secret) else None
        events = secrets.save(known, command.name, command.sealed, command.key_name, command.replaces)
        after = draft.record(stream, events, Origin.of(command))
        return after if events and isinstance(after, Secret) else None

    def _remove_secret(self, command: c.RemoveSecret, draft: Draft) -> None:
        found = draft.state(secrets.stream_of(command.environment, command.name))
        if not isinstance(found, Secret) or found.sealed is None:
            raise NotFound(f"There is no secret {command.name[:128]} in this environment.")
        draft.record(found.id, secrets.remove(found), Origin.of(command))

    def _environment(self, command: Command) -> Environment:
        environment = self._memory.environment(command.environment)
        if environment is None:
            raise NotFound(f"There is no environment {command.environment}.")
        return environment
