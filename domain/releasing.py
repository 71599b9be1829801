"""How runs that a gate holds go on when what they wait for has come: a version, a verdict, a connection."""

from collections.abc import Callable

from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.events import RunEvent
from domain.gates import Gates, Verdict
from domain.memory import Memory
from domain.run import Run
from domain.status import Status


class Releases:
    """Looks through the held runs of environments in which something arrived, and again until all could go on."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.unjudged: dict[str, str] = {}
        """The held runs whose payload has to be checked, and by the schema of which version."""

    def release(self, draft: Draft, room: int) -> None:
        """Let held runs go on, at most `room` of them; the others follow with the next batch."""
        for stream in list(self._memory.arrived):
            environment = self._memory.environment(stream)
            if environment is None:
                self._memory.arrived.discard(stream)
                continue
            gates = self._memory.gates(environment, draft.recorded_at)
            room = self._release_versions(environment, gates, draft, room)
            room = self._release_auth(environment, gates, draft, room)
            room = self._release_connections(environment, gates, draft, room)
            if room <= 0:
                return
            self._memory.arrived.discard(stream)

    def judge(self, verdicts: dict[str, Verdict], draft: Draft, origin: Origin) -> None:
        """Let the runs go on whose payloads fit, and end the others. A verdict of another version is passed over."""
        for stream, verdict in verdicts.items():
            run = draft.state(stream)
            if isinstance(run, Run) and run.environment == origin.environment:
                environment = self._memory.environment(run.environment)
                assert environment is not None, "a run has an environment"
                gates = self._memory.gates(environment, draft.recorded_at)
                draft.record(stream, gates.after_version(run, verdict), origin)
                self._memory.arrived.add(run.environment)
            self.unjudged.pop(stream, None)

    def _release_versions(self, environment: Environment, gates: Gates, draft: Draft, room: int) -> int:
        origin = Origin(environment.id, "engine", "version", draft.recorded_at)
        parked = self._memory.held(environment.id, Status.PENDING_VERSION)
        for (task, lock), runs in list(parked.items()):
            version, settings = gates.version_for(task, lock)
            if version is None or settings is None:
                continue
            if settings.payload_schema is not None:
                self.unjudged.update(dict.fromkeys(runs, version))
                continue
            for stream in list(runs)[: max(0, room)]:
                run = self._memory.run(stream)
                assert run is not None, "a held run is unfinished"
                draft.record(stream, gates.after_version(run, None), origin)
                room -= 1
        return room

    def _release_auth(self, environment: Environment, gates: Gates, draft: Draft, room: int) -> int:
        """Runs whose resolver is gone with a new version would wait for an answer that nobody can give."""
        return self._release_all(Status.PENDING, "version", gates.without_auth, environment, draft, room)

    def _release_connections(self, environment: Environment, gates: Gates, draft: Draft, room: int) -> int:
        status = Status.WAITING_ON_CONNECTIONS
        return self._release_all(status, "connection", gates.after_connections, environment, draft, room)

    def _release_all(
        self,
        status: Status,
        cause: str,
        onward: Callable[[Run], list[RunEvent]],
        environment: Environment,
        draft: Draft,
        room: int,
    ) -> int:
        origin = Origin(environment.id, "engine", cause, draft.recorded_at)
        for runs in list(self._memory.held(environment.id, status).values()):
            for stream in list(runs):
                run = self._memory.run(stream)
                assert run is not None, "a held run is unfinished"
                events = onward(run)
                if not events:
                    # The others of this task and version wait for the same.
                    break
                if room <= 0:
                    return room
                draft.record(stream, events, origin)
                room -= 1
        return room
