"""Runs that have left the database, as their segments tell of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Raw, structs

from adapters.codec import decode
from app.engine.reader import Reader
from app.keeping.checked import checked_segment, erased_in, events_of
from app.keeping.segments import Segment, WrongSegment
from domain.errors import Archived, NotFound
from domain.events import BlobRef, ErasureRecorded, Recorded, RunArchived, RunErased
from domain.ports import CopyableLedger

BLOB = "_blob"
"""What the name of a field ends with that says where its large value is."""


class Told(NamedTuple):
    """The events of a run, and the segment that they are from, None: from the ledger."""

    history: Sequence[Recorded]
    """Never empty."""
    segment: str | None = None


async def told_of(run: str, environment: str, reader: Reader, *, with_values: bool = True) -> Told:
    """All events of a run of an environment; of an archived one those that it had until it was archived.

    Large values that left the ledger with it stand in its events then, and what was erased in its segment ends with
    `RunErased`, unless the events are to be as they were stored.
    Raises NotFound, Archived when its segment cannot be read here.
    """
    history = await reader.history(run) if run.startswith("run_") else ()
    if not history or history[0].environment != environment:
        raise NotFound(f"Run {run} not found.")
    last = history[-1].event
    if not isinstance(last, RunArchived):
        return Told(history)
    if reader.segments is None:
        raise Archived(f"Run {run} was archived in segment {last.segment}, and this node has no folder of segments.")
    try:
        segment = await reader.read(checked_segment, reader.ledger, reader.segments, environment, last.segment, [run])
    except WrongSegment as error:
        raise Archived(f"Run {run} was archived in segment {last.segment}, which cannot be read: {error}") from error
    stored = [decode(event[:5]) for event in events_of(segment, run)]
    if not with_values:
        return Told(stored, last.segment)
    receipt = await reader.read(erased_in, reader.ledger, segment, run)
    whole = [_whole(each, segment.blobs) for each in stored]
    return Told([*whole, _erased_by(receipt, stored[-1])] if receipt else whole, last.segment)


def segment_of(run: str, ledger: CopyableLedger, folder: Path | None) -> Segment | None:
    """The segment of an archived run, None: it is not archived (this blocks). Raises Archived, LedgerCorrupt."""
    history = ledger.read_streams([run]).get(run, [])
    if not history or not isinstance(last := history[-1].event, RunArchived):
        return None
    if folder is None:
        raise Archived(
            f"Run {run} was archived in segment {last.segment}, and RUNFOLD_SEGMENTS_FOLDER, which names the folder"
            " of segments, is not set."
        )
    try:
        return checked_segment(ledger, folder, history[0].environment, last.segment, [run])
    except WrongSegment as error:
        raise Archived(f"Run {run} was archived in segment {last.segment}, which cannot be read: {error}") from error


def _erased_by(receipt: Recorded, last: Recorded) -> Recorded:
    """What would stand behind the last event, were the run not archived: nothing follows that in the ledger."""
    assert isinstance(receipt.event, ErasureRecorded), "it was found as a receipt"
    event = RunErased(receipt.stream, receipt.event.with_names)
    return structs.replace(receipt, stream=last.stream, version=last.version + 1, event=event)


def _whole(recorded: Recorded, values: Mapping[str, bytes]) -> Recorded:
    """The event with its values in place of where they were; they are no more in the ledger."""
    changes: dict[str, Any] = {}
    for name in recorded.event.__struct_fields__:
        ref = getattr(recorded.event, name)
        if name.endswith(BLOB) and isinstance(ref, BlobRef) and ref.key in values:
            changes |= {name: None, name.removesuffix(BLOB): Raw(values[ref.key])}
    return structs.replace(recorded, event=structs.replace(recorded.event, **changes)) if changes else recorded
