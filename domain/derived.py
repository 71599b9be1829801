"""Ids that follow from what they are for: whoever decides the same thing twice, decides it under the same name."""

import hashlib

_PLACES = 1 << 12
_LOW_BITS = 62


def derived_id(kind: str, wall: int, *parts: str | int, place: int = 0) -> str:
    """The id of this kind for this time (milliseconds) and these parts; it sorts by time as a new one does (uuid7).

    Of those of one time the `place` is what they sort by.
    """
    text = "\0".join(map(str, parts))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    low = int.from_bytes(digest[:8]) >> (64 - _LOW_BITS)
    return f"{kind}_{wall << 80 | 7 << 76 | place % _PLACES << 64 | 2 << _LOW_BITS | low:032x}"
