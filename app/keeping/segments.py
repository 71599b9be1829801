"""Segments: runs that have left the database, in compressed files that can be verified by themselves."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import msgspec
from msgspec import Struct

from adapters.folders import make_folders, sync_folder
from adapters.merkle import root_of
from adapters.tombstones import leaf_of, tombstone_of
from app.transfer.lines import BlobLine, EventLine, Hex, Totals, blobs_of, content_of, line_of
from domain.errors import InvalidInput, LedgerCorrupt
from domain.ports import Sealed

FORMAT, VERSION = "runfold-segment", 1
SUFFIX = ".jsonl.gz"
PART = f"{SUFFIX}.part"
"""What the file of a segment ends with that is not written to its end: it is never all that is left of a run."""
_BROKEN = (EOFError, gzip.BadGzipFile, zlib.error)


class WrongSegment(InvalidInput):
    """A file is no segment, or not as it was written."""


class SegmentHeader(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `root` is that of the Merkle tree over the leaves of the events, in their order."""

    format: str
    version: int
    id: str
    environment: str
    root: Hex
    runs: list[str]


class Segment(Struct, frozen=True):
    """What is in a file; of a value that was erased nothing is."""

    header: SegmentHeader
    events: list[Sealed]
    blobs: dict[str, bytes]


def segment_of(name: str, environment: str, events: Sequence[Sealed], value: Callable[[str], bytes | None]) -> Segment:
    """The segment of these events, all that some runs have, with the large values that `value` still finds."""
    found = {key: value(key) for event in events for key in blobs_of(event)}
    runs = list(dict.fromkeys(event.stream for event in events))
    header = SegmentHeader(FORMAT, VERSION, name, environment, _root_of(events), runs)
    return Segment(header, list(events), {key: content for key, content in found.items() if content is not None})


def write_segment(folder: Path, segment: Segment) -> None:
    """Write the file, whole and read back, or leave what is there. Raises WrongSegment where it is read otherwise."""
    path = path_of(folder, segment.header.id)
    part = folder / f"{segment.header.id}{PART}"
    try:
        make_folders(folder)
        with part.open("wb") as plain:
            with gzip.GzipFile("", "wb", fileobj=plain, mtime=0) as packed:
                packed.writelines(_lines_of(segment))
            plain.flush()
            os.fsync(plain.fileno())
        if read_segment(part) != segment:
            raise WrongSegment(f"Segment {path} is not read back as it was written.")
        part.replace(path)
        sync_folder(folder)
    except OSError as error:
        raise WrongSegment(f"Segment {path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def read_segment(path: Path) -> Segment:
    """The content of a file, verified. Raises WrongSegment."""
    try:
        with gzip.open(path, "rb") as file:
            return _read(cast("IO[bytes]", file), path)
    except (LedgerCorrupt, ValueError) as error:
        raise WrongSegment(f"Segment {path} has an event that is none: {error}.") from error
    except OSError as error:
        raise WrongSegment(f"Segment {path} cannot be read: {error.strerror or error}.") from error
    except _BROKEN as error:
        raise WrongSegment(f"Segment {path} is damaged: {error}.") from error


def erase_in_segment(folder: Path, name: str, runs: frozenset[str], erasure: str, *, with_names: bool) -> None:
    """Write a segment anew without what these runs hold. Its root stays: leaves do. Raises WrongSegment."""
    old = read_segment(path_of(folder, name))
    events: list[Sealed] = []
    for event in old.events:
        state = tombstone_of(event[:5], erasure, with_names=with_names) if event.stream in runs else None
        events.append(event if state is None else event._replace(state=state))
    gone = {key for event in old.events if event.stream in runs for key in blobs_of(event)}
    blobs = {key: value for key, value in old.blobs.items() if key not in gone}
    write_segment(folder, Segment(old.header, events, blobs))


def path_of(folder: Path, name: str) -> Path:
    """The file of a segment."""
    return folder / f"{name}{SUFFIX}"


def _lines_of(segment: Segment) -> Iterator[bytes]:
    yield msgspec.json.encode(segment.header) + b"\n"
    for event in segment.events:
        yield line_of(EventLine.of(event))
        for key, ref in blobs_of(event).items():
            if key in segment.blobs:
                yield line_of(BlobLine(key, ref.sha256, segment.blobs[key]))
    yield line_of(Totals(len(segment.events), len(segment.blobs)))


def _read(file: IO[bytes], path: Path) -> Segment:
    try:
        header = msgspec.json.decode(file.readline(), type=SegmentHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongSegment(f"{path} is no segment: {error}.") from error
    if (header.format, header.version) != (FORMAT, VERSION):
        raise WrongSegment(f"{path} is of the format {header.format} {header.version}, not {FORMAT} {VERSION}.")
    events: list[Sealed] = []
    blobs: dict[str, bytes] = {}
    totals = Totals()
    for text in file:
        try:
            line = content_of(text)
            if isinstance(line, EventLine):
                events.append(line.sealed())
            elif isinstance(line, BlobLine):
                _check_value(line, events, path)
                blobs[line.key] = line.value
            else:
                totals = line
        except ValueError as error:
            raise WrongSegment(f"{path} has a line that is none of a segment: {error}.") from error
    if totals != Totals(len(events), len(blobs)):
        raise WrongSegment(f"{path} is not whole.")
    if _root_of(events) != header.root:
        raise WrongSegment(f"{path} does not have the events that it had: its root is another one.")
    return Segment(header, events, blobs)


def _check_value(line: BlobLine, events: Sequence[Sealed], path: Path) -> None:
    ref = blobs_of(events[-1]).get(line.key) if events else None
    if ref is None or not hashlib.sha256(line.value).hexdigest() == line.sha256 == ref.sha256:
        raise WrongSegment(f"{path} has a value {line.key} that is not the one of an event.")


def _root_of(events: Sequence[Sealed]) -> str:
    return root_of([leaf_of(event[:5]) for event in events]).hex()
