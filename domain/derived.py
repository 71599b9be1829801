"""Ids that follow from what they are for: whoever decides the same thing twice, decides it under the same name."""

import hashlib

_TAIL_BITS = 74


def derived_id(kind: str, wall: int, *parts: str | int) -> str:
    """The id of this kind for this time (milliseconds) and these parts; it sorts by time as a new one does (uuid7)."""
    text = "\0".join(map(str, parts))
    tail = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:10]) >> (80 - _TAIL_BITS)
    high, low = tail >> 62, tail & ((1 << 62) - 1)
    return f"{kind}_{wall << 80 | 7 << 76 | high << 64 | 2 << 62 | low:032x}"
