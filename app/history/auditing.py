"""The events of an environment that somebody asks for, page by page; what a page costs is bounded."""

from collections.abc import Sequence
from typing import NamedTuple

from app.engine.reader import Reader
from domain.audit import Question, bulk_behind
from domain.events import Recorded, RunTriggered
from domain.ports import Ledger

LOOKED_MAX = 10_000
"""How many positions one page looks through at most for events that may be rare."""
SLICE = 1_000


class Page(NamedTuple):
    """What was found: behind `next` was not looked; when that is the `head`, nothing else can be found by now."""

    records: list[Recorded]
    next: int
    head: int


async def look(reader: Reader, question: Question, after: int, limit: int, upto: int | None = None) -> Page:
    """At most `limit` events behind a position, and up to one. Who asks for all events looks through `limit` positions.

    A run's own events are found by its id, so looking for these goes as far as there is anything.
    """
    head = await reader.head()
    first, last = await reader.read(between, reader.ledger, question, after, head if upto is None else min(upto, head))
    if question.run is not None:
        history = [each for each in await reader.history(question.run) if first < each.position <= last]
        found = await reader.read(chosen, reader.ledger, question, history)
        at = last
    else:
        end = min(last, first + (LOOKED_MAX if question.is_narrow else limit))
        found, at = await _searched(reader, question, first, end, limit)
    if len(found) > limit:
        found = found[:limit]
        at = found[-1].position
    return Page(found, head if at >= last else at, head)


def between(ledger: Ledger, question: Question, after: int, last: int) -> tuple[int, int]:
    """The positions behind which, and up to which, all is that was recorded in the time of a question (blocks)."""
    if question.since is not None:
        after = last_before(ledger, question.since, after, last)
    if question.until is not None:
        last = last_before(ledger, question.until, after, last)
    return after, last


def chosen(ledger: Ledger, question: Question, records: Sequence[Recorded]) -> list[Recorded]:
    """Those of some events that are asked for (blocks)."""
    found = _of_actors(ledger, question, [each for each in records if question.wants(each)])
    if not question.tasks or not found:
        return found
    # Only the first event of a run says of which task it is.
    beginnings = ledger.read_beginnings({each.stream for each in found})
    runs = {stream for stream, each in beginnings.items() if _is_of(each, question.tasks)}
    return [each for each in found if each.stream in runs]


def _of_actors(ledger: Ledger, question: Question, records: list[Recorded]) -> list[Recorded]:
    """Without what the engine did for bulk actions that others began: only their first events say who did."""
    bulks = {bulk for each in records if not question.is_of(each.actor) and (bulk := bulk_behind(each))}
    if not bulks:
        return records
    beginnings = ledger.read_beginnings(bulks)
    ours = {bulk for bulk, first in beginnings.items() if question.is_of(first.actor)}
    return [each for each in records if question.is_of(each.actor) or bulk_behind(each) in ours]


async def _searched(reader: Reader, question: Question, after: int, end: int, limit: int) -> tuple[list[Recorded], int]:
    """What is found slice by slice until it is enough, and how far that was."""

    def next_slice() -> tuple[list[Recorded], int]:
        records = reader.ledger.read_after(after, limit=SLICE, upto=end)
        return chosen(reader.ledger, question, records), records[-1].position if records else end

    found: list[Recorded] = []
    while after < end and len(found) < limit:
        more, after = await reader.read(next_slice)
        found += more
    return found, after


def last_before(ledger: Ledger, moment: int, low: int, high: int) -> int:
    """The last position between two that was recorded before a moment: no event is recorded before an earlier one."""
    while low < high:
        middle = (low + high) // 2
        if any(each.recorded_at < moment for each in ledger.read_after(middle, limit=1)):
            low = middle + 1
        else:
            high = middle
    return low


def _is_of(beginning: Recorded, tasks: frozenset[str]) -> bool:
    return isinstance(beginning.event, RunTriggered) and beginning.event.task in tasks
