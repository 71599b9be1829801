"""The beginning of a body, as text, in bounded memory: what is compressed is not unpacked beyond what is kept."""

import re
import zlib

PREVIEW_MAX_BYTES = 65_536
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
# Decoders for which each byte costs the same; some others that Python has do not, and would be asked for by attackers.
_TEXT = re.compile(r"(utf-?(8|16|32)|ascii|latin|iso|windows|cp\d|koi8|shift|euc|gb|big5|hz)[\w-]*", re.IGNORECASE)
_ANY_ZLIB = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_GZIP = frozenset({"gzip", "x-gzip"})
_ZLIB = _GZIP | {"deflate"}
_PACKED_MAX_BYTES = 4 * PREVIEW_MAX_BYTES
"""Whoever sends so many compressed bytes and has not said as much as is kept will say nothing more."""


class Capture:
    """What is kept of one body. `is_full` says that there is more than that."""

    def __init__(self, content_type: str, encoding: str) -> None:
        self.received = 0
        self.is_full = False
        self._encoding = encoding.strip().lower()
        self._charset = _charset_of(content_type)
        self._packed = _Packed(self._encoding) if self._encoding in _ZLIB else None
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes as they came."""
        self.received += len(chunk)
        room = PREVIEW_MAX_BYTES + 1 - len(self._kept)
        self._kept += chunk[:room] if self._packed is None else self._packed.unpack(chunk, room)
        self.is_full = len(self._kept) > PREVIEW_MAX_BYTES
        if self._packed is not None:
            # What says nothing is read to its end or to a bound, whichever comes first.
            self.is_full |= self.received > (PREVIEW_MAX_BYTES if self._packed.is_over else _PACKED_MAX_BYTES)

    @property
    def text(self) -> str | None:
        """The beginning of the body; None if it is of an encoding that nobody asked for and is not known here."""
        is_known = self._encoding in {"", "identity"} if self._packed is None else not self._packed.is_broken
        return bytes(self._kept[:PREVIEW_MAX_BYTES]).decode(self._charset, "replace") if is_known else None


class _Packed:
    """A compressed body: members of gzip one behind the other (RFC 1952, 2.2), or one stream of deflate."""

    def __init__(self, encoding: str) -> None:
        self._is_gzip = encoding in _GZIP
        self._member: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage]  # it has no other name
        self._is_first = True
        self.is_over = False
        """What else comes says nothing."""
        self.is_broken = False
        """It is not what it is said to be."""

    def unpack(self, data: bytes, room: int) -> bytes:
        """What the next bytes say, `room` bytes of it at most."""
        found = bytearray()
        while data and not self.is_over and len(found) < room:
            if self._member is None:
                self._member = zlib.decompressobj(self._window(data[0]))
            try:
                found += self._member.decompress(data, room - len(found))
            except zlib.error:
                # Behind a whole member it is no further one, and may be anything.
                self.is_over, self.is_broken = True, self._is_first
                break
            if not self._member.eof:
                break
            # A member that has ended would keep all that it is fed.
            data, self._member = self._member.unused_data, None
            self._is_first, self.is_over = False, not self._is_gzip
        return bytes(found)

    def _window(self, first: int) -> int:
        # Some servers send deflate without the header of zlib, whose first byte ends in 8 (RFC 1950, 2.2); that of
        # gzip is 0x1f. No compressor begins its first block with either.
        return _ANY_ZLIB if self._is_gzip or first & 0x0F == zlib.DEFLATED or first == 0x1F else _RAW


def _charset_of(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    if found is None or not _TEXT.fullmatch(found[1]):
        return "utf-8"
    try:
        "".encode(found[1])
    except LookupError:
        return "utf-8"
    return found[1]
