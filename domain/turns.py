"""Workers' turns: reports become events, ready runs go to those who wait, and lost workers lose theirs."""

from collections.abc import Callable, Collection

from domain import attempts
from domain import queue as queues
from domain.attempts import RESOLVER_REPORTS, RESOLVER_TOKEN, Late, Report
from domain.builtin import is_reserved
from domain.commands import Cancel, EndTurn, HandOut, RefusedReport, Turn, TurnAnswer
from domain.draft import Draft, Origin, Ticket
from domain.eligibility import eligible, suits
from domain.environment import DEVELOPMENT, Environment
from domain.errors import InvalidInput, NotAllowed, NotFound, UnknownVersion
from domain.events import (
    AttemptFailed,
    AttemptResumed,
    AttemptStarted,
    QueueStartsCounted,
    RunBlocked,
    RunEvent,
    RunHeldForConnections,
    TaskSettings,
    WaitCompleted,
)
from domain.lanes import Kind
from domain.memory import Memory
from domain.resolvers import Resolvers
from domain.retry import ONCE
from domain.run import Run
from domain.sessions import PAYLOADS_MAX_BYTES, Session
from domain.status import Status
from domain.stopwatch import Stopwatch
from domain.waits import Waits


class Turns:
    """The engine's side of the worker protocol. `chance` draws the jitter of back-offs, uniform in [0, 1)."""

    def __init__(self, memory: Memory, lease_ms: int, chance: Callable[[], float]) -> None:
        self._memory = memory
        self._lease_ms = lease_ms
        self._chance = chance
        self._sessions: dict[str, Session] = {}
        self._resolvers = Resolvers(memory, self._sessions)
        self._stopwatch = Stopwatch()
        self.waits = Waits(memory, self._sessions)
        self._takes: dict[tuple[str, str, tuple[str, ...] | None], set[Kind]] = {}

    def take(self, turn: Turn, ticket: Ticket, draft: Draft, now: int) -> None:
        """Take a turn; it is answered by `answer`, or waits. `now` is on the monotonic clock."""
        environment = self._memory.environment(turn.environment)
        if environment is None or environment.tasks_of(turn.version) is None:
            raise UnknownVersion(f"Version {turn.version} was never registered here: register the tasks again.")
        session = self._sessions.get(turn.session)
        if session is None:
            session = self._sessions[turn.session] = Session(turn.session, turn.environment, turn.version, now)
        if session.environment != turn.environment:
            raise NotFound(f"Worker {turn.session} is not of this environment.")
        if turn.sequence <= turn.received:
            raise InvalidInput(f"Turn {turn.sequence} is said to be received already: sequences only grow.")
        session.hear(turn, now)
        known = session.answers.get(turn.sequence)
        if known is not None:
            draft.answers.append((ticket, known))
            return
        origin = Origin(turn.environment, f"worker:{turn.session}", f"turn:{turn.sequence}", turn.at)
        refused = [refusal for said in turn.reports if (refusal := self._report(said, turn, origin, draft, now))]
        if turn.sequence < session.latest or (turn.sequence == session.latest and not session.sequence):
            # A turn that was overtaken on its way, or a copy of one that was answered: it is told what became of its
            # reports, and no more; what its worker holds and wants is known from a later one.
            session.answers[turn.sequence] = TurnAnswer(turn.sequence, refused=tuple(refused))
            draft.answers.append((ticket, session.answers[turn.sequence]))
            return
        if turn.sequence > session.sequence > 0:
            self._send(session, draft)
        if turn.holds is not None:
            self._compare(session, turn, draft)
        if turn.waits:
            self.waits.tell_again(turn)
        session.wait(turn, ticket)
        session.refused += refused
        session.urgent = bool(turn.reports) or not turn.patient

    def end(self, command: EndTurn, draft: Draft) -> None:
        """Let a waiting turn go with what there is."""
        session = self._sessions.get(command.session)
        if session and session.sequence == command.sequence:
            self._send(session, draft)

    def hand_out(self, draft: Draft, room: int, now: int) -> None:
        """Give ready runs to the workers that wait for some, at most `room` in all, after those that kept theirs."""
        self._memory.ready.wake(draft.recorded_at)
        for run in self.waits.resume(draft, room):
            self._limit(run, now)
        # Workers are many and much alike: who may take what is found out once for all that are.
        self._takes = {}
        for session in list(self._sessions.values()):
            if session.sequence and session.want > 0 and room > 0:
                room -= self._fill(session, draft, room)
        for environment, queue, starts, period_ms in self._memory.limits.counted():
            counted = QueueStartsCounted(queue, starts, period_ms)
            origin = Origin(environment, "engine", "hand-out", draft.recorded_at)
            draft.record(queues.stream_of(environment, queue), [counted], origin)

    def answer(self, draft: Draft) -> None:
        """Answer every waiting turn for which there is news."""
        for session in self._sessions.values():
            if session.has_news:
                self._send(session, draft)

    def stop(self, run: Run, reason: str) -> None:
        """The open attempt of this run was ended by somebody else: its worker must stop it."""
        session = self._sessions.get(run.worker or "")
        if session and run.token is not None:
            session.stop(Cancel(run.id, run.token, reason))
        if run.status is Status.PENDING:
            self._resolvers.stop(run, reason)

    @property
    def sessions(self) -> Collection[Session]:
        """The workers that are connected: one that has left is not, though its turns are known until its lease ends."""
        return [each for each in self._sessions.values() if not each.is_leaving or self._holds_runs(each)]

    def is_served(self, environment: str, version: str, machine: str | None) -> bool:
        """Whether such a worker is connected, and does not only wait for its last runs to end."""
        return any(
            each.environment == environment
            and each.version == version
            and suits(machine, each.machines)
            and (each.takes_runs or each.id in self._memory.worker_runs)
            for each in self._sessions.values()
        )

    def expire(self, draft: Draft, now: int) -> None:
        """Workers not heard of within their lease lose their runs, and attempts over their time are ended."""
        for session in [session for session in self._sessions.values() if session.heard + self._lease_ms <= now]:
            silent = f"Worker {session.id} was not heard of for {self._lease_ms} ms."
            for stream in sorted(self._memory.worker_runs.get(session.id, ())):
                self._lose(stream, silent, draft, Origin("", "timer", "lease", draft.recorded_at))
            draft.answers += [(ticket, TurnAnswer(session.sequence)) for ticket in session.tickets]
            del self._sessions[session.id]
        for stream, token in self._stopwatch.over(now):
            run = self._memory.run(stream)
            if run is not None and run.token == token and (limit := self._duration_of(run)):
                origin = Origin(run.environment, "timer", "max_duration", draft.recorded_at)
                draft.record(stream, attempts.time_out(run, limit), origin)
                self.stop(run, "TIMED_OUT")

    def listen_anew(self, now: int) -> list[Ticket]:
        """After a start, an outage or a long pause: every lease and every max duration begins anew, in full.

        Returns whoever waited for an answer to a turn; answers known before are no longer had.
        """
        waiting = [ticket for session in self._sessions.values() for ticket in session.tickets]
        self._sessions.clear()
        self._stopwatch.stop_all()
        for worker in sorted(self._memory.worker_runs):
            for stream in sorted(self._memory.worker_runs[worker]):
                run = self._memory.run(stream)
                assert run is not None, "what a worker holds is unfinished, and so in memory"
                self._sessions.setdefault(worker, Session(worker, run.environment, run.worker_version or "", now))
                if run.status is Status.EXECUTING:
                    self._limit(run, now)
        return waiting

    def forgive(self, now: int) -> None:
        """The engine was deaf for a while: nobody is late, and waiting turns go on waiting."""
        for session in self._sessions.values():
            session.heard = now
        for stream, token in self._stopwatch.stop_all():
            run = self._memory.run(stream)
            if run is not None and run.token == token:
                self._limit(run, now)

    def next_due(self) -> int | None:
        """When the next lease or max duration is over, on the monotonic clock."""
        leases = [session.heard + self._lease_ms for session in self._sessions.values()]
        duration = self._stopwatch.next_due()
        return min(leases if duration is None else [*leases, duration], default=None)

    def _holds_runs(self, session: Session) -> bool:
        return session.id in self._memory.worker_runs or bool(session.resolving)

    def _report(self, said: Report, turn: Turn, origin: Origin, draft: Draft, now: int) -> RefusedReport | None:
        run = draft.state(said.run)
        if not isinstance(run, Run) or run.environment != turn.environment:
            return RefusedReport(said.run, said.token, f"Run {said.run} not found.")
        if said.kind in RESOLVER_REPORTS or said.token == RESOLVER_TOKEN:
            return self._resolvers.take(run, said, origin, draft)
        # A worker whose clock is off must not report from the future, nor from before the run.
        origin.at = max(run.created_at, min(said.at, draft.recorded_at))
        try:
            unknown = self.waits.unknown(said, turn.environment, draft) if said.journaled else ()
            events = attempts.report(run, said, turn.session, unknown)
        except Late as late:
            draft.record(run.id, late.events, origin)
            return RefusedReport(said.run, said.token, str(late))
        except NotAllowed as refusal:
            return RefusedReport(said.run, said.token, str(refusal))
        began: int | None = None
        if said.began is not None and run.status is Status.DEQUEUED:
            began = max(run.created_at, min(said.began, origin.at))
        after = draft.record(run.id, events, origin, began)
        assert isinstance(after, Run), "a run stays a run"
        if events and said.output_blob:
            draft.add_blob(said.output_blob.key, turn.blobs[said.output_blob.key])
        for event in events:
            self._follow(event, after, said.token, draft, now)
        if said.kind == "blocked" and said.journaled and not events:
            # It goes on, and its worker may not have heard why.
            self.waits.tell_of(after, said.journaled.waits)
        return None

    def _follow(self, event: RunEvent, run: Run, token: int, draft: Draft, now: int) -> None:
        """What else a reported event brings; `run` is the state that the report left."""
        match event:
            case AttemptFailed():
                self._retry_or_end(run, event, draft)
            case AttemptStarted() | AttemptResumed() if run.status is Status.EXECUTING:
                self._limit(run, now)
            case RunBlocked():
                self._stopwatch.stop(run.id, token)
            case WaitCompleted() if run.status is Status.EXECUTING:
                self.waits.tell(run, (event,))
            case _:
                pass

    def _retry_or_end(self, run: Run, failed: AttemptFailed, draft: Draft) -> None:
        # The attempt was started by a worker of that version, so its settings count, not the current ones.
        settings = self._settings_of(run, run.worker_version)
        events = attempts.react_to_failure(run, failed, settings, now=draft.recorded_at, chance=self._chance())
        cause = f"event:{draft.records[-1].position}"
        draft.record(run.id, events, Origin(run.environment, "retry", cause, draft.recorded_at))

    def _lose(self, stream: str, why: str, draft: Draft, origin: Origin) -> None:
        run = self._memory.run(stream)
        if run is None:
            return
        origin.environment = run.environment
        environment = self._memory.environment(run.environment)
        assert environment is not None, "a run has an environment"
        is_interrupted = environment.type == DEVELOPMENT and not is_reserved(run.task)
        events = attempts.lose(run, why, is_development=is_interrupted)
        after = draft.record(stream, events, origin)
        for event in events:
            if isinstance(event, AttemptFailed) and isinstance(after, Run):
                self._retry_or_end(after, event, draft)

    def _compare(self, session: Session, turn: Turn, draft: Draft) -> None:
        """What the worker says it holds, against what it was given."""
        held = set(turn.holds or ())
        given: set[tuple[str, int]] = set()
        for stream in sorted(self._memory.worker_runs.get(session.id, ())):
            run = self._memory.run(stream)
            assert run is not None
            assert run.token is not None, "a run with a worker has an open attempt"
            given.add((stream, run.token))
            if (stream, run.token) not in held and (stream, run.token) not in session.handed:
                origin = Origin(run.environment, f"worker:{session.id}", f"turn:{turn.sequence}", draft.recorded_at)
                self._lose(stream, f"Worker {session.id} does not hold the run.", draft, origin)
        given |= self._resolvers.compare(session, held)
        done = {(said.run, said.token) for said in turn.reports}
        for stream, token in sorted(held - given - done):
            session.stop(Cancel(stream, token, "GONE"))

    def _fill(self, session: Session, draft: Draft, room: int) -> int:
        environment = self._memory.environment(session.environment)
        assert environment is not None, "a session that waits named a version of its environment"
        tasks = environment.tasks_of(session.version) or {}
        want, size = min(session.want, room), 0
        origin = Origin(environment.id, "engine", f"worker:{session.id}", draft.recorded_at)
        self._resolvers.ask(session, environment, want)
        if len(session.runs) >= want:
            return len(session.runs)
        gates = self._memory.gates(environment, draft.recorded_at)
        takes, held = self._kinds_for(session, environment), 0
        for run in self._memory.ready.take(environment.id, takes.__contains__, draft.recorded_at):
            if tasks[run.task].connections and (missing := gates.missing(tasks[run.task])):
                # A connection was removed while the run was queued.
                draft.record(run.id, [RunHeldForConnections(missing)], origin)
                held += 1
                if held >= room:
                    break
                continue
            after = draft.record(run.id, attempts.dequeue(run, session.id, session.version), origin)
            assert isinstance(after, Run), "a run stays a run"
            if after.is_final:
                continue
            if not run.is_suspended:
                self._memory.limits.count(run.environment, run.queue)
            session.hand(_hand_out_of(after, tasks[after.task]))
            size += run.payload_size
            if len(session.runs) >= want or size >= PAYLOADS_MAX_BYTES:
                break
        return len(session.runs) + held

    def _kinds_for(self, session: Session, environment: Environment) -> set[Kind]:
        """The kinds of ready runs that the worker may execute."""
        alike = environment.id, session.version, session.machines
        if alike not in self._takes:
            may_take = eligible(session, environment, self.is_served)
            self._takes[alike] = {kind for kind in self._memory.ready.kinds(environment.id) if may_take(kind)}
        return self._takes[alike]

    def _send(self, session: Session, draft: Draft) -> None:
        answer, tickets = session.answer()
        draft.answers += [(ticket, answer) for ticket in tickets]

    def _settings_of(self, run: Run, version: str | None) -> TaskSettings | None:
        environment = self._memory.environment(run.environment)
        return environment.settings(run.task, version) if environment else None

    def _duration_of(self, run: Run) -> int | None:
        if run.max_duration_ms is not None:
            return run.max_duration_ms
        settings = self._settings_of(run, run.worker_version)
        return settings.max_duration if settings else None

    def _limit(self, run: Run, now: int) -> None:
        self._stopwatch.start(run, self._duration_of(run), now)


def _hand_out_of(run: Run, settings: TaskSettings) -> HandOut:
    assert run.token is not None, "a run is handed out behind a token"
    retry = settings.retry or ONCE
    return HandOut(
        run.id,
        run.token,
        run.attempts if run.is_suspended else run.attempts + 1,
        run.task,
        run.queue,
        run.max_attempts or retry.max_attempts,
        settings.max_duration if run.max_duration_ms is None else run.max_duration_ms,
        run.machine,
        run.auth,
        settings.connections,
        run.tags,
        run.metadata,
        run.journal,
    )
