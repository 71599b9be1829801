"""Does everything hold? The ledger against its own hashes, and every row of the read models against the ledger."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import chain

from msgspec import Struct

from adapters.read_models_slices import BY_KEY, stream_of
from app.history.comparison import Comparison, Difference
from app.history.hands import Hands
from app.history.parts import Names, marks_in, names_between, positions_between
from domain.errors import LedgerCorrupt, LedgerError, Unavailable
from domain.ports import CopyableLedger
from projections.ports import Columns, ReadModels, Snapshot


class Report(Struct, frozen=True):
    """What was found. The ledger was looked at up to `head`, the rows were compared as they were at `position`."""

    head: int
    position: int
    ledger_faults: tuple[str, ...]
    digest_matches: bool
    """Whether the event that was followed last is the one in the ledger."""
    shape_matches: bool
    """Whether the rows are of the shape that this program writes; if not, none was compared."""
    rows: dict[str, int]
    """How many rows the ledger makes, by projection; none, if it is so damaged that none can be made of it."""
    differences: tuple[Difference, ...]
    differences_total: int

    @property
    def holds(self) -> bool:
        """Whether everything is as it should be."""
        return not self.ledger_faults and self.digest_matches and self.shape_matches and not self.differences_total


def verify(ledger: CopyableLedger, read_models: ReadModels, hands: Hands | None = None) -> Report:
    """Check the ledger, fold it anew, and compare each row with what comes of it. Nothing is changed.

    It goes part by part, each of which is in memory as a whole; `hands` share them. Raises Unavailable, and
    LedgerCorrupt when no rows can be made of a ledger in which nothing is wrong.
    """
    hands = hands or Hands()
    marks = marks_in(ledger)
    faults = list(chain.from_iterable(hands.share(positions_between(marks), ledger, None)))
    told = _Told()
    with hands.snapshot(read_models) as stored:
        at, head = stored.head, ledger.head()
        digest_matches = ledger.digest_at(at.position) == at.digest
        try:
            _look(ledger, stored, list(names_between(marks, head.position)), hands, told)
            if not faults and not told.faults and told.events != head.position:
                raise LedgerCorrupt(f"{told.events} of {head.position} events are found by the names of their streams.")
        except (LedgerError, Unavailable):
            # Such a log cannot be read, or tells of no rows; where it is damaged says more than where that showed.
            if not faults and not told.faults:
                raise
            told.is_sound = False
    found = told.found if told.is_sound else Comparison()
    return Report(
        head=head.position,
        position=at.position,
        ledger_faults=(*faults, *(sentence for _, sentence in sorted(told.faults))),
        digest_matches=digest_matches,
        shape_matches=stored.is_our_shape,
        rows=found.rows,
        differences=tuple(found.shown),
        differences_total=found.total,
    )


class _Told:
    """What all aggregates together tell: as `Compared`, and whether rows can be made of each."""

    def __init__(self) -> None:
        self.events = 0
        self.faults: list[tuple[int, str]] = []
        self.found = Comparison()
        self.is_sound = True


def _look(ledger: CopyableLedger, stored: Snapshot, parts: list[Names], hands: Hands, told: _Told) -> None:
    """At all events by their names, and at all rows."""
    with _pages_of(stored) as by_key:
        for part, compared in zip(parts, hands.share(parts, ledger, stored), strict=True):
            told.events += compared.events
            told.faults += compared.faults
            told.is_sound &= compared.by_key is not None
            told.found.add(compared.found)
            for projection, pages in by_key.items():
                rows = pages.until(part.last)
                wanted = rows if compared.by_key is None else compared.by_key[projection]
                positions: dict[str, int] = {}
                if rows != wanted:
                    streams = {stream_of(projection, row) for row in set(rows) ^ set(wanted)}
                    histories = ledger.read_streams(streams, upto=stored.head.position)
                    positions = {stream: history[-1].position for stream, history in histories.items()}
                told.found.compare_columns(projection, rows, wanted, positions)


@contextmanager
def _pages_of(stored: Snapshot) -> Generator[dict[str, "_Pages"]]:
    """The rows that are read by keys. They are let go of while the database is open, however this ends."""
    keyed = BY_KEY if stored.is_our_shape else ()
    with ExitStack() as reading:
        yield {
            projection: _Pages(projection, reading.enter_context(closing(stored.by_stream(projection))))
            for projection in keyed
        }


class _Pages:
    """Rows in the order of their streams, part by part."""

    def __init__(self, projection: str, rows: Iterator[Columns]) -> None:
        self._projection = projection
        self._rows = rows
        self._left: Columns | None = None

    def until(self, last: str | None) -> list[Columns]:
        """The next rows, of streams in front of this name (None: all)."""
        found: list[Columns] = []
        row = self._left or next(self._rows, None)
        while row and (last is None or stream_of(self._projection, row) < last):
            found.append(row)
            row = next(self._rows, None)
        self._left = row
        return found
