"""Files that are named on the command line."""

from pathlib import Path

from domain.errors import InvalidInput


def read(file: Path) -> bytes:
    """All that is in it. Raises InvalidInput."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"The file {file} cannot be read: {error.strerror}.") from error
