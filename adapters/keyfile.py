"""A master key in a file beside a database, for those who set none."""

import os
from collections.abc import Callable
from pathlib import Path

from adapters.folders import sync_folder
from adapters.secrets import KEY_BYTES, MasterKey
from domain.errors import InvalidInput, KeyMissing


class KeyFile:
    """The key is read once, and made when it is first needed; only the owner of the file may read it."""

    def __init__(self, path: Path, randbytes: Callable[[int], bytes]) -> None:
        self._path = path
        self._randbytes = randbytes
        self._key: MasterKey | None = None

    def find(self) -> MasterKey | None:
        """The key, None if there is no file. Raises KeyMissing for a file that holds none, or cannot be read."""
        if self._key is None:
            try:
                self._key = MasterKey.parse(self._path.read_text(encoding="ascii").strip())
            except FileNotFoundError:
                return None
            except (OSError, UnicodeDecodeError, InvalidInput) as error:
                reason = error.strerror if isinstance(error, OSError) else "it holds no encryption key"
                raise KeyMissing(f"The key file {self._path} cannot be used: {reason}.") from None
        return self._key

    def make(self) -> MasterKey:
        """The key, written to the disk before it is used. Raises KeyMissing when that cannot be."""
        key = MasterKey(self._randbytes(KEY_BYTES))
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{key.text}\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(part, self._path)  # unlike a rename, it never replaces a key that another made meanwhile
            except FileExistsError:
                pass
            finally:
                part.unlink()
            sync_folder(self._path.parent)  # with a key that is lost goes all that was sealed
        except OSError as error:
            raise KeyMissing(f"The key file {self._path} cannot be written: {error.strerror}.") from error
        found = self.find()
        assert found is not None, "the file was written just now"
        return found
