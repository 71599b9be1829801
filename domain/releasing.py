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
            if environment is not None:
                gates = self._memory.gates(environment, draft.recorded_at)
                room = self._release_versions(environment, gates, draft, room)
                room = self._release_auth(environment, gates, draft, room)
                room = self._release_connections(environment, gates, draft, room)
                if room <= 0:
                    return
            del self._memory.arrived[stream]
        # Behind the others, who have waited for longer.
        self._release_fresh(draft, room)

    def judge(self, verdicts: dict[str, Verdict], draft: Draft, origin: Origin) -> None:
        """Let the runs go on whose payloads fit, and end the others. A verdict of another version is passed over."""
        for stream, verdict in verdicts.items():
            run = draft.state(stream)
            if isinstance(run, Run) and run.environment == origin.environment:
                gates = self._memory.gates(self._environment_of(run), draft.recorded_at)
                events = gates.after_version(run, verdict)
                draft.record(stream, events, origin)
                if not events:
                    # It has to be looked at again, by what holds now.
                    self._memory.fresh[stream] = None
            self.unjudged.pop(stream, None)

    def _release_fresh(self, draft: Draft, room: int) -> None:
        """Those that came to a gate. What is open for them is open at once; the others wait until something arrives."""
        fresh, known = self._memory.fresh, dict[str, Gates]()
        while fresh and room > 0:
            stream = next(iter(fresh))
            del fresh[stream]
            run = self._memory.run(stream)
            if run is None:
                continue
            if run.environment not in known:
                known[run.environment] = self._memory.gates(self._environment_of(run), draft.recorded_at)
            events = self._onward(run, known[run.environment])
            if events:
                draft.record(stream, events, Origin(run.environment, "engine", "gate", draft.recorded_at))
                room -= 1

    def _onward(self, run: Run, gates: Gates) -> list[RunEvent]:
        match run.status:
            case Status.PENDING_VERSION:
                version, settings = gates.version_for(run.task, run.lock)
                if version and settings and settings.payload_schema is not None:
                    self.unjudged[run.id] = version
                return gates.after_version(run, None) or gates.without_version(run)
            case Status.PENDING:
                return gates.without_auth(run)
            case Status.WAITING_ON_CONNECTIONS:
                return gates.after_connections(run)
            case _:
                return []

    def _environment_of(self, run: Run) -> Environment:
        environment = self._memory.environment(run.environment)
        assert environment is not None, "a run has an environment"
        return environment

    def _release_versions(self, environment: Environment, gates: Gates, draft: Draft, room: int) -> int:
        origin = Origin(environment.id, "engine", "version", draft.recorded_at)
        parked = self._memory.held(environment.id, Status.PENDING_VERSION)
        for (task, lock), runs in list(parked.items()):
            version, settings = gates.version_for(task, lock)
            if version and settings and settings.payload_schema is not None:
                self.unjudged.update(dict.fromkeys(runs, version))
                continue
            if settings is None and not gates.is_hopeless(task, lock):
                continue
            for stream in list(runs)[: max(0, room)]:
                run = self._memory.run(stream)
                assert run is not None, "a held run is unfinished"
                draft.record(stream, gates.after_version(run, None) or gates.without_version(run), origin)
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
