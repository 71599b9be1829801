"""New ids: a kind, an underscore, and the 32 hex digits of a uuid7 (RFC 9562), which sort by the time of making."""

import os
from collections.abc import Callable

_TAIL_BITS = 74
_LOW_BITS = 62
_BLOCK_BYTES = 4_096


class Uuid7Ids:
    """Ids that never go backwards: within a millisecond the tail grows by a random step (RFC 9562 §6.2, method 2).

    `random_bytes` is where chance comes from; it is asked for a block at a time.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._block = b""
        self._at = 0
        self._wall = 0
        self._tail = 0

    def new(self, kind: str, wall: int) -> str:
        """A new id of this kind, for this time in milliseconds."""
        if wall > self._wall:
            self._wall = wall
            # The top bit stays free, so that the steps of one millisecond cannot overflow the tail.
            self._tail = int.from_bytes(self._draw(10)) >> (80 - _TAIL_BITS + 1)
        else:
            self._tail += int.from_bytes(self._draw(4)) + 1
        high, low = self._tail >> _LOW_BITS, self._tail & ((1 << _LOW_BITS) - 1)
        value = self._wall << 80 | 7 << 76 | high << 64 | 2 << _LOW_BITS | low
        return f"{kind}_{value:032x}"

    def _draw(self, size: int) -> bytes:
        if self._at + size > len(self._block):
            self._block, self._at = self._random_bytes(_BLOCK_BYTES), 0
        self._at += size
        return self._block[self._at - size : self._at]
