"""The whole journal of a run: what it took over from another one, which may have taken over in turn, and its own."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from domain import events as e
from domain.errors import LedgerCorrupt, NotAllowed
from domain.events import Prefix, Recorded
from domain.ports import Ledger

TAKEN_OVER = 0
"""The attempt of entries that another run made. A run's own attempts are counted from 1."""

Journaled: TypeAlias = e.StepSucceeded | e.StepFailed | e.StepTryFailed | e.ChildrenTriggered | e.WaitStarted


class End(NamedTuple):
    """How a wait ended: so many entries were in the journal by then, and so many waits of the run had ended before."""

    event: e.WaitCompleted
    behind: int
    order: int


class Line(NamedTuple):
    """An entry, the attempt that made it, and how it ended if it is a wait that is over."""

    event: Journaled
    attempt: int
    completed: End | None = None


def journal_of(ledger: Ledger, history: Sequence[Recorded]) -> list[Line]:
    """All entries in their order (this blocks).

    Raises LedgerCorrupt when a run is gone whose entries it took over, NotAllowed when what it held was erased.
    """
    parts = [history]
    while prefix := _prefix_of(parts[-1]):
        source = ledger.read_streams([prefix.run]).get(prefix.run, [])
        if len(source) < prefix.version:
            raise LedgerCorrupt(f"The journal begins with that of run {prefix.run}, which is no longer there.")
        if any(isinstance(each.event, e.RunErased | e.RunArchived) for each in source):
            raise NotAllowed(f"The journal begins with that of run {prefix.run}, which was erased or archived.")
        parts.append(source[: prefix.version])
    lines: list[Line] = []
    for part in reversed(parts):
        prefix = _prefix_of(part)
        lines = (_taken(lines, prefix) if prefix else []) + _own(part)
    return lines


def _taken(lines: Sequence[Line], prefix: Prefix) -> list[Line]:
    """What is taken over of these, with the results that are others."""
    if len(lines) < prefix.entries:
        raise LedgerCorrupt(
            f"The journal of run {prefix.run} has {len(lines)} entries, and {prefix.entries} were read."
        )
    taken = [line._replace(attempt=TAKEN_OVER) for line in lines[: prefix.entries]]
    for edit in prefix.edits:
        entry = taken[edit.index].event.entry
        taken[edit.index] = Line(e.StepSucceeded(entry, edit.result, edit.result_blob), TAKEN_OVER)
    return taken


def _own(history: Iterable[Recorded]) -> list[Line]:
    """The entries that the attempts of the run itself made."""
    lines: list[Line] = []
    completed: dict[int, End] = {}
    attempt = 0
    for recorded in history:
        match recorded.event:
            case e.AttemptStarted(number=number):
                attempt = number
            case (
                e.StepSucceeded() | e.StepFailed() | e.StepTryFailed() | e.ChildrenTriggered() | e.WaitStarted()
            ) as event:
                lines.append(Line(event, attempt))
            case e.WaitCompleted() as event:
                behind = lines[-1].event.entry.index + 1 if lines else 0
                completed[event.wait] = End(event, behind, len(completed))
            case _:
                continue
    if not completed:
        return lines
    return [line._replace(completed=completed.get(line.event.entry.index)) for line in lines]


def _prefix_of(history: Sequence[Recorded]) -> Prefix | None:
    first = history[0].event if history else None
    return first.prefix if isinstance(first, e.RunTriggered) else None
