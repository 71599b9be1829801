"""What the engine needs of the world. Each port has several backends and one conformance suite."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from domain.engine import Now
from domain.events import Recorded


class Head(NamedTuple):
    """The position of the last event and the rolling hash of the log up to it (SHA-256; empty logs: 32 zero bytes)."""

    position: int
    digest: bytes


START = Head(0, bytes(32))


class Ledger(Protocol):
    """The log of all events, and the large values beside it. Calls block; they may come from several threads.

    A digest is SHA-256 over the digest before it and the event as stored, so each one seals the whole log.
    """

    def head(self) -> Head:
        """The last event that is committed."""
        ...

    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        """Commit the whole batch right behind `after`, or nothing at all.

        Raises Deposed when another writer, or a lost tail, stands where `after` should be,
        LedgerUnavailable when it is not known whether the batch landed.
        """
        ...

    def digest_at(self, position: int) -> bytes | None:
        """The rolling hash up to a position, None past the head."""
        ...

    def read_after(self, position: int, *, limit: int, upto: int | None = None) -> list[Recorded]:
        """The committed events behind a position, in order, without gaps."""
        ...

    def read_streams(self, streams: Collection[str]) -> dict[str, list[Recorded]]:
        """The whole history of each of these aggregates; those that have none are left out."""
        ...

    def blob(self, key: str) -> bytes | None:
        """A large value, None if there is none (any more)."""
        ...

    def verify(self) -> Iterator[str]:
        """A sentence for each place where the log is not what was appended: a gap, an edit, a wrong hash."""
        ...

    def close(self) -> None:
        """Let go of the database, and of the right to write."""
        ...


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> Now:
        """Both clocks, in milliseconds."""
        ...


class Ids(Protocol):
    """Where new ids come from: the kind, an underscore, and 32 hex digits of a uuid7, which sort by time."""

    def new(self, kind: str, wall: int) -> str:
        """A new id of a time in milliseconds; ids of one process never go backwards."""
        ...
