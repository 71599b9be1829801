"""The journal of a run as its worker reads it: what its code came to, so that it goes on there instead of beginning."""

from collections.abc import Sequence
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import asdict

from app.engine.triggered import value_of
from app.history.lineage import End, Line, journal_of
from domain import events as e
from domain.events import NOTHING, Recorded, RunError
from domain.ports import Ledger

PAGE_MAX_BYTES = 1_000_000


class Completed(Struct, rename="camel", omit_defaults=True):
    """How a wait ended."""

    done: tuple[str, ...] = ()
    timed_out: bool = False
    unknown: tuple[str, ...] = ()
    results: dict[str, Raw] = {}
    """How those that are done came out, as far as it is told along."""
    behind: int = 0
    """How many entries the journal had by then."""
    order: int = 0
    """The number of this end among those of the run."""


class JournalEntry(Struct, rename="camel", omit_defaults=True):
    """One entry. `kind` is succeeded, failed or tried (of a step), triggered or waiting; `attempt` made it.

    The attempt of what was taken over from another run is 0.
    """

    index: int
    name: str
    kind: str
    attempt: int
    number: int = 1
    after: int | None = None
    forked: bool = False
    digest: str | None = None
    result: Raw = NOTHING
    error: RunError | None = None
    runs: tuple[str, ...] = ()
    batch: str | None = None
    cached: tuple[int, ...] | None = None
    """The places of the runs that were there already; None where nobody said."""
    completed: Completed | None = None
    """Of a wait, or of the one behind a failed try: how it ended, None as long as it has not."""
    heard: tuple[int, ...] | None = None
    """The waits of whose end the code heard before this, and behind the entry before it; None where nobody said."""
    left: tuple[int, ...] = ()
    """What the code dropped before it heard of it, before this and behind the entry before it."""
    ahead: int = 0
    """So many come before this of which the code had not heard when this was made."""


def page_of(ledger: Ledger, history: Sequence[Recorded], after: int = -1) -> list[JournalEntry]:
    """The entries behind an index, as many as go into one page, but at least one (this blocks).

    Raises LedgerCorrupt when a result is gone or another, or a run whose entries were taken over.
    """
    entries: list[JournalEntry] = []
    size = 0
    for line in journal_of(ledger, history):
        if line.event.entry.index <= after:
            continue
        entry = _entry_of(ledger, line)
        size += 200 + len(bytes(entry.result))
        if entries and size > PAGE_MAX_BYTES:
            break
        entries.append(entry)
    return entries


def _entry_of(ledger: Ledger, line: Line) -> JournalEntry:
    event = line.event
    told = _place_of(event.entry, line.attempt)
    match event:
        case e.StepSucceeded():
            result = value_of(ledger, event.result, event.result_blob)
            return JournalEntry(**told, kind="succeeded", result=result)
        case e.StepFailed():
            return JournalEntry(**told, kind="failed", error=event.error)
        case e.StepTryFailed():
            # What it failed of is for people: the code is told of the last try only.
            return JournalEntry(**told, kind="tried", completed=_completed_of(line.completed))
        case e.ChildrenTriggered():
            runs, batch, cached = event.runs, event.batch, event.cached
            return JournalEntry(**told, kind="triggered", runs=runs, batch=batch, cached=cached)
        case e.WaitStarted():
            return JournalEntry(**told, kind="waiting", completed=_completed_of(line.completed))


def _place_of(entry: e.Entry, attempt: int) -> dict[str, Any]:
    return {"attempt": attempt, **asdict(entry)}


def _completed_of(end: End | None) -> Completed | None:
    if end is None:
        return None
    event = end.event
    return Completed(event.done, event.is_timed_out, event.unknown, behind=end.behind, order=end.order)
