"""The code of a program: it asks for one thing after the other, and goes on with what comes of it.

Whoever drives it decides what comes: a worker, by the journal and by doing it; a check, by the ledger alone.
"""

from collections.abc import Generator
from typing import Any, TypeAlias

from msgspec import Struct

from tests.simulation.programs import (
    Children,
    Fail,
    Loop,
    MakeToken,
    Operation,
    Parallel,
    Program,
    Sleep,
    Step,
    WaitForTokens,
    fold,
)


class AttemptFails(Exception):
    """The code raises, and with it the attempt ends."""

    def __init__(self, message: str, *, is_retryable: bool = True) -> None:
        super().__init__(message)
        self.is_retryable = is_retryable


class StepFails(Exception):
    """A step has failed in this attempt."""


class StepAsk(Struct, frozen=True):
    """Do a step, or take its first result. What it makes a token of, it makes with this timeout.

    So many `tries` fail before, with a pause behind each.
    """

    name: str
    number: int
    fails: bool = False
    tries: int = 0
    pause_ms: int = 0
    makes_token: bool = False
    timeout_ms: int | None = None

    @property
    def value(self) -> int:
        """What such a step returns."""
        return fold(0, self.name, self.number)


class TriggerAsk(Struct, frozen=True):
    """Trigger children, or take those that were triggered first. Answer: the targets to wait for, and the runs."""

    name: str
    number: int
    programs: tuple[str, ...]
    is_batch: bool


class WaitAsk(Struct, frozen=True):
    """Wait. Answer: Outcome."""

    name: str
    number: int
    targets: tuple[str, ...] = ()
    is_any: bool = False
    timeout_ms: int | None = None


class Outcome(Struct, frozen=True):
    """How a wait ended."""

    done: tuple[str, ...]
    timed_out: bool
    unknown: tuple[str, ...]


class ReadAsk(Struct, frozen=True):
    """Read what became of these runs, or of those of these batches, which are over. Answer: whatever tells it."""

    streams: tuple[str, ...]


class Fork(Struct, frozen=True):
    """Go on in several branches. Answer: what each came to, in their order."""

    branches: tuple["Code", ...]


Ask: TypeAlias = StepAsk | TriggerAsk | WaitAsk | ReadAsk | Fork
Code: TypeAlias = Generator[Ask, Any, int]


class Script:
    """The code of one attempt. What comes of it is one number that tells all that happened on the way."""

    def __init__(self, attempt: int) -> None:
        self._attempt = attempt
        self._numbers: dict[str, int] = {}

    def begin(self, program: Program) -> Code:
        """From the beginning."""
        return self._perform(program, {}, 0)

    def _perform(self, operations: tuple[Operation, ...], tokens: dict[str, str], before: int) -> Code:
        so_far = before
        for each in operations:
            match each:
                case Parallel(branches=branches):
                    code = tuple(self._perform(branch, dict(tokens), so_far) for branch in branches)
                    so_far = fold(so_far, (yield Fork(code)))
                case Loop(times=times, body=body):
                    for _ in range(times):
                        so_far = yield from self._perform(body, dict(tokens), so_far)
                case _:
                    so_far = yield from self._ask(each, tokens, so_far)
        return so_far

    def _ask(
        self,
        operation: Step | MakeToken | Sleep | WaitForTokens | Children | Fail,
        tokens: dict[str, str],
        before: int,
    ) -> Code:
        match operation:
            case Step():
                return (yield from self._step(operation, before))
            case MakeToken(name=name, timeout_ms=timeout):
                tokens[name] = yield StepAsk(name, self._number(name), makes_token=True, timeout_ms=timeout)
            case Sleep(name=name, for_ms=for_ms):
                return fold(before, name, (yield WaitAsk(name, self._number(name), timeout_ms=for_ms)))
            case WaitForTokens():
                return (yield from self._wait(operation, tokens, before))
            case Children():
                return (yield from self._trigger(operation, before))
            case Fail(name=name, until=until, is_retryable=is_retryable):
                if self._attempt <= until:
                    raise AttemptFails(name, is_retryable=is_retryable)
        return before

    def _step(self, step: Step, before: int) -> Code:
        fails = self._attempt <= step.fails_until
        ask = StepAsk(step.name, self._number(step.name), fails, step.tries, step.pause_ms)
        try:
            result = yield ask
        except StepFails as failure:
            if not step.is_caught:
                raise AttemptFails(step.name) from failure
            result = "failed"
        return fold(before, step.name, result)

    def _wait(self, wait: WaitForTokens, tokens: dict[str, str], before: int) -> Code:
        targets = tuple(tokens.get(token, token) for token in wait.tokens)
        number = self._number(wait.name)
        outcome = yield WaitAsk(wait.name, number, targets, wait.is_any, wait.timeout_ms)
        after = fold(before, wait.name, outcome)
        return (yield from self._perform(wait.when_late, tokens, after)) if outcome.timed_out else after

    def _trigger(self, children: Children, before: int) -> Code:
        number = self._number(children.name)
        targets = yield TriggerAsk(children.name, number, children.programs, children.is_batch)
        after = fold(before, targets)
        if not children.is_awaited:
            return after
        name = f"{children.name}-end"
        outcome = yield WaitAsk(name, self._number(name), targets, children.is_any, children.timeout_ms)
        return fold(after, outcome, (yield ReadAsk(outcome.done)))

    def _number(self, name: str) -> int:
        self._numbers[name] = self._numbers.get(name, 0) + 1
        return self._numbers[name]
