"""Stored rows beside those that the ledger makes: what differs, field by field."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, json

from adapters.read_models_slices import entry_of
from projections.ports import Columns, Entry, Key

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


class Comparison:
    """The rows counted and the differences found so far."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.shown: list[Difference] = []
        self.total = 0

    def compare(self, projection: str, stored: Iterable[Entry], rebuilt: Iterable[Entry]) -> None:
        """Look at all rows of the same keys; both come in any order."""
        self.rows.setdefault(projection, 0)
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

    def compare_columns(
        self, projection: str, stored: list[Columns], rebuilt: list[Columns], positions: Mapping[str, int]
    ) -> None:
        """As `compare` does. Equal columns, as nearly all are, are equal rows; only others are looked into."""
        if stored == rebuilt:
            self.rows[projection] = self.rows.get(projection, 0) + len(rebuilt)
            return
        ours, theirs = ([entry_of(projection, row, positions) for row in rows] for rows in (stored, rebuilt))
        self.compare(projection, ours, theirs)

    def add(self, other: "Comparison") -> None:
        """What was found elsewhere."""
        for projection, rows in other.rows.items():
            self.rows[projection] = self.rows.get(projection, 0) + rows
        self.shown = [*self.shown, *other.shown][:SHOWN_MAX]
        self.total += other.total


def plain(value: object) -> object:
    """A part of a row as JSON gives it back."""
    text = json.encode(value)
    # The value that is absent is no JSON.
    return json.decode(text) if text else None


def _pairs(stored: Iterable[Entry], rebuilt: Iterable[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Rows of the same key side by side, in the order of keys."""
    left, right = (iter(sorted(entries, key=lambda entry: entry.key)) for entries in (stored, rebuilt))
    ours, theirs = next(left, None), next(right, None)
    while ours or theirs:
        if ours and (theirs is None or ours.key < theirs.key):
            yield ours, None
            ours = next(left, None)
        elif theirs and (ours is None or theirs.key < ours.key):
            yield None, theirs
            theirs = next(right, None)
        else:
            yield ours, theirs
            ours, theirs = next(left, None), next(right, None)


def _fields(path: str, stored: object, rebuilt: object) -> Iterator[tuple[str, object, object]]:
    """The parts, named from the row down, in which the two differ."""
    if not isinstance(stored, Struct) or type(stored) is not type(rebuilt):
        if stored != rebuilt:
            yield path, stored, rebuilt
        return
    for name in stored.__struct_fields__:
        yield from _fields(f"{path}.{name}" if path else name, getattr(stored, name), getattr(rebuilt, name))
