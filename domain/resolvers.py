"""Auth resolvers: which worker finds out for whom a held run acts, and what becomes of its answer.

Who was asked is not in the ledger. An answer needs no fencing: any resolver's will do, and the first one counts.
"""

from domain.attempts import RESOLVER_REPORTS, RESOLVER_TOKEN, Report
from domain.commands import Cancel, HandOut, RefusedReport
from domain.draft import Draft, Origin
from domain.environment import Environment
from domain.events import AuthUnresolved, RunError
from domain.memory import Memory
from domain.run import Run
from domain.sessions import Session
from domain.status import Status

NOBODY = RunError("The auth resolver found no one to act for.", "UnresolvedAuth")


class Resolvers:
    """`sessions` are the workers that are connected."""

    def __init__(self, memory: Memory, sessions: dict[str, Session]) -> None:
        self._memory = memory
        self._sessions = sessions

    def ask(self, session: Session, environment: Environment, want: int) -> None:
        """Hand the worker runs whose resolver nobody was asked to run, until it has as many as it wants."""
        tasks = environment.tasks_of(session.version) or {}
        for (task, lock), streams in self._memory.held.groups(environment.id, Status.PENDING).items():
            if session.version != (lock or environment.home(task)) or not tasks[task].auth_resolver:
                continue
            asked = {stream for each in self._sessions.values() for stream in each.resolving}
            for stream in streams:
                if len(session.runs) >= want:
                    return
                if stream not in asked:
                    run = self._memory.run(stream)
                    assert run is not None, "a held run is unfinished"
                    session.hand(
                        HandOut(
                            stream,
                            RESOLVER_TOKEN,
                            0,
                            task,
                            run.queue,
                            0,
                            None,
                            tags=run.tags,
                            metadata=run.metadata,
                            is_for_auth=True,
                        )
                    )

    def take(self, run: Run, said: Report, origin: Origin, draft: Draft) -> RefusedReport | None:
        """Let a run go on for whom the resolver found, or end it when that is nobody."""
        for session in self._sessions.values():
            session.resolving.discard(run.id)
        if said.kind == "released":
            # Another worker is asked.
            return None
        if said.kind not in RESOLVER_REPORTS:
            return RefusedReport(run.id, said.token, f"An auth resolver does not report that it {said.kind}.")
        if run.status is not Status.PENDING:
            return RefusedReport(run.id, said.token, f"Run {run.id} does not wait for its auth resolver any more.")
        origin.at = max(run.created_at, min(said.at, draft.recorded_at))
        if said.kind == "unauthorized" or said.sealed is None:
            draft.record(run.id, [AuthUnresolved(said.error or NOBODY)], origin)
            return None
        environment = self._memory.environment(run.environment)
        assert environment is not None, "a run has an environment"
        gates = self._memory.gates(environment, draft.recorded_at)
        draft.record(run.id, gates.after_auth(run, said.sealed), origin)
        return None

    def stop(self, run: Run, reason: str) -> None:
        """The run was ended meanwhile: nobody needs to know for whom it acts."""
        for session in self._sessions.values():
            if run.id in session.resolving:
                session.resolving.discard(run.id)
                session.stop(Cancel(run.id, RESOLVER_TOKEN, reason))

    def compare(self, session: Session, held: set[tuple[str, int]]) -> set[tuple[str, int]]:
        """What the worker was asked; what it does not know of any more is asked again."""
        given = {(stream, RESOLVER_TOKEN) for stream in session.resolving}
        session.resolving = {stream for stream, token in given if (stream, token) in held | session.handed.keys()}
        return given
