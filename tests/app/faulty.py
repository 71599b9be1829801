"""A real ledger that fails when it is told to."""

import threading
from collections.abc import Collection, Mapping, Sequence
from uuid import uuid4

from adapters.sqlite.ledger import MEMORY, SqliteLedger
from domain.errors import LedgerCorrupt, LedgerUnavailable
from domain.events import Recorded
from domain.ports import Head

DISK_FULL = "The ledger did not take a batch: database or disk is full."


class FaultyLedger(SqliteLedger):
    """In memory. All faults are off at first."""

    def __init__(self) -> None:
        super().__init__(MEMORY, name=uuid4().hex)
        self.is_down = False
        """Nothing can be read for a decision, and nothing written."""
        self.fails = 0
        """So many of the next appends fail, and nothing is written."""
        self.loses_answers = 0
        """So many of the next appends are written, and it is not known that they were."""
        self.lost: set[str] = set()
        """Values that are no longer there, by the run that they belong to."""
        self.unreadable: set[str] = set()
        """Streams of which what is stored is not what was appended."""
        self.may_append = threading.Event()
        """An append waits for it."""
        self.may_append.set()
        self.appending = threading.Event()
        """An append has begun."""

    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        self.appending.set()
        assert self.may_append.wait(30), "a test that holds appends back lets them go"
        if self.is_down or self.fails:
            self.fails = max(0, self.fails - 1)
            raise LedgerUnavailable(DISK_FULL)
        head = super().append(batch, blobs, after=after)
        if self.loses_answers:
            self.loses_answers -= 1
            raise LedgerUnavailable("The connection broke while the batch was committed.")
        return head

    def blob(self, key: str) -> bytes | None:
        return None if key.partition("/")[0] in self.lost else super().blob(key)

    def read_streams(self, streams: Collection[str], *, upto: int | None = None) -> dict[str, list[Recorded]]:
        if self.is_down:
            raise LedgerUnavailable("The ledger cannot be read: disk I/O error.")
        if damaged := self.unreadable.intersection(streams):
            raise LedgerCorrupt(f"An event of {min(damaged)} cannot be read.")
        return super().read_streams(streams, upto=upto)
