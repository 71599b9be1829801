"""Part of the rows of the read models against the ledger, as both are at one position, while others go on writing.

A look at everything has five parts: what the ledger begins has rows; rows, stream by stream, are what their events
make of them; what is tagged, in either list of tags, has these tags; and what is said to have lasted long did. Rows may
change between two slices, as each slice compares what one transaction sees with the events up to the position that is
tracked in the same transaction.
"""

from collections.abc import Collection
from typing import NamedTuple

from adapters.read_models_slices import BY_KEY, entry_of, rows_of
from adapters.read_models_tables import LEDGER
from app.history.comparison import Comparison, Difference
from domain.errors import OutOfStep
from domain.ports import CopyableLedger
from domain.states import kind_of
from projections.fold import KEPT_KINDS, Loaded, fold
from projections.lasting import LastingRow
from projections.ports import Entry, Key, ReadModels, Snapshot

TAGS = ("tags", "waitpoint tags")
_ROWS_OF = {"run": "runs", "waitpoint": "waitpoints"}
"""Of which projection every such stream has a row; all others have one in the checkpoint, if they have any."""


class Place(NamedTuple):
    """Where a look at everything goes on: how much of each part is behind it."""

    begun: int = 0
    """The position in the ledger up to which what began has its rows."""
    is_begun: bool = False
    stream: str | None = ""
    """The last stream whose rows were compared; None: there are no more."""
    keys: tuple[Key | None, ...] = (None,) * len(BY_KEY)
    keys_done: int = 0
    """Of how many projections that are read by keys all rows were compared."""


class Look(NamedTuple):
    """What came of one slice: where to go on (None: all was looked at), and what differs."""

    after: Place | None
    position: int
    """As of which event the rows were compared."""
    rows: int
    effort: int
    """Events and rows that were read."""
    differences: tuple[Difference, ...]
    differences_total: int


class _Slice:
    """What is read and found in one transaction."""

    def __init__(self, ledger: CopyableLedger, stored: Snapshot) -> None:
        self.ledger = ledger
        self.stored = stored
        self.found = Comparison()
        self.effort = 0

    def compare(self, streams: Collection[str]) -> None:
        """All rows of these streams, those that are read by keys too."""
        wanted = self._expected(streams)
        stored = self.stored.of_streams(streams)
        for name in BY_KEY:
            stored[name] = self.stored.rows_at(name, [entry.key for entry in wanted[name]])
        for name, entries in stored.items():
            self._compare(name, entries, wanted[name])

    def compare_by_key(self, name: str, entries: Collection[Entry]) -> None:
        """Whether all that is there is to be."""
        wanted = self._expected({_stream_of(entry) for entry in entries})
        keys = {entry.key for entry in entries}
        self._compare(name, entries, [entry for entry in wanted[name] if entry.key in keys])

    def _compare(self, name: str, stored: Collection[Entry], wanted: Collection[Entry]) -> None:
        self.effort += len(stored)
        self.found.compare(name, stored, wanted)

    def _expected(self, streams: Collection[str]) -> dict[str, list[Entry]]:
        histories = self.ledger.read_streams(streams, upto=self.stored.head.position)
        self.effort += sum(map(len, histories.values()))
        positions = {stream: history[-1].position for stream, history in histories.items()}
        return {
            name: [entry_of(name, row, positions) for row in rows]
            for name, rows in rows_of(fold(histories, Loaded())).items()
        }


def look(ledger: CopyableLedger, read_models: ReadModels, place: Place, size: int) -> Look:
    """Compare the next slice, of about `size` streams.

    Raises OutOfStep when the rows are of another shape, LedgerCorrupt when the ledger does not tell of sound rows.
    """
    with read_models.snapshot() as stored:
        if not stored.is_our_shape:
            raise OutOfStep("The read models were written in another shape: rebuild them.")
        head = stored.head
        digest = ledger.digest_at(head.position)
        if digest != head.digest:
            was, is_to_be = head.digest.hex(), digest and digest.hex()
            tracked = Difference("position", (LEDGER,), "digest", was, is_to_be, head.position)
            return Look(place, head.position, 1, 1, (tracked,), 1)
        part = _Slice(ledger, stored)
        after = _compare_next(part, place, size)
    found = part.found
    rows = sum(found.rows.values())
    return Look(after, head.position, rows, max(1, part.effort), tuple(found.shown), found.total)


def _compare_next(part: _Slice, place: Place, size: int) -> Place | None:
    if not place.is_begun:
        return _compare_begun(part, place, size)
    if place.stream is not None:
        streams = part.stored.streams_after(place.stream, limit=size)
        part.compare(streams)
        return place._replace(stream=streams[-1] if len(streams) == size else None)
    which = place.keys_done
    entries = part.stored.rows_after(BY_KEY[which], place.keys[which], limit=size)
    part.compare_by_key(BY_KEY[which], entries)
    if len(entries) == size:
        keys = tuple(entries[-1].key if each == which else key for each, key in enumerate(place.keys))
        return place._replace(keys=keys)
    return place._replace(keys_done=which + 1) if which + 1 < len(BY_KEY) else None


def _stream_of(entry: Entry) -> str:
    """Of what a row tells; tags have it last in their keys."""
    return entry.row.run if isinstance(entry.row, LastingRow) else str(entry.key[-1])


def _compare_begun(part: _Slice, place: Place, size: int) -> Place:
    """Those that have their row are compared with all others; here it is about rows that are gone altogether."""
    events = [
        each for each in part.ledger.sealed_after(place.begun, limit=size) if each.position <= part.stored.head[0]
    ]
    part.effort += len(events)
    begun = [each.stream for each in events if each.version == 1 and kind_of(each.stream) in KEPT_KINDS]
    stored = part.stored.of_streams(begun)
    known = {(name, entry.key[0]) for name, entries in stored.items() for entry in entries}
    part.compare([each for each in begun if (_ROWS_OF.get(kind_of(each), "checkpoint"), each) not in known])
    if len(events) < size:
        return place._replace(is_begun=True)
    return place._replace(begun=events[-1].position)
