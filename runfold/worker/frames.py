"""Messages between a worker and its child processes: four bytes of length, then JSON."""

import socket
import struct

import msgspec

from runfold.entries import Outcome
from runfold.log import Line
from runfold.worker.handed import Attempt
from runfold.worker.outcomes import Crashed, Failed, Frozen, Succeeded
from runfold.worker.wire import Report

LENGTH = struct.Struct(">I")


class Ready(msgspec.Struct, tag=True):
    """The child has loaded the tasks."""


class Stop(msgspec.Struct, tag=True):
    """End the attempt, then the process."""


class Commit(msgspec.Struct, tag=True):
    """The engine has this entry of the journal."""

    index: int


class Wake(msgspec.Struct, tag=True):
    """A wait is over."""

    wait: int
    outcome: Outcome


class Freeze(msgspec.Struct, tag=True):
    """Give up the process, if the code does nothing but wait."""


class Said(msgspec.Struct, tag=True):
    """A report for the engine; run, token and time are the worker's to say."""

    report: Report


class Block(msgspec.Struct, tag=True):
    """Nothing goes on but these waits; none: something goes on again."""

    waits: tuple[int, ...]


class Logged(msgspec.Struct, tag=True):
    """The code logged a line: that of this run, as a thread which an attempt left behind may speak after its end."""

    run: str
    line: Line


class Go(msgspec.Struct, tag=True):
    """Make this attempt."""

    attempt: Attempt


ToChild = Go | Stop | Commit | Wake | Freeze
ToWorker = Ready | Said | Block | Logged | Succeeded | Failed | Crashed | Frozen

_encoder = msgspec.json.Encoder()


def frame(message: ToChild | ToWorker) -> bytes:
    content = _encoder.encode(message)
    return LENGTH.pack(len(content)) + content


def receive(connection: socket.socket) -> bytes:
    """One message; raises EOFError when the other side has closed the connection."""
    return _exactly(connection, LENGTH.unpack(_exactly(connection, LENGTH.size))[0])


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise EOFError("The other process has closed the connection.")
        content += part
    return bytes(content)
