"""What stands in the place of an event whose values were erased, and how it is known to be rightly there.

It has everything of the event but the values, and names the receipt, an event in the same log that has its seal.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from adapters.codec import Row, decode
from adapters.merkle import leaf_hash
from domain.errors import LedgerCorrupt
from domain.events import ErasureRecorded, Event, Recorded, RunArchived, RunErased
from domain.ports import CopyableLedger
from domain.redacting import is_redactable, redacted

E = TypeVar("E", bound=Event)
_BEGINNING = b'{"erased":{"'
_KIND = "run_"
"""What the streams begin with in which an event may be erased: no receipt is."""


class Mark(Struct, frozen=True):
    """The erasure by which the values went, and the leaf that the event has in Merkle trees for ever (in hex)."""

    receipt: str
    leaf: str


class _Marked(Struct):
    erased: Mark


class _Tombstone(Struct, Generic[E]):
    """As the envelope of events, behind the mark."""

    erased: Mark
    environment: str
    occurred_at: int
    recorded_at: int
    actor: str
    cause: str
    data: E


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Marked).decode


class Receipt(NamedTuple):
    """What one erasure may have left: the seals by position, and the runs whose own histories name it."""

    seals: Mapping[int, str]
    runs: Collection[str]
    with_names: bool = False

    def allows(self, row: Row, seal: str) -> bool:
        """Whether what stands in this row, under this seal, is what the erasure leaves: no value is in it."""
        position, stream = row[0], row[1]
        return self.seals.get(position) == seal and stream in self.runs and is_emptied(row, with_names=self.with_names)


NO_RECEIPT = Receipt({}, ())
Receipts: TypeAlias = Callable[[str], Receipt]
"""The receipt of an id; NO_RECEIPT, if there is no such one."""


def no_receipts(_receipt: str) -> Receipt:
    """Of a log in which nothing was erased."""
    return NO_RECEIPT


def content_of(row: Row) -> bytes:
    """The bytes of an event as they are hashed: position, stream, version and topic with newlines, then the state."""
    position, stream, version, topic, state = row
    return f"{position}\n{stream}\n{version}\n{topic}\n".encode() + state


def is_tombstone(state: bytes) -> bool:
    """Whether a state says that values were erased in it; events as they were appended begin otherwise."""
    return state.startswith(_BEGINNING)


def mark_of(row: Row) -> Mark | None:
    """The mark of a tombstone, None for an event that is as it was appended, or in a stream where none is erased."""
    if not is_tombstone(row[4]) or not row[1].startswith(_KIND):
        return None
    try:
        return _decode(row[4]).erased
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def leaf_of(row: Row) -> bytes:
    """The hash of the event's leaf in Merkle trees, which it keeps when its values are erased."""
    mark = mark_of(row)
    return leaf_hash(content_of(row)) if mark is None else bytes.fromhex(mark.leaf)


def tombstone_of(row: Row, receipt: str, *, with_names: bool) -> bytes | None:
    """The state without values, which names the receipt; None if there is nothing to erase. Raises LedgerCorrupt."""
    recorded = decode(row)
    event = redacted(recorded.event, with_names=with_names)
    if event is recorded.event:
        return None
    mark = Mark(receipt, leaf_of(row).hex())
    envelope = (recorded.environment, recorded.occurred_at, recorded.recorded_at, recorded.actor, recorded.cause)
    return _encode(_Tombstone(mark, *envelope, event))


def seal_of(before: bytes, after: bytes, row: Row) -> str:
    """The seal of what stands at a position, between the digest before the event and the one behind it, in hex.

    The digest behind it is that of the event as it was appended: it cannot be computed any more.
    """
    return hashlib.sha256(before + after + content_of(row)).hexdigest()


def is_emptied(row: Row, *, with_names: bool) -> bool:
    """Whether the event of a tombstone is one that has values, and has none left."""
    try:
        event = decode(row).event
    except LedgerCorrupt:
        return False
    return is_redactable(event, with_names=with_names) and redacted(event, with_names=with_names) is event


def is_erased_rightly(before: bytes, after: bytes, row: Row, receipts: Receipts) -> bool:
    """Whether this is a tombstone that its receipt allows."""
    mark = mark_of(row)
    return mark is not None and receipts(mark.receipt).allows(row, seal_of(before, after, row))


def receipts_in(ledger: CopyableLedger, upto: int | None = None) -> Receipts:
    """The receipts of a ledger up to a position, each read once. That they stand there as appended, its hashes say."""
    known: dict[str, Receipt] = {}

    def find(receipt: str) -> Receipt:
        if receipt not in known:
            try:
                history = ledger.read_streams([receipt]).get(receipt, [])
            except LedgerCorrupt:
                return NO_RECEIPT
            if not history or not isinstance(event := history[0].event, ErasureRecorded):
                return NO_RECEIPT
            # A receipt tells of what stood before it.
            position = history[0].position
            if upto is not None and position > upto:
                return NO_RECEIPT
            seals = {at: seal for at, seal in event.seals.items() if at < position}
            known[receipt] = Receipt(seals, _left_by(receipt, event.runs, position, ledger), event.with_names)
        return known[receipt]

    return find


def left_by(recorded: Recorded) -> str | None:
    """The erasure that this event of a run names as the one by which the run lost its values."""
    event = recorded.event
    return event.erasure if isinstance(event, RunErased | RunArchived) else None


def _left_by(receipt: str, runs: Collection[str], position: int, ledger: CopyableLedger) -> frozenset[str]:
    """Those of the runs whose own histories name the receipt at a position."""
    asked, found = set(runs), set[str]()
    # They are recorded in front of it, in the same batch.
    size = min(len(asked), position - 1)
    for row in ledger.sealed_after(position - 1 - size, limit=size):
        try:
            recorded = decode(row[:5])
        except LedgerCorrupt:
            continue
        if recorded.stream in asked and left_by(recorded) == receipt:
            found.add(recorded.stream)
    return frozenset(found)
