"""A rebuild of the read models: the whole ledger folded again, while an engine may go on following it."""

from domain.errors import LedgerCorrupt
from domain.events import Recorded
from domain.ports import Head, Ledger
from projections.ports import ReadModels, Rebuild

CHUNK = 50_000
"""Events that are held in memory at a time."""
TAIL_MAX = 2_000
"""So few events may be missing when the tables are swapped: those who follow the ledger wait for them."""


def rebuild(ledger: Ledger, read_models: ReadModels) -> Head:
    """Make all rows anew from the ledger; returns where in it they are now.

    Raises LedgerCorrupt or OutOfStep when the ledger does not tell of sound rows; those that are read stay then.
    """
    fresh = read_models.start_rebuild()
    follow(ledger, fresh, ledger.head().position)
    fresh.index()
    while (head := ledger.head().position) - fresh.head.position > TAIL_MAX:
        follow(ledger, fresh, head)
    fresh.swap(lambda position: _tail(ledger, position))
    return fresh.head


def follow(ledger: Ledger, fresh: Rebuild, upto: int) -> None:
    """Fold the ledger into the new tables up to a position, or to its end if that comes before."""
    while records := ledger.read_after(fresh.head.position, limit=CHUNK, upto=upto):
        position = records[-1].position
        digest = ledger.digest_at(position)
        if digest is None:
            raise LedgerCorrupt(f"Event {position} was read and is gone.")
        fresh.apply(records, Head(position, digest))


def _tail(ledger: Ledger, position: int) -> tuple[list[Recorded], Head]:
    head = ledger.head()
    return ledger.read_after(position, limit=head.position - position, upto=head.position), head
