"""The file of a sink: lines of JSON, each position once, also when the process is killed while it writes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from adapters.filelock import FileLock
from adapters.folders import make_folders, sync_folder
from domain.durations import iso
from domain.errors import InvalidInput
from domain.events import Recorded

BLOCK = 65_536


class _Told(Struct, rename="camel"):
    """What a line says of its event that erasing leaves: in the words of one format, or of the other."""

    position: int = 0
    id: str = ""
    version: int = 0
    recorded_at: str = ""
    specversion: str = ""
    subject: str = ""
    streamversion: int = 0
    recordedtime: str = ""

    @property
    def at(self) -> int:
        return int(self.id) if self.specversion else self.position

    def is_of(self, recorded: Recorded) -> bool:
        # The type may be told by another name since: old events are read as those of today.
        event = self.id, self.version, self.recorded_at
        if self.specversion:
            event = self.subject, self.streamversion, self.recordedtime
        return event == (recorded.stream, recorded.version, iso(recorded.recorded_at))


class SinkFile:
    """Belongs to one process at a time, and there to one thread. Raises OSError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._lock: FileLock | None = None
        self._last = 0
        self._told = _Told()

    def open(self) -> int:
        """The position of the last whole line, 0 if there is none; a line that was not finished is taken away.

        Raises LedgerUnavailable when another process has the file, InvalidInput when it is not that of a sink.
        """
        make_folders(self.path.parent)
        lock = self.path.with_name(f"{self.path.name}.lock")
        self._lock = FileLock(lock, f"Another process has {self.path} open")
        try:
            self._file = self.path.open("a+b")
            sync_folder(self.path.parent)  # also where a crash kept it from that when the file was made
            end, last = _last_line(self._file)
            self._told = msgspec.json.decode(last, type=_Told) if last else _Told()
            self._last = self._told.at
            self._file.truncate(end)
            self._file.seek(end)
        except (msgspec.DecodeError, ValueError) as error:
            self.close()
            raise InvalidInput(f"The file {self.path} does not end with an event: {error}.") from error
        except OSError:
            self.close()
            raise
        return self._last

    def ended_with(self, recorded: Recorded) -> bool:
        """Whether it is this event that the last line told of when the file was opened."""
        return self._told.is_of(recorded)

    def append(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """Write those that are not there yet, and wait until they are on the disk."""
        assert self._file is not None, "a file is written when it is open"
        new = [(position, line) for position, line in lines if position > self._last]
        if not new:
            return
        self._file.write(b"".join(line for _, line in new))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._last = new[-1][0]

    def close(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _last_line(file: BinaryIO) -> tuple[int, bytes]:
    """Where the last whole line ends, and that line."""
    position = file.seek(0, os.SEEK_END)
    tail = b""
    # Two line ends are needed: the one of the line, and the one in front of it.
    while position and tail.count(b"\n") < 2:
        size = min(BLOCK, position)
        position -= size
        file.seek(position)
        tail = file.read(size) + tail
    whole, newline, _ = tail.rpartition(b"\n")
    return position + len(whole) + len(newline), whole.rpartition(b"\n")[2]
