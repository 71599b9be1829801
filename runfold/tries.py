"""Tries of a step: how often there may be one, and what happens between two of them."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from runfold import current
from runfold.durations import MAX_MS
from runfold.entries import CANCELED, Call
from runfold.errors import AbortTaskRunError, InvalidResultError
from runfold.journal import Journal
from runfold.policies import Retry
from runfold.run import RunError

_ONCE = Retry(max_attempts=1)
_CANCELED = RunError(name=CANCELED, message="The code canceled the step before it was done.")


class Tries:
    """How often a step was tried in this attempt, and how long to wait before the next time."""

    def __init__(self, retry: Retry | None, chance: Callable[[], float], failures: int = 0) -> None:
        self._policy = retry or _ONCE
        self._chance = chance
        self._failures = failures

    def seconds(self, error: BaseException) -> float | None:
        """As the engine counts them between attempts; None when it is not tried again."""
        self._failures += 1
        policy = self._policy
        if isinstance(error, AbortTaskRunError | InvalidResultError) or self._failures >= policy.max_attempts:
            return None
        jitter = 1 + self._chance() if policy.randomize else 1.0
        try:
            wait = jitter * policy.min_timeout_ms * policy.factor ** (self._failures - 1)
        except OverflowError:
            wait = policy.max_timeout_ms
        return min(policy.max_timeout_ms, wait, MAX_MS) / 1000


async def rest(journal: Journal, call: Call, failure: Any, seconds: float) -> None:
    """Wait for the next try, as the run waits for a time: without a slot, and after a while without a process.

    Where there is no time between the two, it keeps both.
    """
    if seconds:
        journal.end_work()
    try:
        with noting_cancel(journal, call):
            await journal.pause(call, failure, seconds)
    finally:
        if seconds:
            journal.begin_work()
    journal.check()


async def pass_tries(journal: Journal, call: Call) -> None:
    """Hear again of the tries that failed in this attempt, and wait until the next one is due."""
    for tried in call.tries:
        with noting_cancel(journal, call):
            await journal.end_of(tried)
    if call.tries and call.known is None:
        journal.check()


@contextmanager
def noting_cancel(journal: Journal, call: Call) -> Generator[None]:
    """While a step is not done: if the code cancels it here, its journal says so."""
    try:
        yield
    except asyncio.CancelledError:
        note_cancel(journal, call)
        raise


def note_cancel(journal: Journal, call: Call) -> None:
    """Where a step was cancelled that is not done: say so, if it was the code that did it."""
    if call.known is None and not journal.is_closed and current.is_being_cancelled():
        # Told, so that the code finds it cancelled again and does then what it did now; nobody can wait for it here.
        journal.note(call, "step_failed", error=_CANCELED)
