"""A rebuild of the read models: the whole ledger folded again, while an engine may go on following it."""

from domain.errors import LedgerCorrupt
from domain.events import Recorded
from domain.ports import Head, Ledger
from projections.ports import ReadModels, Rebuild

CHUNK = 50_000
"""Events that are held in memory at a time."""
TAIL_MAX = 2_000
"""So few events may be missing when the tables are swapped: those who follow the ledger wait for them."""


def rebuild(ledger: Ledger, read_models: ReadModels, *, verifies: bool = False) -> Head:
    """Make all rows anew from the ledger; returns where in it they are now.

    If it `verifies`, of events that are as they were appended alone. Raises LedgerCorrupt or OutOfStep when the ledger
    does not tell of sound rows; those that are read stay then.
    """
    fresh = read_models.start_rebuild()
    follow(ledger, fresh, ledger.head().position, verifies=verifies)
    fresh.index()
    while (head := ledger.head().position) - fresh.head.position > TAIL_MAX:
        follow(ledger, fresh, head, verifies=verifies)
    fresh.swap(lambda position: _tail(ledger, position, verifies=verifies))
    return fresh.head


def follow(ledger: Ledger, fresh: Rebuild, upto: int, *, verifies: bool = False) -> None:
    """Fold the ledger into the new tables up to a position, or to its end if that comes before."""
    while records := _read(ledger, fresh.head.position, min(upto, fresh.head.position + CHUNK), verifies=verifies):
        position = records[-1].position
        digest = ledger.digest_at(position)
        if digest is None:
            raise LedgerCorrupt(f"Event {position} was read and is gone.")
        fresh.apply(records, Head(position, digest))


def _read(ledger: Ledger, after: int, upto: int, *, verifies: bool) -> list[Recorded]:
    # First, as what somebody changed may be unreadable.
    if verifies and (fault := next(iter(ledger.verify(after, upto)), None)):
        raise LedgerCorrupt(
            f"{fault} No rows are made of a ledger that is damaged: those that there are stay. Restore the ledger from"
            " a backup."
        )
    return ledger.read_after(after, limit=upto - after, upto=upto)


def _tail(ledger: Ledger, position: int, *, verifies: bool) -> tuple[list[Recorded], Head]:
    head = ledger.head()
    return _read(ledger, position, head.position, verifies=verifies), head
