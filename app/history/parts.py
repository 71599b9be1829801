"""What can be verified apart from all else: some positions of the ledger, or all that some names tell of.

A rolling hash is computed from the one that is stored in front of it, and each row tells of one aggregate. So no part
needs to know what another one found.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple, Protocol, TypeVar

from adapters.read_models_slices import BY_KEY, rows_of
from app.history.comparison import Comparison
from domain.conduct import Conduct
from domain.errors import LedgerCorrupt, NotAllowed
from domain.ports import POSITION_MAX, CopyableLedger
from projections.fold import Histories, Loaded, fold
from projections.ports import Columns, Snapshot

SIZE = 1_000
"""How many events a part has, about: all are in memory together."""
T_co = TypeVar("T_co", covariant=True)


class Part(Protocol[T_co]):
    """What a process can look at by itself."""

    def look(self, ledger: CopyableLedger, stored: Snapshot | None) -> T_co:
        """What came of it. Raises LedgerCorrupt, Unavailable."""
        ...


class Positions(NamedTuple):
    """The events behind one position up to another one."""

    after: int
    upto: int

    def look(self, ledger: CopyableLedger, stored: Snapshot | None) -> tuple[str, ...]:  # noqa: ARG002 (as all parts)
        """The sentences of the ledger's `verify` about them."""
        return tuple(ledger.verify(self.after, self.upto))


class Compared(NamedTuple):
    """How many events were folded, what differs, and the rows that are to be among those that are read by keys."""

    events: int
    found: Comparison
    by_key: dict[str, list[Columns]]


class Names(NamedTuple):
    """The aggregates from one name to another one, which is left out (None: to the end), and their rows."""

    first: str
    last: str | None

    def look(self, ledger: CopyableLedger, stored: Snapshot | None) -> Compared:
        """Fold the events of each, from its first one on, and compare what comes of them.

        Raises LedgerCorrupt when they tell of no sound rows, or of what the table of transitions does not allow.
        """
        assert stored is not None, "rows are compared in a snapshot"
        histories = ledger.read_between(self.first, self.last, upto=stored.head.position)
        positions = {stream: history[-1].position for stream, history in histories.items()}
        try:
            wanted = rows_of(fold(histories, Loaded()))
        except NotAllowed as error:
            raise LedgerCorrupt(_fault_in(histories) or str(error)) from error
        found = Comparison()
        for projection, rows in stored.between(self.first, self.last).items():
            found.compare_columns(projection, rows, wanted[projection], positions)
        events = sum(map(len, histories.values()))
        return Compared(events, found, {projection: wanted[projection] for projection in BY_KEY})


class Mark(NamedTuple):
    """One event of many, by which the ledger is cut."""

    position: int
    stream: str


def marks_in(ledger: CopyableLedger) -> list[Mark]:
    """An event about every SIZE events; a gap, however wide, has none."""
    marks: list[Mark] = []
    position = SIZE
    while events := ledger.sealed_after(position, limit=1):
        marks.append(Mark(events[0].position, events[0].stream))
        position = min(events[0].position + SIZE, POSITION_MAX)
    return marks


def positions_between(marks: list[Mark]) -> Iterator[Positions]:
    """All events, also those that come meanwhile."""
    ends = [mark.position - 1 for mark in marks]
    yield from map(Positions, (0, *ends), (*ends, POSITION_MAX))


def names_between(marks: list[Mark]) -> Iterator[Names]:
    """All names."""
    cuts = sorted({mark.stream for mark in marks})
    yield from map(Names, ("", *cuts), (*cuts, None))


def _fault_in(histories: Histories) -> str | None:
    """The first event that the table of transitions does not allow."""
    records = sorted(chain.from_iterable(histories.values()), key=lambda recorded: recorded.position)
    return next(filter(None, map(Conduct().fault, records)), None)
