"""What must be true of held runs, families and resolvers, told from the ledger."""

from collections.abc import Iterable, Iterator, Sequence

from app.engine.triggered import asked_of
from domain import events as e
from domain.attempts import RESOLVER_TOKEN, Report
from domain.environment import Environment
from domain.events import Recorded, RunError
from domain.gates import Verdict
from domain.run import Run
from domain.states import State, evolve, is_kept
from domain.status import Status
from tests.domain.stories import ENVIRONMENT, Room
from tests.simulation.rules import rule

FITS = b"1"
"""The payload that the schema takes."""


class GateChecks:
    """Reads what is committed, and what workers are asked. Each method raises Violation."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._states: dict[str, State] = {}
        self._read = 0
        self._asked: dict[str, str] = {}
        """Who was asked to resolve a run, as far as the present engine knows."""
        self._heard: dict[str, int] = {}
        self.committed(())

    @property
    def environment(self) -> Environment:
        """The environment as the ledger has it."""
        state = self._states[ENVIRONMENT]
        assert isinstance(state, Environment)
        return state

    def committed(self, _batch: Sequence[Recorded]) -> None:
        """Something is in the ledger."""
        for recorded in self._room.log[self._read :]:
            if isinstance(recorded.event, e.VersionArrived | e.PayloadRejected):
                self._check_verdict(recorded)
            self._states[recorded.stream] = evolve(self._states.get(recorded.stream), recorded)
        self._read = len(self._room.log)
        for run, _ in self.unfinished():
            parent = self._states.get(self._run(run).parent or "")
            is_orphan = isinstance(parent, Run) and parent.status is Status.CANCELED
            rule(not is_orphan, "%s lives on, and its parent was canceled", run)

    def at_rest(self) -> None:
        """The engine has nothing to do: no gate that is open may hold a run."""
        self.committed(())
        memory, now = self._room.engine.memory, self._room.now.wall
        gates = memory.gates(self.environment, now)
        unjudged = self._room.engine.unjudged()
        for stream, status in self.unfinished():
            run = self._run(stream)
            settings = self.environment.settings(run.task, run.lock)
            if status is Status.PENDING_VERSION and settings is not None:
                is_asked = settings.payload_schema is not None and stream in unjudged
                rule(is_asked, "%s is held, and its version is there", stream)
            elif status is Status.WAITING_ON_CONNECTIONS:
                rule(not gates.after_connections(run), "%s is held, and its connections are there", stream)
            elif status is Status.PENDING:
                rule(bool(settings and settings.auth_resolver), "%s is held, and there is no resolver", stream)

    def check_all(self) -> None:
        """What the engine has in memory is what the ledger says."""
        self.committed(())
        memory = self._room.engine.memory
        kept = {stream: state for stream, state in self._states.items() if is_kept(state)}
        rule(memory.states == kept, "memory holds %s, the ledger %s", memory.states, kept)
        children: dict[str, set[str]] = {}
        for stream, _ in self.unfinished():
            parent = self._run(stream).parent
            if parent:
                children.setdefault(parent, set()).add(stream)
        found = {parent: set(those) for parent, those in memory.children.items()}
        rule(found == children, "the children are %s, in the ledger %s", found, children)

    def unfinished(self) -> Iterator[tuple[str, Status]]:
        """The runs that are not over."""
        for stream, state in self._states.items():
            if isinstance(state, Run) and not state.is_final:
                yield stream, state.status

    def waits_for_ever(self, run: str) -> bool:
        """Whether what the run is locked to is not there, or is a version without its task."""
        state = self._run(run)
        return state.lock is not None and self.environment.settings(state.task, state.lock) is None

    def verdict_of(self, task: str, lock: str | None, payload: bytes) -> Verdict | None:
        """What the API says of a payload when the run is triggered."""
        version = lock or self.environment.home(task)
        settings = self.environment.settings(task, version)
        if version is None or settings is None or settings.payload_schema is None:
            return None
        return Verdict(version, None if payload == FITS else RunError("It is not 1."))

    def begun_anew(self) -> None:
        """The engine knows no sessions any more."""
        self._asked.clear()
        self._heard.clear()

    def heard(self, session: str, holds: Iterable[tuple[str, int]], reports: Iterable[Report], now: int) -> None:
        """A worker says what it holds and what it found."""
        self._heard[session] = now
        resolving = {run for run, token in holds if token == RESOLVER_TOKEN}
        answered = {said.run for said in reports}
        for run, asked in list(self._asked.items()):
            if run in answered or (asked == session and run not in resolving):
                del self._asked[run]

    def time_passed(self, since: int) -> None:
        """Workers that were not heard of since then may be gone."""
        gone = {session for session, heard in self._heard.items() if heard <= since}
        self._asked = {run: session for run, session in self._asked.items() if session not in gone}

    def asked(self, run: str, session: str) -> None:
        """A worker is asked to resolve a run."""
        other = self._asked.get(run)
        rule(other in {None, session}, "%s is asked of %s, and %s was asked before", run, session, other)
        self._asked[run] = session

    def _check_verdict(self, recorded: Recorded) -> None:
        """What is let pass fits the schema of the version that came, and what is ended does not."""
        history = [each for each in self._room.history(recorded.stream) if each.version < recorded.version]
        asked = asked_of(history) if history else None
        assert asked is not None, "a run begins with its trigger"
        fits = bytes(asked.payload) == FITS
        if isinstance(recorded.event, e.PayloadRejected):
            rule(not fits, "%s is ended, and its payload fits", recorded.stream)
            return
        assert isinstance(recorded.event, e.VersionArrived)
        settings = self.environment.settings(asked.task, recorded.event.version)
        has_schema = settings is not None and settings.payload_schema is not None
        rule(fits or not has_schema, "%s is let pass, and its payload does not fit", recorded.stream)

    def _run(self, stream: str) -> Run:
        state = self._states[stream]
        assert isinstance(state, Run)
        return state
