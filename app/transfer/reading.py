"""An export, read and verified line by line: nothing comes out of here that is not as it was stored."""

import hashlib
import zlib
from collections.abc import Collection, Iterator
from gzip import BadGzipFile
from typing import NamedTuple, NoReturn

import msgspec

from adapters.codec import decode
from adapters.hashes import digest_after
from adapters.tombstones import is_emptied, left_by, mark_of, seal_of
from app.transfer.lines import (
    FORMAT,
    VERSION,
    BlobLine,
    EventLine,
    File,
    Header,
    Kind,
    Line,
    Totals,
    WrongExport,
    blobs_of,
    content_of,
)
from domain.errors import LedgerCorrupt
from domain.events import BlobRef, ErasureRecorded, RunArchived, RunErased
from domain.ports import Sealed

_HEADER_BYTES_MAX = 4_096
_LEAVING = frozenset({RunErased.__name__, RunArchived.__name__})
_BROKEN = (EOFError, BadGzipFile, zlib.error)
"""What the end or the middle of a broken .gz file raises."""


class Entry(NamedTuple):
    """An event with its large values, and those it names of which none came."""

    event: Sealed
    blobs: dict[str, bytes]
    awaited: dict[str, BlobRef]


class _Erased(NamedTuple):
    """What waits for its receipt, and whether it is empty as one leaves it that takes values, or names too."""

    stream: str
    seal: str
    is_emptied: bool
    is_emptied_with_names: bool

    def is_allowed(self, position: int, receipt: ErasureRecorded, left: Collection[str]) -> bool:
        """As `Receipt.allows`; `left` are the runs that name the receipt."""
        is_emptied = self.is_emptied_with_names if receipt.with_names else self.is_emptied
        return receipt.seals.get(position) == self.seal and self.stream in left and is_emptied


class Reader:
    """Reads the first line when it is made. Raises WrongExport, with the line, at the first thing that is not right."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._line = 0
        self.header = _header_of(self._next(_HEADER_BYTES_MAX))
        self._last = self.header.after.head()
        self._erased: dict[str, dict[int, _Erased]] = {}
        """The events that were erased, of which no receipt has come yet, by receipt and position."""
        self._left: dict[str, set[str]] = {}
        """The runs that name a receipt that has not come yet, by receipt."""
        self.totals = Totals()
        """What has been read so far."""

    def entries(self) -> Iterator[Entry]:
        """Every event of the file, in order, each sealed by its hash; an error follows the last that is right."""
        entry: Entry | None = None
        while True:
            line = self._next_line()
            if isinstance(line, BlobLine):
                self._add(line, entry)
                continue
            if entry:
                self._count(entry)
                yield entry
            if isinstance(line, Totals):
                self._end(line)
                return
            entry = self._entry(line)

    def _entry(self, line: EventLine) -> Entry:
        position, head = self._last.position + 1, self.header.head
        if line.position != position:
            self._refuse(f"is event {line.position}, and event {position} should be there")
        if position > head.position:
            self._refuse(f"is event {position}, and the file should end with event {head.position}")
        try:
            event = line.sealed()
            if digest_after(self._last.digest, event[:5]) != event.digest:
                self._note_erased(event)
            awaited = blobs_of(event)
            self._look_for_receipt(event)
        except (ValueError, LedgerCorrupt) as error:
            self._refuse(f"cannot be taken: {error}")
        if position == head.position and line.digest != head.digest:
            self._refuse(f"is event {position} with another hash than the first line has for it")
        self._last = self._last._replace(position=position, digest=event.digest)
        return Entry(event, {}, awaited)

    def _note_erased(self, event: Sealed) -> None:
        mark = mark_of(event[:5])
        if mark is None:
            self._refuse(f"is not event {event.position} as it was exported: its hash is wrong")
        row = event[:5]
        seal = seal_of(self._last.digest, event.digest, row)
        emptied = is_emptied(row, with_names=False), is_emptied(row, with_names=True)
        self._erased.setdefault(mark.receipt, {})[event.position] = _Erased(event.stream, seal, *emptied)

    def _look_for_receipt(self, event: Sealed) -> None:
        if event.topic in _LEAVING:
            erasure = left_by(decode(event[:5]))
            if erasure in self._erased:
                self._left.setdefault(erasure, set()).add(event.stream)
            return
        waiting = self._erased.get(event.stream)
        if not waiting or event.version != 1:
            return
        receipt = decode(event[:5]).event
        left = self._left.pop(event.stream, set[str]())
        if isinstance(receipt, ErasureRecorded):
            left.intersection_update(receipt.runs)
        for at, erased in waiting.items():
            if not isinstance(receipt, ErasureRecorded) or not erased.is_allowed(at, receipt, left):
                self._refuse(f"is not the receipt of what stands in the place of event {at}")
        del self._erased[event.stream]

    def _add(self, line: BlobLine, entry: Entry | None) -> None:
        ref = entry.awaited.pop(line.key, None) if entry else None
        if not entry or not ref:
            self._refuse(f"is the value {line.key}, which event {self._last.position} does not have")
        if not hashlib.sha256(line.value).hexdigest() == line.sha256 == ref.sha256:
            self._refuse(f"is not the value {line.key} of event {self._last.position}: its hash is wrong")
        entry.blobs[line.key] = line.value

    def _count(self, entry: Entry) -> None:
        events, blobs, missing = self.totals.events, self.totals.blobs, self.totals.missing_blobs
        self.totals = Totals(events + 1, blobs + len(entry.blobs), missing + len(entry.awaited))

    def _end(self, told: Totals) -> None:
        if self._last.position != self.header.head.position:
            self._refuse(f"ends the file after event {self._last.position} of {self.header.head.position}")
        if self._erased:
            position = min(min(seals) for seals in self._erased.values())
            self._refuse(f"ends the file, and no receipt in it tells that event {position} was erased")
        if told != self.totals:
            self._refuse(f"counts {_tell(told)}, and the file has {_tell(self.totals)}")
        if self._next(1):
            self._refuse("stands behind the end")

    def _next_line(self) -> Line:
        text = self._next()
        if not text.endswith(b"\n"):
            head = self.header.head.position
            raise WrongExport(
                f"The file is cut off in line {self._line}, behind event {self._last.position} of {head}."
            )
        try:
            return content_of(text)
        except ValueError as error:
            self._refuse(f"is not one of an export: {error}")

    def _next(self, bytes_max: int = -1) -> bytes:
        """The next line; what is left of it, or nothing, where the file ends."""
        self._line += 1
        try:
            return self._file.readline(bytes_max)
        except _BROKEN:
            return b""
        except OSError as error:
            raise WrongExport(f"Line {self._line} cannot be read: {error.strerror}.") from error

    def _refuse(self, why: str) -> NoReturn:
        raise WrongExport(f"Line {self._line} {why}.")


def _header_of(line: bytes) -> Header:
    try:
        kind = msgspec.json.decode(line, type=Kind)
        if kind.format != FORMAT:
            raise WrongExport(f"The file is a {kind.format!r}, and not an export of a ledger ({FORMAT!r}).")
        if kind.version != VERSION:
            raise WrongExport(f"The export is of version {kind.version}; this program reads version {VERSION}.")
        return msgspec.json.decode(line, type=Header)
    except ValueError as error:
        raise WrongExport(f"The first line is not that of an export of a ledger: {error}.") from error


def _tell(totals: Totals) -> str:
    return f"{totals.events} events, {totals.blobs} large values and {totals.missing_blobs} missing ones"
