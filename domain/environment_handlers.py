"""What the engine does with commands about environments, their keys, versions and connections."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import connection as connections
from domain import environment as environments
from domain import events as e
from domain.commands import Command
from domain.connection import Connection
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.errors import NotFound
from domain.memory import Memory
from domain.scheduling import Schedules


class EnvironmentHandlers:
    """One method for each command; what it returns is the answer, what it raises refuses the command."""

    def __init__(self, memory: Memory, schedules: Schedules) -> None:
        self._memory = memory
        self._schedules = schedules
        self.methods: dict[type[Command], Callable[[Any, Draft], object]] = {
            c.CreateEnvironment: self._create,
            c.AddKey: self._add_key,
            c.SaveVariables: self._save_variables,
            c.RemoveVariable: self._remove_variable,
            c.SetRetention: self._set_retention,
            c.SealKey: self._seal_key,
            c.RevokeKey: self._revoke_key,
            c.RegisterVersion: self._register_version,
            c.PromoteVersion: self._promote_version,
            c.SaveConnection: self._save_connection,
            c.RemoveConnection: self._remove_connection,
        }

    def _create(self, command: c.CreateEnvironment, draft: Draft) -> None:
        if draft.state(command.environment) is None:
            created = e.EnvironmentCreated(command.slug, command.type, command.project, command.organization)
            others = self._memory.environments()
            events = environments.create(created, others, command.first_key, command.concurrency_limit)
            draft.record(command.environment, events, Origin.of(command))

    def _add_key(self, command: c.AddKey, draft: Draft) -> str:
        if made := draft.made_by(command.request):
            return made
        origin = Origin.of(command)
        events = environments.add_key(self._environment(command), command.sha256, command.hint, command.sealed)
        draft.record(command.environment, events, origin)
        draft.claim(command.request, command.sha256, origin)
        return command.sha256

    def _save_variables(self, command: c.SaveVariables, draft: Draft) -> None:
        environment = self._environment(command)
        events = environments.save_variables(environment, command.variables, replaces=command.replaces)
        draft.record(command.environment, events, Origin.of(command))

    def _remove_variable(self, command: c.RemoveVariable, draft: Draft) -> None:
        events = environments.remove_variable(self._environment(command), command.name)
        draft.record(command.environment, events, Origin.of(command))

    def _set_retention(self, command: c.SetRetention, draft: Draft) -> None:
        events = environments.retain(self._environment(command), command.days)
        draft.record(command.environment, events, Origin.of(command))

    def _seal_key(self, command: c.SealKey, draft: Draft) -> None:
        events = environments.seal_key(self._environment(command), command.sha256, command.sealed)
        draft.record(command.environment, events, Origin.of(command))

    def _revoke_key(self, command: c.RevokeKey, draft: Draft) -> None:
        events = environments.revoke_key(self._environment(command), command.sha256)
        draft.record(command.environment, events, Origin.of(command))

    def _register_version(self, command: c.RegisterVersion, draft: Draft) -> c.Registered:
        environment = self._environment(command)
        events = environments.register(environment, command.digest, command.tasks, command.day, promote=command.promote)
        # Whatever is refused is refused before anything is written.
        self._schedules.check_declared(command.tasks, draft.recorded_at)
        after = draft.record(command.environment, events, Origin.of(command))
        assert isinstance(after, Environment)
        if events:
            self._schedules.declare(after, draft, Origin.of(command))
        version = after.digests[command.digest]
        return c.Registered(version, version == after.current)

    def _promote_version(self, command: c.PromoteVersion, draft: Draft) -> None:
        environment = self._environment(command)
        events = environments.promote_version(environment, command.version)
        self._schedules.check_declared(environment.versions[command.version].values(), draft.recorded_at)
        after = draft.record(command.environment, events, Origin.of(command))
        assert isinstance(after, Environment)
        if events:
            self._schedules.declare(after, draft, Origin.of(command))

    def _save_connection(self, command: c.SaveConnection, draft: Draft) -> Connection | None:
        environment = self._environment(command)
        found = self._memory.connection(environment.id, command.name)
        events = connections.save(found, command.name, command.sealed, command.key_name, command.replaces)
        stream = connections.stream_of(environment.id, command.name)
        after = draft.record(stream, events, Origin.of(command))
        return after if events and isinstance(after, Connection) else None

    def _remove_connection(self, command: c.RemoveConnection, draft: Draft) -> None:
        found = self._memory.connection(command.environment, command.name)
        if found is None or not found.is_ready:
            raise NotFound(f"There is no connection {command.name} in this environment.")
        draft.record(found.id, connections.remove(found), Origin.of(command))

    def _environment(self, command: Command) -> Environment:
        environment = self._memory.environment(command.environment)
        if environment is None:
            raise NotFound(f"There is no environment {command.environment}.")
        return environment
