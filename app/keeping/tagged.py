"""Archived runs with a tag: no row of them is left in the database, so that their segments are read for it."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from adapters.codec import decode
from app.keeping.checked import checked_segment
from app.keeping.segments import Segment, WrongSegment
from domain.erasure import ERASURE
from domain.events import ErasureRecorded
from domain.ports import CopyableLedger
from domain.run import Run
from domain.states import fold

LOOKED_MAX = 100
"""How many erasures, of which some tell of segments, one request looks at."""


class Tagged(NamedTuple):
    """Runs of one segment with the tag, and why segments before it cannot be read; `next` is where to go on."""

    runs: list[str]
    unreadable: list[str]
    next: str | None


def tagged_in_segments(
    ledger: CopyableLedger, folder: Path | None, environment: str, tag: str, after: str = ""
) -> Tagged:
    """Those of the first segment behind `after` that has any (this blocks). One segment at a time is in memory."""
    unreadable: list[str] = []
    waiting = [name for name in ledger.streams_of(ERASURE) if name > after]
    for name in waiting[:LOOKED_MAX]:
        first = ledger.read_beginnings([name])[name]
        is_segment = isinstance(first.event, ErasureRecorded) and first.event.segment is not None
        if not is_segment or first.environment != environment:
            continue
        try:
            runs = list(_tagged(checked_segment(ledger, folder, environment, name), tag))
        except WrongSegment as error:
            unreadable.append(str(error))
            continue
        if runs:
            return Tagged(runs, unreadable, name if name != waiting[-1] else None)
    return Tagged([], unreadable, waiting[LOOKED_MAX - 1] if len(waiting) > LOOKED_MAX else None)


def _tagged(segment: Segment, tag: str) -> Iterator[str]:
    ordered = sorted(segment.events, key=attrgetter("stream", "version"))
    for run, events in groupby(ordered, attrgetter("stream")):
        state = fold([decode(event[:5]) for event in events])
        if isinstance(state, Run) and tag in state.tags:
            yield run
