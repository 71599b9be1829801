"""A lock beside a file that ends with its process, however that ends."""

import os
import sys
from pathlib import Path

from domain.errors import LedgerUnavailable

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Held from its making until `release`, or until the process ends.

    Raises LedgerUnavailable if another holds it: `held` says what that means.
    """

    def __init__(self, path: Path, held: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise LedgerUnavailable(f"{held} ({path} is locked).") from error

    def release(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)
