"""A ledger from one database to another, through a file: whole, with the same bytes, and so with the same hashes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from adapters.hashes import digest_behind
from adapters.tombstones import receipts_in
from app.transfer.lines import (
    FORMAT,
    VERSION,
    BlobLine,
    EventLine,
    File,
    Header,
    Place,
    Totals,
    WrongExport,
    blobs_of,
    line_of,
)
from app.transfer.reading import Entry, Reader
from domain.errors import InvalidInput, LedgerCorrupt
from domain.events import BlobRef
from domain.ports import CopyableLedger, Head, Sealed

PAGE = 500
"""Events that an export holds in memory at a time."""
BATCH_EVENTS_MAX = 1_000
BATCH_BYTES_MAX = 4_000_000
"""What an import commits at once."""

Noticed = Callable[[int], object]
"""Hears of the position that a copy has reached."""


def header_of(ledger: CopyableLedger, after: int = 0) -> Header:
    """What an export of the ledger as it is now begins with. Raises InvalidInput when there is no event `after`."""
    head, digest = ledger.head(), ledger.digest_at(after)
    if digest is None or after > head.position:
        raise InvalidInput(f"There is no event {after} to begin behind: the ledger ends with event {head.position}.")
    return Header(FORMAT, VERSION, after=Place(after, digest.hex()), head=Place.of(head))


def write_export(header: Header, ledger: CopyableLedger, file: File, noticed: Noticed) -> Totals:
    """Write the export that the header announces, whatever is appended meanwhile; returns what is in it.

    Raises LedgerCorrupt at the first event that is not as it was appended, InvalidInput when it was erased meanwhile.
    """
    file.write(line_of(header))
    events = blobs = missing = 0
    for event in _verified(header, ledger):
        file.write(line_of(EventLine.of(event)))
        for ref in blobs_of(event).values():
            value = _value_of(ref, ledger)
            if value is None:
                missing += 1
                continue
            blobs += 1
            file.write(line_of(value))
        events += 1
        if event.position % PAGE == 0:
            noticed(event.position)
    totals = Totals(events, blobs, missing)
    file.write(line_of(totals))
    return totals


def restore(export: Reader, ledger: CopyableLedger, noticed: Noticed) -> Head:
    """Append the events of an export to an empty ledger, or to one that has the first of them; returns its head.

    Raises WrongExport where the file is wrong or the ledger another one; what was appended until then stays, and is
    passed over when a whole file is restored. Raises Deposed and LedgerUnavailable as `append` does.
    """
    head = ledger.head()
    _check_beginning(export.header, ledger, head)
    try:
        for batch in _batches(_missing(export, head)):
            blobs = {key: value for entry in batch for key, value in entry.blobs.items()}
            head = ledger.restore([entry.event for entry in batch], blobs, after=head)
            noticed(head.position)
    except WrongExport as error:
        raise WrongExport(f"{error} The ledger has the events up to {head.position}, and none behind that.") from error
    return head


def _verified(header: Header, ledger: CopyableLedger) -> Iterator[Sealed]:
    position, digest = header.after.head()
    end, receipts = header.head.head(), receipts_in(ledger, header.head.position)
    while position < end.position:
        events = ledger.sealed_after(position, limit=min(PAGE, end.position - position))
        for event in events:
            if event.position != position + 1:
                break
            position, behind = event.position, digest_behind(digest, event, receipts)
            if behind is None and digest_behind(digest, event, receipts_in(ledger)):
                raise InvalidInput(f"Event {position} was erased while it was exported: export once more.")
            if behind is None or (position == end.position and behind != end.digest):
                raise LedgerCorrupt(f"Event {position} is not as it was appended: its hash is wrong.")
            digest = behind
            yield event
        if not events or events[-1].position != position:
            raise LedgerCorrupt(f"Event {position + 1} is missing.")


def _value_of(ref: BlobRef, ledger: CopyableLedger) -> BlobLine | None:
    value = ledger.blob(ref.key)
    if value is None:
        return None
    if hashlib.sha256(value).hexdigest() != ref.sha256:
        raise LedgerCorrupt(f"The value {ref.key} is not the one that was stored.")
    return BlobLine(ref.key, ref.sha256, value)


def _check_beginning(header: Header, ledger: CopyableLedger, head: Head) -> None:
    """Raises WrongExport, unless the ledger ends within the export and has the event that it begins behind."""
    first, last = header.after.position, header.head.position
    if not first <= head.position <= last:
        raise WrongExport(
            f"The ledger ends with event {head.position}, and the export has the events {first + 1} to {last}: "
            "restore into an empty ledger, or into one that has the first of these events and no other."
        )
    if ledger.digest_at(first) != header.after.head().digest:
        raise WrongExport(f"The export begins behind another event {first} than the one in this ledger.")


def _missing(export: Reader, head: Head) -> Iterator[Entry]:
    """What stands behind the head, once it has shown that everything before is in the ledger."""
    for entry in export.entries():
        position, digest = entry.event.position, entry.event.digest
        if position > head.position:
            yield entry
        elif position == head.position and digest != head.digest:
            raise WrongExport(f"The ledger is not empty, and its event {position} is not the one of the export.")


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.event.state) + sum(map(len, entry.blobs.values()))
        if len(batch) >= BATCH_EVENTS_MAX or size >= BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
