"""Ledgers of every backend to copy between, and a history with everything that a copy has to keep."""

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from io import BytesIO
from pathlib import Path
from uuid import uuid4

from msgspec import Raw, structs

from adapters.hashes import SealedRow
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.sqlite.ledger import MEMORY, SqliteLedger
from adapters.tombstones import Receipts, seal_of, tombstone_of
from app.transfer.copying import header_of, restore, write_export
from app.transfer.lines import Totals
from app.transfer.reading import Reader
from domain import events as e
from domain.events import BlobRef, Recorded, RunEvent
from domain.ports import START, CopyableLedger, Head, Sealed
from tests.adapters.ledgers import recorded
from tests.postgres import database_url, schema_of_its_own

LARGE = bytes(range(256)) * 200
TRIGGERED = e.RunTriggered("greet", "task/greet")
WITH_VALUE = structs.replace(
    TRIGGERED, payload_blob=BlobRef("run_2/payload", hashlib.sha256(LARGE).hexdigest(), len(LARGE))
)
EVENTS = [
    recorded(1, "run_1", 1, structs.replace(TRIGGERED, payload=Raw(b'{\r\n  "name": "Ada \\u2028\xc3\xa9"\n}'))),
    recorded(2, "run_2", 1, WITH_VALUE),
    recorded(3, "run_1", 2, e.RunDelayed(until=5_000)),
    recorded(4, "run_1", 3, e.RunCanceled('"state":{"x"}\n')),
]
BLOBS = {"run_2/payload": LARGE}
EDIT = e.Edit(0, result_blob=BlobRef("run_3/step/0", hashlib.sha256(LARGE).hexdigest(), len(LARGE)))
FORKED = recorded(5, "run_3", 1, structs.replace(TRIGGERED, prefix=e.Prefix("run_1", 3, 1, (EDIT,))))
"""A replay that took over a step, with another result, a large one."""
SHARED = BlobRef("event_1/payload", hashlib.sha256(LARGE).hexdigest(), len(LARGE))
STARTED = structs.replace(TRIGGERED, payload_blob=SHARED, event=e.EventRef("1", "made", 1, "api"))
DELIVERED = [
    structs.replace(
        recorded(1, "event_1", 1, TRIGGERED), event=e.EventSent("1", "made", 1, "api", payload_blob=SHARED)
    ),
    recorded(2, "run_1", 1, STARTED),
    recorded(3, "run_2", 1, STARTED),
    structs.replace(recorded(4, "event_1", 2, TRIGGERED), event=e.EventDelivered(("run_1", "run_2"))),
]
"""An event whose payload its runs share."""
ERASED = e.RunErased("erasure_1", with_names=True)


@contextmanager
def _in_memory(_folder: Path) -> Generator[CopyableLedger]:
    with closing(SqliteLedger(MEMORY, name=uuid4().hex)) as ledger:
        yield ledger


@contextmanager
def _in_file(folder: Path) -> Generator[CopyableLedger]:
    with closing(SqliteLedger(folder / f"{uuid4().hex}.db")) as ledger:
        yield ledger


@contextmanager
def _in_postgres(_folder: Path) -> Generator[CopyableLedger]:
    with schema_of_its_own() as schema:
        migrate(database_url(), schema)
        with closing(PostgresLedger(database_url(), schema)) as ledger:
            yield ledger


LEDGERS: dict[str, Callable[[Path], AbstractContextManager[CopyableLedger]]] = {
    "sqlite-memory": _in_memory,
    "sqlite-file": _in_file,
    "postgres": _in_postgres,
}


def fill(ledger: CopyableLedger, events: Sequence[Recorded], blobs: Mapping[str, bytes]) -> Head:
    """A ledger with this history."""
    return ledger.append(events, blobs, after=START)


def erase(ledger: CopyableLedger, key: str) -> None:
    """Remove a large value; the log stays as it is."""
    if isinstance(ledger, PostgresLedger):
        with ledger._database.writing() as cursor:  # pyright: ignore[reportPrivateUsage]
            cursor.execute("delete from blobs where key = %s", (key,))
        return
    assert isinstance(ledger, SqliteLedger)
    with ledger._store.writing() as cursor:  # pyright: ignore[reportPrivateUsage]
        cursor.execute("delete from blobs where key = ?", (key,))


def exchange(ledger: CopyableLedger, key: str, value: bytes | str) -> None:
    """Put another large value in the place of one; the log stays as it is. A text is for SQLite alone."""
    if isinstance(ledger, PostgresLedger):
        with ledger._database.writing() as cursor:  # pyright: ignore[reportPrivateUsage]
            cursor.execute("update blobs set value = %s where key = %s", (value, key))
        return
    assert isinstance(ledger, SqliteLedger)
    with ledger._store.writing() as cursor:  # pyright: ignore[reportPrivateUsage]
        cursor.execute("update blobs set value = ? where key = ?", (value, key))


def erase_run(ledger: CopyableLedger, run: str, receipt: str = "erasure_1", left: RunEvent = ERASED) -> Head:
    """Erase a run as the engine does it: the receipt first, and `left` in front of it. Returns the head with that."""
    head = ledger.head()
    rows = [row for row in ledger.sealed_after(0, limit=head.position) if row.stream == run]
    states: dict[int, bytes] = {}
    seals: dict[int, str] = {}
    for row in rows:
        state = tombstone_of(row[:5], receipt, with_names=True)
        before = ledger.digest_at(row.position - 1)
        assert before is not None
        if state is not None:
            states[row.position] = state
            seals[row.position] = seal_of(before, row.digest, (*row[:4], state))
    recorded_ = recorded(head.position + 2, receipt, 1, TRIGGERED)
    batch = [
        recorded(head.position + 1, run, rows[-1].version + 1, left),
        structs.replace(recorded_, event=e.ErasureRecorded((run,), seals, with_names=True)),
    ]
    head = ledger.append(batch, {}, after=head)
    ledger.erase(states, [])
    return head


def believed(_digest: bytes, event: SealedRow, _receipts: Receipts) -> bytes:
    """In the place of `digest_behind`: takes every event for right."""
    return event[5]


def exported(ledger: CopyableLedger, after: int = 0) -> bytes:
    """The text of an export."""
    file = BytesIO()
    write_export(header_of(ledger, after), ledger, file, lambda _: None)
    return file.getvalue()


def imported(export: bytes, ledger: CopyableLedger) -> Totals:
    """Restore an export; returns what was in it."""
    reader = Reader(BytesIO(export))
    head = restore(reader, ledger, lambda _: None)
    assert head == ledger.head() == reader.header.head.head()
    return reader.totals


def whole(ledger: CopyableLedger) -> list[Sealed]:
    """Every event as it is stored."""
    return ledger.sealed_after(0, limit=1_000_000)
