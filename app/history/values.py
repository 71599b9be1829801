"""Are the large values beside the ledger those that its events name?"""

import hashlib
from collections.abc import Iterable, Iterator

from adapters.codec import decode
from domain.events import BlobRef, PacketStored, Recorded
from domain.ports import CopyableLedger
from domain.values import NAMING, refs_of


def value_faults(ledger: CopyableLedger, records: Iterable[Recorded]) -> Iterator[tuple[int, str]]:
    """The position and a sentence for each value of these events that is gone or another. Raises LedgerCorrupt.

    What was erased has no values any more, also if that was while this looks.
    """
    for recorded in records:
        if type(recorded.event) not in NAMING:
            continue
        for ref in refs_of(recorded.event):
            what = _fault(ledger, recorded, ref)
            if what and _still_names(ledger, recorded.position, ref):
                yield recorded.position, f"Event {recorded.position} of {recorded.stream}: the value {ref.key} {what}."


def _fault(ledger: CopyableLedger, recorded: Recorded, ref: BlobRef) -> str | None:
    value = ledger.blob(ref.key)
    if value is None:
        # What was uploaded goes with the run whose payload it became, and nothing in its own history says so.
        return None if isinstance(recorded.event, PacketStored) else "is no longer there"
    return None if hashlib.sha256(value).hexdigest() == ref.sha256 else "is not the one that was stored"


def _still_names(ledger: CopyableLedger, position: int, ref: BlobRef) -> bool:
    return any(ref in refs_of(decode(row[:5]).event) for row in ledger.sealed_at([position]))
