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
POSITION_MAX = 2**63 - 1
"""No event is behind it."""


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

    def read_streams(self, streams: Collection[str], *, upto: int | None = None) -> dict[str, list[Recorded]]:
        """The history of each of these aggregates, up to a position if one is named; those without one are left out."""
        ...

    def read_beginnings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The first event of each of these aggregates; those that have none are left out."""
        ...

    def read_endings(self, streams: Collection[str]) -> dict[str, Recorded]:
        """The last event of each of these aggregates; those that have none are left out."""
        ...

    def streams_of(self, kind: str) -> list[str]:
        """The names of all aggregates of a kind, in order; it takes as long as there are many."""
        ...

    def read_kind(self, kind: str) -> dict[str, list[Recorded]]:
        """The whole history of every aggregate of a kind of which there are few."""
        ...

    def blob(self, key: str) -> bytes | None:
        """A large value, None if there is none (any more)."""
        ...

    def verify(self, after: int = 0, upto: int = POSITION_MAX) -> Iterator[str]:
        """A sentence for each place where the log is not what was appended: a gap, an edit, a wrong hash, the clock.

        Parts of it, each from the position where the one before ends, give the sentences that the whole gives.
        """
        ...

    def close(self) -> None:
        """Let go of the database, and of the right to write."""
        ...


class Sealed(NamedTuple):
    """An event as it is stored: its `state` is JSON, and the digest is the rolling hash of the log up to it."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    digest: bytes


class CopyableLedger(Ledger, Protocol):
    """A ledger whose events can be taken out, and put into another one, byte for byte."""

    def sealed_after(self, position: int, *, limit: int) -> list[Sealed]:
        """The committed events behind a position, in order, as they are stored: whoever wants them whole verifies."""
        ...

    def read_between(self, first: str, last: str | None, *, upto: int) -> dict[str, list[Recorded]]:
        """The histories of all aggregates from a name on, in the order of names, up to a position.

        `last` is the first name that is left out, None if there is none.
        """
        ...

    def restore(self, batch: Sequence[Sealed], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        """Commit the whole batch, as it was stored elsewhere, right behind `after`, or nothing at all.

        The digest of each event is computed anew, but where it was erased. Raises as `append` does.
        """
        ...

    def sealed_at(self, positions: Collection[int]) -> list[Sealed]:
        """The events at these positions, in order, as they are stored; those that are not there are left out."""
        ...

    def erase(self, states: Mapping[int, bytes], blobs: Collection[str]) -> None:
        """Put other states in the place of those at these positions, and remove these large values.

        The digests stay. Safe to repeat. Raises LedgerUnavailable.
        """
        ...

    def scrub(self, *, is_whole: bool = False) -> None:
        """Let nothing of what was erased stay behind in the files, as far as that is in our hands.

        If `is_whole`, they are written anew, however large they are, and all others wait for that.
        Raises LedgerUnavailable, also when somebody who reads stands in the way: then again later.
        """
        ...


class Lease(Protocol):
    """The right to write, which one node has at a time, and only until it ends. Calls block, and raise Unavailable.

    It is for liveness alone: what keeps two writers apart is the ledger itself.
    """

    @property
    def lease_ms(self) -> int:
        """How long it lasts after it was taken."""
        ...

    @property
    def address(self) -> str:
        """Where others are told that whoever takes it here is found."""
        ...

    def take(self) -> bool:
        """Take it if it is free, renew it if it is ours. Whoever takes it ends what the former writer still sends."""
        ...

    def release(self) -> None:
        """Let another node have it at once."""
        ...

    def holder(self) -> str | None:
        """The address of the node that holds it now, None if nobody does."""
        ...

    def wait(self, seconds: float) -> None:
        """Until it is released, at most so long."""
        ...

    def close(self) -> None:
        """Let go of the database; the lease is not released by that."""
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
