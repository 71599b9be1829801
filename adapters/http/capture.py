"""The beginning of a body, as text, in bounded memory: what is compressed is not unpacked beyond what is kept."""

import re
import zlib

PREVIEW_MAX_BYTES = 65_536
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
# Decoders for which each byte costs the same; some others that Python has do not, and would be asked for by attackers.
_TEXT = re.compile(r"(utf-?(8|16|32)|ascii|latin|iso|windows|cp\d|koi8|shift|euc|gb|big5|hz)[\w-]*", re.IGNORECASE)
_ANY_ZLIB = 32 + zlib.MAX_WBITS
_ZLIB = frozenset({"gzip", "x-gzip", "deflate"})


class Capture:
    """What is kept of one body. `is_full` says that there is more than that."""

    def __init__(self, content_type: str, encoding: str) -> None:
        self.received = 0
        self.is_full = False
        self._encoding = encoding.strip().lower()
        self._charset = _charset_of(content_type)
        self._unpack = zlib.decompressobj(_ANY_ZLIB) if self._encoding in _ZLIB else None
        self._kept = bytearray()
        self._is_broken = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes as they came."""
        self.received += len(chunk)
        room = PREVIEW_MAX_BYTES + 1 - len(self._kept)
        if self._unpack is None:
            self._kept += chunk[:room]
        elif not self._is_broken:
            try:
                self._kept += self._unpack.decompress(chunk, room)
            except zlib.error:
                self._is_broken = True
        # A body that cannot be unpacked is read to its end or to the same bound, whichever comes first.
        self.is_full = len(self._kept) > PREVIEW_MAX_BYTES or (self._is_broken and self.received > PREVIEW_MAX_BYTES)

    @property
    def text(self) -> str | None:
        """The beginning of the body; None if it is of an encoding that nobody asked for and is not known here."""
        if self._is_broken or (self._encoding not in {"", "identity"} and self._unpack is None):
            return None
        return bytes(self._kept[:PREVIEW_MAX_BYTES]).decode(self._charset, "replace")


def _charset_of(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    if found is None or not _TEXT.fullmatch(found[1]):
        return "utf-8"
    try:
        "".encode(found[1])
    except LookupError:
        return "utf-8"
    return found[1]
