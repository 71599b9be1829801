"""What must be true of code that goes on by its journal: nothing is done twice, and nothing comes out but what must."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

from msgspec import json

from domain import events as e
from domain.commands import HandOut
from tests.simulation.code import (
    Ask,
    AttemptFails,
    Code,
    Fork,
    Outcome,
    ReadAsk,
    Script,
    StepAsk,
    StepFails,
    TriggerAsk,
    WaitAsk,
)
from tests.simulation.journal_facts import Made
from tests.simulation.log_check import LogCheck
from tests.simulation.programs import Program
from tests.simulation.rules import rule
from tests.simulation.run_facts import RunFacts

TAKEN_AWAY = {"lost", "crashed", "frozen", "canceled", "timed out"}
"""What closes an attempt whose worker may not know of it."""


class DurableChecks:
    """Sees what code does, and compares what comes of it with the ledger. Each method raises Violation."""

    def __init__(self, log: LogCheck, programs: dict[str, Program]) -> None:
        self._log = log
        self._programs = programs

    def body_begins(self, run: HandOut, ask: StepAsk | TriggerAsk) -> None:
        """Nothing that is done is done again by whoever has the run; who lost it and does not know may be too late."""
        facts = self._log.runs[run.run]
        closed_by = facts.closed.get(run.token)
        if facts.journal.is_done(ask.name, ask.number):
            rule(closed_by in TAKEN_AWAY, "%s: %s is done again, it was %s", run.run, ask, closed_by or "not lost")
        rule(closed_by not in {"succeeded", "failed", "released"}, "%s: %s, and it %s", run.run, ask, closed_by)
        if any(not made.completed for made in facts.journal.tries_of(ask.name, ask.number, run.attempt)):
            rule(closed_by in TAKEN_AWAY, "%s: %s is tried before its pause is over", run.run, ask)

    def code_goes_on(self, run: HandOut, wait: int, outcome: Outcome) -> None:
        """Nobody hears of the end of a wait before it is committed, or of another end."""
        completed = self._log.runs[run.run].journal.entries[wait].completed
        rule(completed is not None, "%s goes on, and wait %d is not over", run.run, wait)
        assert completed is not None
        committed = Outcome(completed.done, completed.is_timed_out, completed.unknown)
        rule(outcome == committed, "%s goes on with %s of wait %d, and not with %s", run.run, outcome, wait, committed)

    def results_of(self, streams: Sequence[str]) -> list[Any]:
        """What became of what somebody waited for, which is over, or it was not to be waited for."""
        return [self._result_of(stream) for stream in streams]

    def _result_of(self, stream: str) -> Any:
        rule(self._log.is_over(stream) is True, "what became of %s is asked, and it is not over", stream)
        if stream not in self._log.runs:
            return self.results_of(self._log.batches.runs_of(stream))
        ended = self._log.runs[stream].ended
        output = bytes(ended.output).decode() if isinstance(ended, e.AttemptSucceeded) else ""
        return type(ended).__name__, output

    def ended(self) -> None:
        """All is over: each run came to what its code comes to, given what it waited for and how that ended."""
        for facts in self._log.runs.values():
            match facts.ended:
                case e.AttemptSucceeded(output=output):
                    self._check_success(facts, json.decode(output))
                case e.RunFailed(error=error):
                    failures = self._evaluate(facts).failures
                    rule(error.message in failures, "%s failed by %s, its code by %s", facts.run, error, failures)
                case _:
                    self._evaluate(facts)

    def _check_success(self, facts: RunFacts, output: int) -> None:
        found = self._evaluate(facts)
        expected = found.result
        rule(output == expected, "%s came to %s, its code comes to %s", facts.run, output, expected)
        # What an earlier attempt did may lie on a way that the last one did not go.
        made = {index for index, made in enumerate(facts.journal.entries) if made.attempt == facts.number}
        rule(made <= found.passed, "%s: the code never comes to the entries %s", facts.run, made - found.passed)

    def _evaluate(self, facts: RunFacts) -> "Evaluation":
        program = self._programs[json.decode(facts.triggered.payload)]
        return Evaluation(facts, self.results_of).of(program)


class Evaluation:
    """The code of the last attempt of a run, without faults: it meets what the ledger says, and nothing is late."""

    def __init__(self, facts: RunFacts, results_of: Callable[[Sequence[str]], Any]) -> None:
        self.result: int | None = None
        """What it comes to, None if it does not get that far."""
        self.failures: set[str] = set()
        """With what it may fail; branches race for it."""
        self.passed: set[int] = set()
        """The entries that it comes to."""
        self._facts = facts
        self._results_of = results_of

    def of(self, program: Program) -> "Evaluation":
        """Go through a program."""
        self.result = self._follow(Script(self._facts.number).begin(program))
        return self

    def _follow(self, code: Code) -> int | None:
        advance: Callable[[], Ask] = code.__next__
        while True:
            try:
                ask = advance()
            except StopIteration as end:
                result: int = end.value
                return result
            except AttemptFails as failure:
                self.failures.add(str(failure))
                return None
            found = self._meet(ask)
            if found is None:
                return None
            advance = found(code)

    def _meet(self, ask: Ask) -> "Callable[[Code], Callable[[], Ask]] | None":
        match ask:
            case Fork(branches=branches):
                results = tuple(self._follow(branch) for branch in branches)
                return None if None in results else _sends(results)
            case ReadAsk(streams=streams):
                return _sends(self._results_of(streams))
            case _:
                made = self._find(ask)
                return None if made is None else self._meet_entry(ask, made)

    def _meet_entry(
        self, ask: StepAsk | TriggerAsk | WaitAsk, made: Made
    ) -> "Callable[[Code], Callable[[], Ask]] | None":
        run, completed = self._facts.run, made.completed
        if isinstance(ask, StepAsk):
            tries = len(self._facts.journal.tries_of(ask.name, ask.number, made.attempt))
            rule(tries == ask.tries, "%s: %d tries of %s failed", run, tries, ask)
        match ask, made.event:
            case StepAsk(), e.StepFailed():
                rule(ask.fails, "%s: %s failed, and does not fail", run, ask)
                return lambda code: lambda: code.throw(StepFails())
            case StepAsk(), e.StepSucceeded(result=result):
                value = json.decode(result)
                rule(ask.makes_token or value == ask.value, "%s: the result of %s is %s", run, ask, value)
                return _sends(value)
            case TriggerAsk(), e.ChildrenTriggered(runs=runs, batch=batch):
                rule(len(runs) == len(ask.programs), "%s: %s triggered %s", run, ask, runs)
                return _sends((batch,) if batch else runs)
            case WaitAsk(), e.WaitStarted(targets=targets, is_any=is_any):
                asked = ask.targets, ask.is_any
                rule((targets, is_any) == asked, "%s: %s waits for %s, any: %s", run, ask, targets, is_any)
                if completed is None:
                    return None
                return _sends(Outcome(completed.done, completed.is_timed_out, completed.unknown))
            case _:
                rule(False, "%s: %s is in the journal as %s", run, ask, made)
                return None

    def _find(self, ask: StepAsk | TriggerAsk | WaitAsk) -> Made | None:
        """The entry of the last attempt, or what it found of an earlier one."""
        made = self._facts.journal.of(ask.name, ask.number)
        tries = self._facts.journal.tries_of(ask.name, ask.number, self._facts.number)
        self.passed |= {each.event.entry.index for each in tries}
        if made is None:
            return None
        is_done = isinstance(made.event, e.StepSucceeded | e.ChildrenTriggered) or made.completed is not None
        if made.attempt < self._facts.number and not is_done:
            return None
        self.passed.add(made.event.entry.index)
        return made


def _sends(value: Any) -> Callable[[Generator[Ask, Any, int]], Callable[[], Ask]]:
    return lambda code: lambda: code.send(value)
