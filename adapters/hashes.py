"""The rolling hash of the log: each event seals all that stand before it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from adapters.codec import NewRow, Row, recorded_at
from adapters.tombstones import Receipts, is_erased_rightly, mark_of, no_receipts
from domain.ports import START, Head

MARK = 1_000
NONE_KEPT: Mapping[int, bytes] = MappingProxyType({})
SealedRow: TypeAlias = tuple[int, str, int, str, bytes, bytes]
"""A row as stored, and the rolling hash of the log behind it."""
StoredRow: TypeAlias = tuple[int, bytes, int, bytes, bytes, bytes]
"""A sealed row with its texts as bytes, whatever bytes somebody may have put there."""


def digest_after(digest: bytes, row: Row) -> bytes:
    """The rolling hash of the log behind this event: SHA-256 over the hash before it and the row as stored.

    The bytes hashed: the digest before (32), then position, stream, version and topic in UTF-8, each followed by one
    newline, then the state.
    """
    # As `content_of` has them: this line runs for every event, and a further call would take half of its time again.
    position, stream, version, topic, state = row
    head = f"{position}\n{stream}\n{version}\n{topic}\n".encode()
    return hashlib.sha256(digest + head + state).digest()


def digest_behind(digest: bytes, row: SealedRow, receipts: Receipts) -> bytes | None:
    """The rolling hash behind a row as stored, if that is right: by its content, or by the receipt of its erasure."""
    at, stream, version, topic, state, stored = row
    event = (at, stream, version, topic, state)
    if digest_after(digest, event) == stored or is_erased_rightly(digest, stored, event, receipts):
        return stored
    return None


def seal(batch: Sequence[NewRow], after: Head, kept: Mapping[int, bytes] = NONE_KEPT) -> tuple[list[SealedRow], Head]:
    """The rows of a batch that is to stand right behind `after`, and the head that it leaves.

    `kept` are the digests behind events that were erased elsewhere, by position: they cannot be computed.
    """
    position, digest = after
    rows: list[SealedRow] = []
    sha256 = hashlib.sha256
    for stream, version, topic, state in batch:
        position += 1
        # What `digest_after` hashes, without calling it: a commit waits for this.
        head = f"{position}\n{stream}\n{version}\n{topic}\n".encode()
        digest = kept[position] if position in kept else sha256(digest + head + state).digest()
        rows.append((position, stream, version, topic, state, digest))
    return rows, Head(position, digest)


def head_of(rows: Sequence[tuple[int, bytes]]) -> Head:
    """The head that one row tells of by its position and digest; without one, nothing stands there yet."""
    return Head(*rows[0]) if rows else START


def kept_of(batch: Iterable[SealedRow]) -> dict[int, bytes]:
    """The digests behind those events that were erased."""
    return {row[0]: row[5] for row in batch if mark_of((row[0], row[1], row[2], row[3], row[4]))}


class Chain:
    """A check of the log that can stop anywhere and go on later; `head` is how far it came."""

    def __init__(self, receipts: Receipts = no_receipts) -> None:
        self._receipts = receipts
        self.head = START
        self.marks: list[bytes] = []
        """The hash as it is to be at each position that is a multiple of MARK."""

    def check(self, rows: Iterable[SealedRow]) -> Iterator[str]:
        """A sentence for each place where the next rows are not what was appended: a gap, an edit, a wrong hash."""
        position, digest = self.head
        for at, stream, version, topic, state, stored in rows:
            if at != position + 1:
                yield f"Events {position + 1} to {at - 1} are missing."
            position = at
            if digest_behind(digest, (at, stream, version, topic, state, stored), self._receipts) is None:
                yield f"Event {position} is not as it was appended: its hash is wrong."
            digest = stored
            if not position % MARK:
                self.marks.append(digest)
            self.head = Head(position, digest)


def mistakes(
    rows: Iterable[StoredRow], before: Head, after: int = 0, receipts: Receipts = no_receipts
) -> Iterator[str]:
    """A sentence for each place where the rows are not what was appended: `Chain`, for very many, and the clock's.

    `before` is what stands in front of the rows. Of those up to `after` nothing is said: the first one behind them is
    compared with the last of them. Whoever looks at parts of the log finds what a look at all of it finds.
    """
    position, digest = before
    latest = 0
    sha256 = hashlib.sha256
    for at, stream, version, topic, state, stored in rows:
        if at != position + 1 and at > after:
            yield f"Events {position + 1} to {at - 1} are missing."
        position = at
        # What `digest_after` hashes. Should the version be no number, %a writes something, and the hash is wrong.
        right = sha256(b"%b%d\n%b\n%a\n%b\n%b" % (digest, at, stream, version, topic, state)).digest() == stored
        if not right:
            row = (at, stream.decode(errors="replace"), version, topic.decode(errors="replace"), state, stored)
            right = digest_behind(digest, row, receipts) is not None
        if not right and at > after:
            yield f"Event {position} is not as it was appended: its hash is wrong."
        # The time of an event that somebody changed says nothing of the one behind it.
        now = recorded_at(state) if right else None
        if now is not None and now < latest and at > after:
            yield f"Event {position} was recorded before the event in front of it."
        latest = now or 0
        digest = stored
