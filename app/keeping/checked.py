"""Segments as the ledger tells of them: a file that verifies by itself may still be another one."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from msgspec import structs

from adapters.codec import decode
from adapters.tombstones import leaf_of, mark_of, seal_of, tombstone_of
from app.keeping.segments import SUFFIX, Segment, WrongSegment, path_of, read_segment
from app.transfer.lines import blobs_of
from domain.erasure import ERASURE
from domain.events import ErasureRecorded, Recorded
from domain.ports import START, CopyableLedger, Ledger, Sealed
from domain.redacting import redacted


def checked_segment(
    ledger: CopyableLedger, folder: Path | None, environment: str, name: str, runs: Collection[str] | None = None
) -> Segment:
    """The segment of this name, of which these runs, None: all, are as they were archived, but for what was erased.

    This blocks. Raises WrongSegment, LedgerCorrupt.
    """
    if folder is None:
        raise WrongSegment(f"Segment {name} cannot be reached: this node has no folder for segments.")
    segment = read_segment(path_of(folder / environment, name))
    told = _receipt(ledger, name)
    header, receipt = segment.header, told and told.event
    if (
        told is None
        or not isinstance(receipt, ErasureRecorded)
        or (header.id, header.environment, header.root) != (receipt.segment, told.environment, receipt.root)
        or sorted(header.runs) != sorted(receipt.runs)
    ):
        raise WrongSegment(f"Segment {name} is not the one that the ledger tells of.")
    _check_events(ledger, segment, header.runs if runs is None else runs)
    return segment


def unknown_segments(ledger: Ledger, folder: Path, environment: str) -> list[Path]:
    """The files of segments of an environment of which the ledger does not tell (this blocks).

    They may be all that is left of runs: the ledger of which this one is a copy may tell of them.
    """
    known = set(ledger.streams_of(ERASURE))
    files = sorted((folder / environment).glob(f"{ERASURE}_*{SUFFIX}"))
    return [file for file in files if file.name.removesuffix(SUFFIX) not in known]


def events_of(segment: Segment, run: str) -> list[Sealed]:
    """The events of a run, in order."""
    return [event for event in segment.events if event.stream == run]


def erased_in(ledger: CopyableLedger, segment: Segment, run: str) -> Recorded | None:
    """The last receipt by which the run was erased in its segment (this blocks); None: it was not."""
    marks = dict.fromkeys(mark.receipt for event in events_of(segment, run) if (mark := mark_of(event[:5])))
    receipts = (_receipt(ledger, each) for each in marks)
    # What was erased before it was archived says so by an event of its own.
    ours = [each for each in receipts if each is not None and segment.header.id in _rewritten(each)]
    return max(ours, key=lambda each: each.position, default=None)


def _check_events(ledger: CopyableLedger, segment: Segment, runs: Collection[str]) -> None:
    histories = ledger.read_streams(runs)
    events: dict[str, list[Sealed]] = {run: [] for run in runs}
    for event in segment.events:
        if event.stream in events:
            events[event.stream].append(event)
    positions = {event.position for each in events.values() for event in each}
    rows = {row.position: row for row in ledger.sealed_at(positions | {at - 1 for at in positions})}
    receipts: dict[str, Recorded | None] = {}

    def receipt_of(name: str) -> Recorded | None:
        if name not in receipts:
            receipts[name] = _receipt(ledger, name)
        return receipts[name]

    for run in runs:
        # The last one says that it was archived.
        archived = [each.position for each in histories.get(run, ())][:-1]
        if [event.position for event in events[run]] != archived:
            raise WrongSegment(f"Segment {segment.header.id} does not have all events of run {run}.")
        for event in events[run]:
            before = rows[event.position - 1].digest if event.position > 1 else START.digest
            _check_event(segment, event, rows[event.position], before, receipt_of)


def _check_event(
    segment: Segment, event: Sealed, row: Sealed, before: bytes, receipt_of: Callable[[str], Recorded | None]
) -> None:
    """Compare an event with the one in the ledger, which has no values, and the same leaf."""
    name, mark = segment.header.id, mark_of(event[:5])
    is_ours = event[:4] == row[:4] and event.digest == row.digest and leaf_of(event[:5]) == leaf_of(row[:5])
    if not is_ours or not (mark is None or _is_erased_rightly(name, event, row, before, receipt_of(mark.receipt))):
        raise WrongSegment(f"Event {event.position} in segment {name} is not the one that the ledger tells of.")
    if lost := blobs_of(event).keys() - segment.blobs.keys():
        raise WrongSegment(f"Segment {name} does not have the value {min(lost)} of event {event.position} any more.")


def _is_erased_rightly(name: str, event: Sealed, row: Sealed, before: bytes, receipt: Recorded | None) -> bool:
    """Whether the receipt has the seal of what stands there.

    Receipts for archived runs had no seals once: they name segment and run, and no more is left than in the ledger.
    """
    if receipt is None or not isinstance(told := receipt.event, ErasureRecorded) or receipt.position < event.position:
        return False
    if seal := told.seals.get(event.position):
        return seal == seal_of(before, row.digest, event[:5])
    if name not in told.rewritten or event.stream not in told.runs:
        return False
    left = decode(event[:5])
    is_empty = tombstone_of(event[:5], "", with_names=told.with_names) is None
    return is_empty and structs.replace(left, event=redacted(left.event, with_names=True)) == decode(row[:5])


def _receipt(ledger: CopyableLedger, name: str) -> Recorded | None:
    return ledger.read_beginnings([name]).get(name)


def _rewritten(receipt: Recorded) -> Sequence[str]:
    return receipt.event.rewritten if isinstance(receipt.event, ErasureRecorded) else ()
