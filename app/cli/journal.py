"""The journal of a run as a person reads it: a line for each step, each failed try, each trigger and each wait."""

from collections.abc import Iterable, Sequence

from app.cli.output import duration, moment, print_table
from app.cli.views import clock, error_text, json_text, short
from runfold import JournalEntry

COLUMNS = ("entry", "name", "attempt", "status", "at", "took", "what")


def print_journal(journal: Sequence[JournalEntry]) -> None:
    """All of it, in the order of the code."""
    rows = (
        (
            str(each.index),
            each.name if each.number == 1 else f"{each.name} #{each.number}",
            str(each.attempt),
            each.status,
            clock(each.at),
            duration(each.at, each.ended_at),
            short(" ".join(_what(each))),
        )
        for each in journal
    )
    print_table(COLUMNS, rows)


def _what(entry: JournalEntry) -> Iterable[str]:
    """What came of a step or of a try, what was triggered, or what is waited for."""
    match entry.kind:
        case "step":
            yield error_text(entry.error) if entry.error else json_text(entry.result)
        case "try":
            yield error_text(entry.error)
            yield f"(tried again at {moment(entry.until)})"
        case "wait":
            if entry.targets:
                yield f"for {'any of' if entry.any else 'all of'}" if len(entry.targets) > 1 else "for"
                yield from entry.targets
            if entry.until:
                yield f"until {moment(entry.until)}"
            if entry.unknown:
                yield f"(unknown: {' '.join(entry.unknown)})"
        case _:
            yield from (entry.batch,) if entry.batch else entry.runs
