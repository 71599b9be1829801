"""Merkle trees over lists, as RFC 6962 (section 2.1) has them: a short path shows that something is in a long list."""

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + content).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root of the tree over these hashes: of leaves, or of whole trees over equally many leaves (2, 4, 8 ...)."""
    level = list(hashes)
    if not level:
        return EMPTY
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def path_of(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """What the hash at this index is to be joined with to come to the root, from below."""
    path: list[bytes] = []
    level = list(hashes)
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        level = _level_above(level)
        index //= 2
    return path


def root_by(path: Sequence[bytes], hash_: bytes, index: int, size: int) -> bytes:
    """The root that a path leads to, from the hash at this index of so many. Raises ValueError for a wrong length."""
    if not 0 <= index < size:
        raise ValueError(f"There is no {index} among {size}.")
    rest = list(reversed(path))
    while size > 1:
        if index ^ 1 < size:
            if not rest:
                raise ValueError("The path is too short.")
            beside = rest.pop()
            hash_ = _join(beside, hash_) if index & 1 else _join(hash_, beside)
        index, size = index // 2, (size + 1) // 2
    if rest:
        raise ValueError("The path is too long.")
    return hash_


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    # The last one of an odd number goes up as it is.
    pairs = [_join(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
