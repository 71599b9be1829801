"""The rolling hash of the log: each event seals all that stand before it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from adapters.codec import NewRow, Row
from domain.ports import START, Head

MARK = 1_000
SealedRow: TypeAlias = tuple[int, str, int, str, bytes, bytes]
"""A row as stored, and the rolling hash of the log behind it."""


def digest_after(digest: bytes, row: Row) -> bytes:
    """The rolling hash of the log behind this event: SHA-256 over the hash before it and the row as stored.

    The bytes hashed: the digest before (32), then position, stream, version and topic in UTF-8, each followed by one
    newline, then the state.
    """
    position, stream, version, topic, state = row
    head = f"{position}\n{stream}\n{version}\n{topic}\n".encode()
    return hashlib.sha256(digest + head + state).digest()


def seal(batch: Sequence[NewRow], after: Head) -> tuple[list[SealedRow], Head]:
    """The rows of a batch that is to stand right behind `after`, and the head that it leaves."""
    position, digest = after
    rows: list[SealedRow] = []
    for stream, version, topic, state in batch:
        position += 1
        row = (position, stream, version, topic, state)
        digest = digest_after(digest, row)
        rows.append((*row, digest))
    return rows, Head(position, digest)


class Chain:
    """A check of the log that can stop anywhere and go on later; `head` is how far it came."""

    def __init__(self) -> None:
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
            digest = digest_after(digest, (at, stream, version, topic, state))
            if digest != stored:
                yield f"Event {position} is not as it was appended: its hash is wrong."
                digest = stored
            if not position % MARK:
                self.marks.append(digest)
            self.head = Head(position, digest)


def mistakes(rows: Iterable[SealedRow]) -> Iterator[str]:
    """A sentence for each place where the whole log is not what was appended."""
    return Chain().check(rows)
