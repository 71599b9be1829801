"""What the engine does with commands about HTTP jobs and about the secrets of their requests."""

from collections.abc import Callable, Sequence
from typing import Any

from domain import commands as c
from domain import events as e
from domain import job as jobs
from domain import secret as secrets
from domain.commands import Command
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import NotFound
from domain.events import Event
from domain.job import Job, JobState
from domain.memory import Memory
from domain.secret import Secret
from domain.triggering import trigger_runs


class JobHandlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.CreateJob: self._create,
            c.ChangeJob: lambda command, draft: self._then(command, draft, lambda job: jobs.change(job, command.spec)),
            c.PauseJob: lambda command, draft: self._then(command, draft, jobs.pause),
            c.ResumeJob: lambda command, draft: self._then(command, draft, jobs.resume),
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
        after = draft.record(command.job, created, Origin.of(command))
        assert isinstance(after, Job), "it was just created"
        return after

    def _then(self, command: c.JobCommand, draft: Draft, decide: Callable[[Job], Sequence[Event]]) -> Job:
        job = draft.state(command.job)
        if not isinstance(job, Job) or job.environment != command.environment or job.state is JobState.DELETED:
            raise NotFound(f"Job {command.job[:60]} not found.")
        after = draft.record(job.id, decide(job), Origin.of(command))
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
