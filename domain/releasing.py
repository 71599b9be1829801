"""How runs that a gate holds go on when what they wait for has come: a version, a verdict, a connection."""

from collections.abc import Iterator

from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.events import RunEvent
from domain.gates import Gates, Verdict
from domain.memory import Memory
from domain.run import Run
from domain.status import Status

CAUSES = {
    Status.PENDING_VERSION: "version",
    Status.PENDING: "version",
    Status.WAITING_ON_CONNECTIONS: "connection",
}
"""What lets runs go on that are held in a status. Another version may ask no auth resolver."""


class Releases:
    """Looks at the runs that came to a gate, and again at those whose gate something that arrived has opened."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.unjudged: dict[str, str] = {}
        """The held runs whose payload has to be checked, and by the schema of which version."""

    def release(self, draft: Draft, room: int) -> None:
        """Let held runs go on, at most `room` of them; the others follow with the next batch."""
        held, gates = self._memory.held, dict[str, Gates]()
        if held.arrived:
            opened = [run for each in held.arrived for run in self._opened(each, draft.recorded_at)]
            # The others came later.
            held.fresh = dict.fromkeys(opened) | held.fresh
            held.arrived = {}
        while held.fresh and room > 0:
            stream = next(iter(held.fresh))
            del held.fresh[stream]
            run = self._memory.run(stream)
            if run is None:
                continue
            if run.environment not in gates:
                gates[run.environment] = self._gates_of(run, draft.recorded_at)
            if version := gates[run.environment].wants_verdict(run):
                self.unjudged[stream] = version
            elif events := _onward(run, gates[run.environment]):
                origin = Origin(run.environment, "engine", CAUSES[run.status], draft.recorded_at)
                draft.record(stream, events, origin)
                room -= 1

    def judge(self, verdicts: dict[str, Verdict], draft: Draft, origin: Origin) -> None:
        """Let the runs go on whose payloads fit, and end the others. A verdict of another version is passed over."""
        for stream, verdict in verdicts.items():
            run = draft.state(stream)
            if isinstance(run, Run) and run.environment == origin.environment:
                events = self._gates_of(run, draft.recorded_at).after_version(run, verdict)
                draft.record(stream, events, origin)
                if not events:
                    # It has to be looked at again, by what holds now.
                    self._memory.held.fresh[stream] = None
            self.unjudged.pop(stream, None)

    def _opened(self, stream: str, now: int) -> Iterator[str]:
        """The held runs of an environment that may go on. One of each group is looked at: all wait for the same."""
        environment = self._memory.environment(stream)
        if environment is None:
            return
        gates = self._memory.gates(environment, now)
        for status in CAUSES:
            for runs in self._memory.held.groups(stream, status).values():
                first = self._memory.run(next(iter(runs)))
                assert first is not None, "a held run is unfinished"
                if gates.wants_verdict(first) or _onward(first, gates):
                    yield from runs

    def _gates_of(self, run: Run, now: int) -> Gates:
        environment = self._memory.environment(run.environment)
        assert isinstance(environment, Environment), "a run has an environment"
        return self._memory.gates(environment, now)


def _onward(run: Run, gates: Gates) -> list[RunEvent]:
    """What follows where no verdict is needed; nothing as long as the gate is shut."""
    match run.status:
        case Status.PENDING_VERSION:
            return gates.after_version(run, None) or gates.without_version(run)
        case Status.PENDING:
            return gates.without_auth(run)
        case Status.WAITING_ON_CONNECTIONS:
            return gates.after_connections(run)
        case _:
            return []
