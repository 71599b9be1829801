"""The lines of an export: JSON that people can read, of which each event's state has the very bytes that are stored."""

from gzip import GzipFile
from typing import IO, Annotated, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from adapters.codec import decode
from domain.errors import InvalidInput
from domain.events import BlobRef
from domain.ports import Head, Sealed
from domain.values import refs_of

FORMAT, VERSION = "runfold-ledger", 1
File: TypeAlias = IO[bytes] | GzipFile
Hex: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class WrongExport(InvalidInput):
    """A file is no export of a ledger, not a whole one, or not one of this ledger."""


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    """A position, and the rolling hash up to it."""

    position: Annotated[int, Meta(ge=0)]
    digest: Hex

    @classmethod
    def of(cls, head: Head) -> "Place":
        return cls(head.position, head.digest.hex())

    def head(self) -> Head:
        return Head(self.position, bytes.fromhex(self.digest))


class Kind(Struct, frozen=True):
    """What every version's first line says."""

    format: str
    version: int


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: the export has every event behind `after`, up to `head`."""

    format: str
    version: int
    after: Place
    head: Place


class EventLine(Struct, frozen=True, tag_field="line", tag="event", forbid_unknown_fields=True):
    """An event. `state` is last and as stored; if it has line breaks, it is a string that holds it."""

    position: int
    stream: str
    version: int
    topic: str
    digest: Hex
    state: Raw

    @classmethod
    def of(cls, event: Sealed) -> "EventLine":
        position, stream, version, topic, state, digest = event
        return cls(position, stream, version, topic, digest.hex(), _on_one_line(state))

    def sealed(self) -> Sealed:
        """Raises ValueError when a string that holds the state is none."""
        state = bytes(self.state)
        if state.startswith(b'"'):
            state = msgspec.json.decode(state, type=str).encode()
        return Sealed(self.position, self.stream, self.version, self.topic, state, bytes.fromhex(self.digest))


class BlobLine(Struct, frozen=True, tag_field="line", tag="blob", forbid_unknown_fields=True):
    """A large value of the event before it, in base64."""

    key: str
    sha256: Hex
    value: bytes


class Totals(Struct, frozen=True, tag_field="line", tag="end", forbid_unknown_fields=True):
    """The last line. Missing are the large values that events name and that were erased."""

    events: int = 0
    blobs: int = 0
    missing_blobs: int = 0


Line: TypeAlias = EventLine | BlobLine | Totals

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def line_of(content: Header | Line) -> bytes:
    """One line, with its end."""
    return _encode(content) + b"\n"


def content_of(line: bytes) -> Line:
    """Any line but the first. Raises ValueError when it is none."""
    return _decoder.decode(line)


def blobs_of(event: Sealed) -> dict[str, BlobRef]:
    """The large values that an event names, by key. Raises LedgerCorrupt when it is no event that we know."""
    return {ref.key: ref for ref in refs_of(decode(event[:5]).event)}


def _on_one_line(state: bytes) -> Raw:
    """As it is, unless it would not be one line: what users sent is stored with the white space that it had."""
    is_one_line = b"\n" not in state and b"\r" not in state and not state.startswith(b'"')
    return Raw(state if is_one_line else _encode(state.decode()))
