"""Runs that have left the database, as their segments tell of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Raw, structs

from adapters.codec import decode
from app.engine.reader import Reader
from app.keeping.segments import WrongSegment, path_of, read_segment
from domain.errors import Archived, NotFound
from domain.events import BlobRef, Recorded, RunArchived

BLOB = "_blob"
"""What the name of a field ends with that says where its large value is."""


class Told(NamedTuple):
    """The events of a run, and the segment that they are from, None: from the ledger."""

    history: Sequence[Recorded]
    """Never empty."""
    segment: str | None = None


async def told_of(run: str, environment: str, reader: Reader, *, with_values: bool = True) -> Told:
    """All events of a run of an environment; of an archived one those that it had until it was archived.

    Large values that left the ledger with it stand in its events then, unless these are to be as they were stored.
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
    file = path_of(reader.segments / environment, last.segment)
    try:
        return Told(await reader.read(history_in, file, run, with_values), last.segment)
    except WrongSegment as error:
        raise Archived(f"Run {run} was archived in segment {last.segment}, which cannot be read: {error}") from error


def history_in(file: Path, run: str, with_values: bool) -> list[Recorded]:  # noqa: FBT001 (called in another thread)
    """All events of a run in a segment (this blocks). Raises WrongSegment."""
    found = read_segment(file)
    values = found.blobs if with_values else {}
    return [_whole(decode(event[:5]), values) for event in found.events if event.stream == run]


def _whole(recorded: Recorded, values: Mapping[str, bytes]) -> Recorded:
    """The event with its values in place of where they were; they are no more in the ledger."""
    changes: dict[str, Any] = {}
    for name in recorded.event.__struct_fields__:
        ref = getattr(recorded.event, name)
        if name.endswith(BLOB) and isinstance(ref, BlobRef) and ref.key in values:
            changes |= {name: None, name.removesuffix(BLOB): Raw(values[ref.key])}
    return structs.replace(recorded, event=structs.replace(recorded.event, **changes)) if changes else recorded
