"""Does everything hold? The ledger against its own hashes, and every row of the read models against the ledger."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, json

from adapters.sqlite.read_models import SqliteReadModels
from app.engine.rebuild import follow
from domain.errors import LedgerCorrupt
from domain.ports import Ledger
from projections.ports import Entry, Key, ReadModels, Snapshot

SHOWN_MAX = 100
"""Of more differences than these only the number is told."""


class Difference(Struct, frozen=True):
    """A field of a stored row that is not what the ledger makes of it; without a field, one of the rows is missing.

    Both values are plain JSON.
    """

    projection: str
    key: Key
    field: str
    stored: object
    rebuilt: object
    position: int
    """The event after which the row last changed."""

    def __str__(self) -> str:
        key = ", ".join(map(str, self.key))
        what = f"{self.field} of {key}" if self.field else f"the row {key}"
        return (
            f"{self.projection}: {what} is stored as {self.stored!r}, "
            f"and the ledger makes it {self.rebuilt!r} (at event {self.position})."
        )


class Report(Struct, frozen=True):
    """What was found. The rows were compared as they were at `position`."""

    position: int
    ledger_faults: tuple[str, ...]
    digest_matches: bool
    """Whether the event that was followed last is the one in the ledger."""
    shape_matches: bool
    """Whether the rows are of the shape that this program writes; if not, none was compared."""
    rows: dict[str, int]
    """How many rows the ledger makes, by projection."""
    differences: tuple[Difference, ...]
    differences_total: int

    @property
    def holds(self) -> bool:
        """Whether everything is as it should be."""
        return not self.ledger_faults and self.digest_matches and self.shape_matches and not self.differences_total


class Comparison:
    """The rows counted and the differences found so far."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.shown: list[Difference] = []
        self.total = 0

    def compare(self, projection: str, stored: Iterator[Entry], rebuilt: Iterator[Entry]) -> None:
        self.rows[projection] = 0
        for ours, theirs in _pairs(stored, rebuilt):
            self.rows[projection] += theirs is not None
            if ours and theirs and ours.row == theirs.row:
                continue
            position = theirs.position if theirs else ours.position if ours else 0
            key = theirs.key if theirs else ours.key if ours else ()
            for field, was, should_be in _fields("", ours and ours.row, theirs and theirs.row):
                self.total += 1
                if len(self.shown) < SHOWN_MAX:
                    self.shown.append(Difference(projection, key, field, plain(was), plain(should_be), position))


def verify(ledger: Ledger, read_models: ReadModels) -> Report:
    """Check the ledger, fold it anew beside the read models, and compare both row by row. Nothing is changed."""
    found = Comparison()
    faults = tuple(ledger.verify())
    with read_models.snapshot() as stored:
        if stored.is_our_shape:
            try:
                _compare(ledger, stored, found)
            except LedgerCorrupt:
                # No rows come of such a log; where it is damaged says more than where that showed.
                if not faults:
                    raise
        head = stored.head
    return Report(
        position=head.position,
        ledger_faults=faults,
        digest_matches=ledger.digest_at(head.position) == head.digest,
        shape_matches=stored.is_our_shape,
        rows=found.rows,
        differences=tuple(found.shown),
        differences_total=found.total,
    )


def plain(value: object) -> object:
    """A part of a row as JSON gives it back."""
    text = json.encode(value)
    # The value that is absent is no JSON.
    return json.decode(text) if text else None


def _compare(ledger: Ledger, stored: Snapshot, found: Comparison) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = SqliteReadModels(Path(folder) / "rebuilt.db")
        try:
            fresh = scratch.start_rebuild()
            follow(ledger, fresh, stored.head.position)
            fresh.swap(lambda _: ((), fresh.head))
            with scratch.snapshot() as rebuilt:
                for name, entries in stored.projections.items():
                    found.compare(name, entries(), rebuilt.projections[name]())
        finally:
            scratch.close()


def _pairs(stored: Iterator[Entry], rebuilt: Iterator[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Rows of the same key side by side; both come in the order of their keys."""
    ours, theirs = next(stored, None), next(rebuilt, None)
    while ours or theirs:
        if ours and (theirs is None or ours.key < theirs.key):
            yield ours, None
            ours = next(stored, None)
        elif theirs and (ours is None or theirs.key < ours.key):
            yield None, theirs
            theirs = next(rebuilt, None)
        else:
            yield ours, theirs
            ours, theirs = next(stored, None), next(rebuilt, None)


def _fields(path: str, stored: object, rebuilt: object) -> Iterator[tuple[str, object, object]]:
    """The parts, named from the row down, in which the two differ."""
    if not isinstance(stored, Struct) or type(stored) is not type(rebuilt):
        if stored != rebuilt:
            yield path, stored, rebuilt
        return
    for name in stored.__struct_fields__:
        yield from _fields(f"{path}.{name}" if path else name, getattr(stored, name), getattr(rebuilt, name))
