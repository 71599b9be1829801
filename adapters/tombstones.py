"""What stands in the place of an event whose values were erased, and how it is known to be rightly there.

It has everything of the event but the values, and names the receipt, an event in the same log that has its seal.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from adapters.codec import Row, decode
from adapters.merkle import leaf_hash
from domain.errors import LedgerCorrupt
from domain.events import ErasureRecorded, Event
from domain.ports import Ledger
from domain.redacting import redacted

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
Seals: TypeAlias = Mapping[int, str]
"""Of what stands where events were erased, by position."""
Receipts: TypeAlias = Callable[[str], Seals]
"""The seals that a receipt has; none, if there is no such receipt."""


def no_receipts(_receipt: str) -> Seals:
    """Of a log in which nothing was erased."""
    return {}


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
    except msgspec.DecodeError:
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


def is_erased_rightly(before: bytes, after: bytes, row: Row, receipts: Receipts) -> bool:
    """Whether this is a tombstone whose receipt has its seal."""
    mark = mark_of(row)
    return mark is not None and receipts(mark.receipt).get(row[0]) == seal_of(before, after, row)


def receipts_in(ledger: Ledger, upto: int | None = None) -> Receipts:
    """The receipts of a ledger up to a position, each read once. That they stand there as appended, its hashes say."""
    known: dict[str, Seals] = {}

    def find(receipt: str) -> Seals:
        if receipt not in known:
            try:
                history = ledger.read_streams([receipt]).get(receipt, [])
            except LedgerCorrupt:
                return {}
            if not history or not isinstance(event := history[0].event, ErasureRecorded):
                return {}
            # A receipt tells of what stood before it.
            position = history[0].position
            if upto is not None and position > upto:
                return {}
            known[receipt] = {at: seal for at, seal in event.seals.items() if at < position}
        return known[receipt]

    return find
