"""What is answered is committed: nobody is told of anything that the ledger does not say."""

from typing import Any

from msgspec import json

from domain import commands as c
from domain import events as e
from domain.annotations import TAGS_MAX
from domain.attempts import REPORTS, Report
from domain.commands import Accepted, Turn, TurnAnswer
from domain.draft import Answer
from domain.errors import InvalidInput, NotFound, Refused, RunfoldError
from domain.events import Event
from domain.keys import Key
from domain.run import Run
from tests.simulation.log_check import LogCheck
from tests.simulation.rules import rule
from tests.simulation.run_facts import RunFacts

CLOSED_BY = {
    "frozen": {"frozen", "released"},
    "released": {"frozen", "released"},
    "crashed": {"crashed", "frozen"},
}
"""What such a report may have closed an attempt as, beside its own kind: it depends on what the run waited for."""


class AnswerCheck:
    """Hears every answer at the moment it may be given."""

    def __init__(self, log: LogCheck, lease_ms: int) -> None:
        self._log = log
        self._lease_ms = lease_ms
        self._requests: dict[str, list[str]] = {}
        self._turns: dict[str, dict[int, TurnAnswer]] = {}
        self._received: dict[str, int] = {}
        self._heard: dict[str, int] = {}
        self._counted: set[tuple[str, int, str]] = set()
        """The reports that closed an attempt."""

    def begin_anew(self) -> None:
        """The engine knows no earlier answers to turns."""
        self._turns.clear()

    def submitted(self, turn: Turn, now: int) -> None:
        """A worker says what it received; a session that was silent for the whole lease is forgotten."""
        if now - self._heard.get(turn.session, 0) >= self._lease_ms // 2:
            self._turns.pop(turn.session, None)
        self._heard[turn.session] = now
        self._received[turn.session] = max(self._received.get(turn.session, 0), turn.received)

    def answered(self, command: c.Command, answer: Answer) -> None:
        """Check an answer. Raises Violation."""
        if isinstance(answer, RunfoldError):
            # Items and moments may come too late, limits be too high, tags be too many; nothing else here is wrong.
            of_schedules = c.SaveSchedule | c.ChangeSchedule
            may_be_wrong = isinstance(command, c.OverrideQueueLimit | c.AddItems | c.AddTags | of_schedules)
            wrong = isinstance(answer, InvalidInput) and not may_be_wrong
            wrong = wrong or (isinstance(answer, NotFound) and isinstance(command, Turn))
            rule(not wrong, "%s is refused: %s", command, answer)
            rule(not isinstance(answer, Refused) or bool(str(answer)), "%s is refused without a reason", command)
            return
        match command:
            case Turn():
                self._check_turn(command, answer)
            case c.CreateWaitpoint() | c.CompleteWaitpoint():
                self._check_token(command, answer)
            case c.PauseQueue() | c.ResumeQueue() | c.OverrideQueueLimit() | c.ResetQueueLimit():
                self._check_control(command)
            case c.SaveSchedule():
                rule(answer in self._log.states, "%s is said to be made", answer)
            case _:
                self._check_runs(command, answer)

    def _check_runs(self, command: c.Command, answer: Answer) -> None:
        match command:
            case c.AddItems(batch=batch, indexes=indexes):
                taken = self._log.batches.known(batch or "")
                rule(taken >= set(indexes), "the items %s of %s are said to be taken", indexes, batch)
                rule(answer.known <= len(taken), "%s of %s items are known, but %d", answer, batch, len(taken))
            case c.TriggerRuns():
                self._check_accepted(command, answer)
            case c.RunSchedule(request=str(request)):
                before = self._requests.setdefault(request, [answer])
                rule(before == [answer], "%s got %s, and now %s", request, before, answer)
                rule(answer in self._log.runs, "%s is said to be made", answer)
            case c.CancelRun(run=run) | c.GiveUpRun(run=run):
                rule(self._run(run).is_final, "%s is said to be over", run)
            case c.RescheduleRun(run=run, until=until):
                rule(until in self._facts(run).dues, "%s is said to be due at %d", run, until)
            case c.AddTags() | c.UpdateMetadata() | c.ExplainRun():
                self._check_annotation(command, answer)
            case _:
                pass

    def _check_token(self, command: c.CreateWaitpoint | c.CompleteWaitpoint, answer: Answer) -> None:
        if isinstance(command, c.CreateWaitpoint):
            rule(answer.waitpoint in self._log.tokens, "%s is said to be made", answer)
        else:
            rule(bool(self._log.tokens.get(command.waitpoint)), "%s is said to be completed", command.waitpoint)

    def _check_annotation(self, command: c.AddTags | c.UpdateMetadata | c.ExplainRun, answer: Answer) -> None:
        run = self._run(command.run)
        match command:
            case c.AddTags(tags=tags):
                rule(set(tags) <= set(run.tags) and len(run.tags) <= TAGS_MAX, "%s has the tags %s", run.id, run.tags)
            case c.UpdateMetadata():
                # Others of the same batch may have gone on from there.
                told, known = (json.decode(bytes(each))["seen"] for each in (answer, run.metadata))
                rule(0 < told <= known, "%s is said to have been seen %d times, and was %d times", run.id, told, known)
            case c.ExplainRun():
                rule(bool(answer.sentence), "nobody says why %s is where it is", run.id)
                rule(run.is_final or answer.reason != "ended", "%s has not ended: %s", run.id, answer)

    def _check_accepted(self, command: c.TriggerRuns, answer: list[Accepted]) -> None:
        runs = [accepted.run for accepted in answer]
        assert command.request is not None
        is_first = command.request not in self._requests
        before = self._requests.setdefault(command.request, runs)
        rule(before == runs, "%s got %s, and now %s", command.request, before, runs)
        for new, accepted in zip(command.runs, answer, strict=True):
            rule(accepted.run in self._log.runs, "%s is said to be accepted", accepted.run)
            key = self._log.states.get(new.key or "")
            is_its_key = isinstance(key, Key) and key.target == accepted.run
            rule(not (is_first and accepted.cached) or is_its_key, "%s got %s, not that of %s", new, accepted, key)

    def _check_control(self, command: c.QueueCommand) -> None:
        events: dict[type[c.Command], type[Event]] = {
            c.PauseQueue: e.QueuePaused,
            c.OverrideQueueLimit: e.QueueLimitOverridden,
        }
        said = events.get(type(command))
        rule(said is None or (said, command.queue) in self._log.queues.said, "%s is said to be so", command)

    def _check_turn(self, turn: Turn, answer: TurnAnswer) -> None:
        rule(answer.sequence == turn.sequence, "turn %d is answered with %s", turn.sequence, answer)
        if turn.sequence <= self._received[turn.session]:
            # A copy that comes after the worker has the answer: nobody reads this one.
            return
        before = self._turns.setdefault(turn.session, {}).setdefault(turn.sequence, answer)
        rule(before == answer, "turn %d got %s, and now %s", turn.sequence, before, answer)
        for hand in answer.runs:
            rule(self._facts(hand.run).handed.get(hand.token) == turn.session, "%s is not in the ledger", hand)
        for woken in answer.woken:
            made = self._facts(woken.run).journal.entries[woken.completed.wait]
            rule(made.completed == woken.completed, "%s is told, and in the ledger it is %s", woken, made)
        refused = {(said.run, said.token) for said in answer.refused}
        for said in turn.reports:
            if (said.run, said.token) in refused:
                is_open = self._run(said.run).token == said.token
                rule(not is_open, "%s of %s is refused, but attempt %d is open", said.kind, said.run, said.token)
                again = (said.run, said.token, said.kind) in self._counted
                rule(not again, "%s of %s, attempt %d, is refused, and counted before", said.kind, said.run, said.token)
            else:
                is_there = self._is_committed(said)
                rule(is_there, "%s of %s, attempt %d, is said to be committed", said.kind, said.run, said.token)
                if said.kind in REPORTS:
                    self._counted.add((said.run, said.token, said.kind))

    def _is_committed(self, said: Report) -> bool:
        facts = self._facts(said.run)
        if said.journaled is not None:
            return said.journaled.entry is None or said.journaled.entry.index < len(facts.journal.entries)
        reported = {kind for token, kind in facts.reported if token == said.token}
        # The start of an attempt may come after its end, and is then part of it.
        return bool(reported) if said.kind == "started" else bool(reported & CLOSED_BY.get(said.kind, {said.kind}))

    def _facts(self, run: str) -> RunFacts:
        rule(run in self._log.runs, "%s is not in the ledger", run)
        return self._log.runs[run]

    def _run(self, run: str) -> Run:
        state: Any = self._log.states.get(run)
        rule(isinstance(state, Run), "%s is not in the ledger", run)
        assert isinstance(state, Run)
        return state
