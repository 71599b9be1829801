"""A real engine in a process of its own that kills itself at a named boundary of what it writes.

The product has no hooks for this: its adapters are wrapped where `app.engine.backends` picks them.
"""

import gc
import os
import sqlite3
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from adapters.http.trust import world
from adapters.postgres.ledger import PostgresLedger
from adapters.sqlite import ledger as ledger_module
from adapters.sqlite import read_models as read_models_module
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from adapters.sqlite.read_models_rebuild import SqliteRebuild, Tail
from adapters.sqlite.read_models_store import Store
from adapters.sqlite.recorder import Datastore
from app.cli import serving
from app.engine import backends
from domain.events import (
    AttemptResumed,
    AttemptSucceeded,
    ChildrenTriggered,
    Event,
    EventDelivered,
    Recorded,
    RunBlocked,
    RunDequeued,
    RunFrozen,
    RunResumed,
    StepSucceeded,
    StepTryFailed,
    WaitCompleted,
    WaitStarted,
    WriterStarted,
)
from domain.ports import Head
from tests.crash.death import Death

MOMENTS = ("before", "inserted", "committing", "committed")
"""Before the transaction, in it when all is inserted, during COMMIT, behind it before anybody knows."""
NAMES: dict[type[Event], str] = {
    RunDequeued: "handouts",
    AttemptSucceeded: "results",
    StepSucceeded: "steps",
    StepTryFailed: "tries",
    ChildrenTriggered: "children",
    WaitStarted: "waits",
    WaitCompleted: "wakes",
    RunBlocked: "blocks",
    RunResumed: "resumes",
    RunFrozen: "freezes",
    AttemptResumed: "returns",
    EventDelivered: "deliveries",
}
"""What an append is called in which there is such an event."""
FULL = "full"
"""While a file of this name is beside the ledger, no database there may grow."""
PAGES_MAX = 2**32 - 2

death = Death()
# Read before the fork.
world()


class _Writes:
    """What the transaction under way writes. Each database has one thread that writes while the engine runs."""

    def __init__(self) -> None:
        self._what: tuple[str, ...] = ()

    @contextmanager
    def of(self, *what: str) -> Generator[None]:
        """Name what is written in here."""
        self._what = what
        death.reached(*self._at("before"))
        try:
            yield
        finally:
            self._what = ()

    @contextmanager
    def during(self, cursor: sqlite3.Cursor) -> Generator[None]:
        """Around the statements of the transaction."""
        # Often, so that kills also meet the copying of the write-ahead log into the file.
        cursor.execute("pragma wal_autocheckpoint = 20")
        _limit(cursor)
        yield
        death.reached(*self._at("inserted"))
        death.entered(*self._at("committing"))

    def committed(self) -> None:
        """The transaction is behind us."""
        death.reached(*self._at("committed"))

    def _at(self, moment: str) -> list[str]:
        return [f"{what}.{moment}" for what in self._what]


_ledger_writes, _view_writes = _Writes(), _Writes()


class _Datastore(Datastore):
    @contextmanager
    def writing(self) -> Generator[sqlite3.Cursor]:
        with super().writing() as cursor, _ledger_writes.during(cursor):
            yield cursor
        _ledger_writes.committed()


class _Ledger(SqliteLedger):
    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        with _ledger_writes.of(*_names_of(batch, blobs)):
            return super().append(batch, blobs, after=after)


class _PostgresLedger(PostgresLedger):
    """Its transaction is one statement, so there are but two moments."""

    def append(self, batch: Sequence[Recorded], blobs: Mapping[str, bytes], *, after: Head) -> Head:
        with _ledger_writes.of(*_names_of(batch, blobs)):
            head = super().append(batch, blobs, after=after)
            _ledger_writes.committed()
            return head


class _Store(Store):
    @contextmanager
    def writing(self) -> Generator[sqlite3.Cursor]:
        with super().writing() as cursor, _view_writes.during(cursor):
            yield cursor
        _view_writes.committed()


class _ReadModels(SqliteReadModels):
    def apply(self, records: Sequence[Recorded], head: Head) -> Head:
        with _view_writes.of("views"):
            return super().apply(records, head)


class _Rebuild(SqliteRebuild):
    def apply(self, records: Sequence[Recorded], head: Head) -> None:
        with _view_writes.of("rebuild"):
            super().apply(records, head)

    def swap(self, read_tail: Callable[[int], Tail]) -> None:
        with _view_writes.of("swap"):
            super().swap(read_tail)


def _names_of(batch: Sequence[Recorded], blobs: Mapping[str, bytes]) -> list[str]:
    """An append is a claim of the head or not; those that are not have further names for what is among them."""
    events = {type(recorded.event) for recorded in batch}
    if WriterStarted in events:
        return ["claim"]
    among = ["blobs"] if blobs else []
    return ["append", *among, *(NAMES[event] for event in events if event in NAMES)]


def _limit(cursor: sqlite3.Cursor) -> None:
    """Let the database grow no further while the disk is to be full."""
    file = Path(cursor.execute("pragma database_list").fetchone()[2])
    pages = cursor.execute("pragma page_count").fetchone()[0] if (file.parent / FULL).exists() else PAGES_MAX
    cursor.execute(f"pragma max_page_count = {pages}")


def run(environment: Mapping[str, str], log: Path, place: str, count: int) -> None:
    """The whole life of the process."""
    # What was imported before the fork is shared for as long as no collection of garbage writes to it.
    gc.freeze()
    global death  # noqa: PLW0603 (a process dies once)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.environ.update(environment)
    death = Death(place, count)
    replaced: list[tuple[Any, str, type]] = [
        (ledger_module, "Datastore", _Datastore),
        (backends, "SqliteLedger", _Ledger),
        (backends, "PostgresLedger", _PostgresLedger),
        (read_models_module, "Store", _Store),
        (read_models_module, "SqliteRebuild", _Rebuild),
        (backends, "SqliteReadModels", _ReadModels),
    ]
    with ExitStack() as stack:
        for module, name, ours in replaced:
            stack.enter_context(patch.object(module, name, ours))
        serving.serve()
