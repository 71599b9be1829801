"""What the code of a run asks for while it executes, as its worker reports it: steps, children, waits.

An entry is recorded once, in the order in which the worker numbers them. The same entry again changes nothing.
"""

from collections.abc import Iterable

from msgspec import Struct

from domain import events as e
from domain.errors import NotAllowed
from domain.events import Entry, RunError, RunEvent
from domain.run import Run
from domain.status import Status

JOURNAL_REPORTS = frozenset({"step_succeeded", "step_failed", "step_tried", "triggered", "waiting", "blocked"})
"""The kinds of reports that leave the attempt open, and say what its code came to."""


class Journaled(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a report says beside the result or the error of a step.

    `runs` and `batch` are what was triggered, and for `cached` see ChildrenTriggered; `targets`, `is_any` and `until`
    are what is waited for; behind a failed try of a step that is `until` alone. A run that is blocked names its
    `waits`, as far as its worker knows, by their indexes.
    """

    entry: Entry | None = None
    runs: tuple[str, ...] = ()
    batch: str | None = None
    targets: tuple[str, ...] = ()
    is_any: bool = False
    until: int | None = None
    waits: tuple[int, ...] = ()
    cached: tuple[int, ...] | None = None


def block(run: Run, said: Journaled) -> list[RunEvent]:
    """Nothing goes on but waits. Nothing when one of these is over, which the worker will hear, and go on."""
    waits = {wait.index for wait in run.waits}
    is_news = not said.waits or not waits.issuperset(said.waits)
    return [] if is_news or run.status is Status.WAITING else [e.RunBlocked()]


def is_known(run: Run, entry: Entry) -> bool:
    """Whether the entry is recorded. Raises NotAllowed for one that cannot be the next."""
    if entry.index > run.journal:
        raise NotAllowed(f"Entry {entry.index} cannot follow: the journal of run {run.id} has {run.journal}.")
    return entry.index < run.journal


def wait(said: Journaled, entry: Entry, unknown: tuple[str, ...]) -> list[RunEvent]:
    """Begin to wait. What is not there is not waited for: the code is told. Raises NotAllowed for what never ends."""
    if not said.targets and said.until is None:
        raise NotAllowed("A wait has targets, or a time until which it lasts.")
    started = e.WaitStarted(entry, said.targets, said.is_any, said.until)
    return [started, e.WaitCompleted(entry.index, unknown=unknown)] if unknown else [started]


def fail_try(said: Journaled, entry: Entry, error: RunError) -> list[RunEvent]:
    """Begin to wait for the next try. Raises NotAllowed where it would never come."""
    if said.until is None:
        raise NotAllowed("Behind a failed try comes a time until which the next one waits.")
    return [e.StepTryFailed(entry, error, said.until)]


def complete(run: Run, completed: Iterable[e.WaitCompleted]) -> list[RunEvent]:
    """End these waits, those that are open still. A run that is in no process goes back into its queue for that."""
    waits = {wait.index for wait in run.waits}
    events: list[RunEvent] = [each for each in completed if each.wait in waits]
    return [*events, e.RunEnqueued("resumed")] if events and run.status is Status.FROZEN else events
