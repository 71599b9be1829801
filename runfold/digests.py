"""What tells the arguments of an entry of the journal from others."""

import hashlib


def digest_of(content: bytes) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]
