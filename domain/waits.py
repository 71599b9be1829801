"""What becomes of waits: they end when what they wait for is over, or their time is, and the run goes on."""

from collections.abc import Collection, Iterator, Mapping

from domain import events as e
from domain import journal
from domain.attempts import Report
from domain.commands import Turn, Woken
from domain.draft import Draft, Origin
from domain.lifecycle import Deadline
from domain.memory import Memory
from domain.run import Run, Wait
from domain.sessions import Session
from domain.status import Status

SETTLED_MAX = 1_000
"""How many events a batch has for what is over at once, over and above its others: neither may starve the other."""


class Waits:
    """Ends the waits of runs, and tells the workers that hold these."""

    def __init__(self, memory: Memory, sessions: Mapping[str, Session]) -> None:
        self._memory = memory
        self._sessions = sessions

    def settle(self, draft: Draft) -> None:
        """End the waits whose targets are over: for thousands of runs that wait for one thing, in several batches."""
        events_max = len(draft.records) + SETTLED_MAX
        for stream, cause in self._memory.waiters.touched():
            run = self._memory.run(stream)
            if run is not None and not run.is_final:
                completed = [ended for wait in run.waits if (ended := self._ended(wait))]
                self._complete(
                    run, completed, Origin(run.environment, "engine", f"over:{cause}", draft.recorded_at), draft
                )
            if len(draft.records) >= events_max:
                return

    def fire(self, run: Run, deadline: Deadline, draft: Draft) -> None:
        """End the waits whose time has come."""
        origin = Origin(run.environment, "timer", deadline.kind, deadline.at)
        due = [wait for wait in run.waits if wait.until is not None and wait.until <= deadline.at]
        # What it waits for may have come in time, and the engine late.
        self._complete(run, [self._ended(wait) or self._timed_out(wait) for wait in due], origin, draft)

    def resume(self, draft: Draft, room: int) -> Iterator[Run]:
        """Let the runs go on whose process was kept, as far as there are slots."""
        for environment in self._memory.environments():
            ready = self._memory.ready
            if not any(kind.worker for kind in ready.kinds(environment.id)):
                continue
            for run in ready.take(environment.id, lambda kind: kind.worker is not None, draft.recorded_at):
                origin = Origin(environment.id, "engine", "slot", draft.recorded_at)
                after = draft.record(run.id, [e.RunResumed()], origin)
                assert isinstance(after, Run), "a run stays a run"
                self.tell(after, after.woken)
                yield after
                room -= 1
                if room <= 0:
                    return

    def tell(self, run: Run, completed: tuple[e.WaitCompleted, ...]) -> None:
        """Let the worker that holds the run hear that these waits are over."""
        session = self._sessions.get(run.worker or "")
        if session and run.token is not None:
            for each in completed:
                session.wake(Woken(run.id, run.token, each))

    def tell_again(self, turn: Turn) -> None:
        """The worker says for what its runs wait: it may not have heard what another engine told it."""
        for stream, token, indexes in turn.waits:
            run = self._memory.run(stream)
            if run is not None and run.token == token:
                self.tell_of(run, indexes)

    def tell_of(self, run: Run, indexes: Collection[int]) -> None:
        """Those of these waits that are over, if the run has a slot."""
        if run.status is Status.EXECUTING:
            self.tell(run, tuple(woken for woken in run.woken if woken.wait in indexes))

    def unknown(self, said: Report, environment: str, draft: Draft) -> tuple[str, ...]:
        """Those of the targets of a wait that do not exist."""
        targets = said.journaled.targets if said.journaled else ()
        return tuple(target for target in targets if not self._is_known(target, environment, draft))

    def _is_known(self, target: str, environment: str, draft: Draft) -> bool:
        return getattr(draft.state(target), "environment", None) == environment

    def _ended(self, wait: Wait) -> e.WaitCompleted | None:
        if not wait.targets:
            return None
        over = tuple(target for target in wait.targets if self._memory.is_over(target))
        return e.WaitCompleted(wait.index, over) if len(over) >= (1 if wait.is_any else len(wait.targets)) else None

    def _timed_out(self, wait: Wait) -> e.WaitCompleted:
        over = tuple(target for target in wait.targets if self._memory.is_over(target))
        return e.WaitCompleted(wait.index, over, is_timed_out=bool(wait.targets))

    def _complete(self, run: Run, completed: list[e.WaitCompleted], origin: Origin, draft: Draft) -> None:
        after = draft.record(run.id, journal.complete(run, completed), origin)
        # A run whose slot was freed hears of it when it has one again.
        if isinstance(after, Run) and after.status in {Status.DEQUEUED, Status.EXECUTING}:
            self.tell(after, tuple(completed))
