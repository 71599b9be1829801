"""What can be verified apart from all else: some positions of the ledger, or all that some names tell of.

A rolling hash is computed from the one that is stored in front of it, and each row tells of one aggregate. So no part
needs to know what another one found.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple, Protocol, TypeVar

from adapters.read_models_slices import BY_KEY, rows_of
from app.history.comparison import Comparison
from app.history.values import value_faults
from domain.conduct import fault_in
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
    """What some aggregates tell: how many events, what is wrong with them (with positions), and which rows differ.

    `by_key` are the rows that are to be among those that are read by keys, None if no rows can be made.
    """

    events: int
    faults: list[tuple[int, str]]
    found: Comparison
    by_key: dict[str, list[Columns]] | None


class Names(NamedTuple):
    """The aggregates from one name to another one, which is left out (None: to the end), and their rows.

    They are looked at up to a position of the ledger, which may be behind the one that the rows are at.
    """

    first: str
    last: str | None
    upto: int = POSITION_MAX

    def look(self, ledger: CopyableLedger, stored: Snapshot | None) -> Compared:
        """Hold each event to what may happen, fold them, and compare what comes of those that the rows have followed.

        Raises LedgerCorrupt when they tell of no sound rows, though nothing is wrong with them.
        """
        assert stored is not None, "rows are compared in a snapshot"
        histories = ledger.read_between(self.first, self.last, upto=self.upto)
        events = sum(map(len, histories.values()))
        faults = [fault for history in histories.values() if (fault := fault_in(history))]
        faults += value_faults(ledger, chain.from_iterable(histories.values()))
        found = Comparison()
        try:
            wanted = _rows_at(stored.head.position, histories)
        except (NotAllowed, LedgerCorrupt) as error:
            if not faults:
                raise LedgerCorrupt(str(error)) from error
            return Compared(events, faults, found, None)
        if not stored.is_our_shape:
            return Compared(events, faults, found, {})
        positions = {stream: history[-1].position for stream, history in histories.items()}
        for projection, rows in stored.between(self.first, self.last).items():
            found.compare_columns(projection, rows, wanted[projection], positions)
        return Compared(events, faults, found, {projection: wanted[projection] for projection in BY_KEY})


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


def names_between(marks: list[Mark], upto: int) -> Iterator[Names]:
    """All names, with what they have up to a position."""
    cuts = sorted({mark.stream for mark in marks})
    for first, last in zip(("", *cuts), (*cuts, None), strict=True):
        yield Names(first, last, upto)


def _rows_at(position: int, histories: Histories) -> dict[str, list[Columns]]:
    """The rows that the events up to a position make. `histories` is cut there; what goes on is folded as a whole too.

    Raises NotAllowed and LedgerCorrupt as the fold does.
    """
    further = {stream: history for stream, history in histories.items() if history[-1].position > position}
    if further:
        fold(further, Loaded())
    for stream, history in further.items():
        histories[stream] = [recorded for recorded in history if recorded.position <= position]
        if not histories[stream]:
            del histories[stream]
    return rows_of(fold(histories, Loaded()))
