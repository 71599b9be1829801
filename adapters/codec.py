"""Events to rows and back, as JSON that can be read in SQL: what a mapper of the library does, for whole batches.

The topic is the event's name. When an event changes its shape, the new class gets a new name, and the old name stays
in `_UPCASTERS` with a function from the old JSON to the new class, so that every event ever written can be read.
"""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from domain.errors import LedgerCorrupt
from domain.events import EVENTS, Event, Recorded

E = TypeVar("E", bound=Event)


class Envelope(Struct, Generic[E], gc=False):
    """What the `state` column holds: the event under `data`, and who, why and when beside it."""

    environment: str
    occurred_at: int
    recorded_at: int
    actor: str
    cause: str
    data: E


class _When(Struct, gc=False):
    """The one field that tells when, of an envelope or a tombstone."""

    recorded_at: int


NewRow: TypeAlias = tuple[str, int, str, bytes]
"""Stream, version, topic and state of an event that has no position yet."""
Row: TypeAlias = tuple[int, str, int, str, bytes]
"""Position, stream, version, topic and state of an event as stored."""

# Type checkers do not take a class from a variable as a type argument; msgspec does.
_envelope: Any = Envelope
_encode = msgspec.json.Encoder().encode
_when = msgspec.json.Decoder(_When).decode
_DECODERS: dict[str, Callable[[bytes], Envelope[Event]]] = {
    event.__name__: msgspec.json.Decoder(_envelope[event]).decode for event in EVENTS
}


def encode(recorded: Recorded) -> bytes:
    """The `state` of an event as stored."""
    return _encode(
        Envelope(
            recorded.environment,
            recorded.occurred_at,
            recorded.recorded_at,
            recorded.actor,
            recorded.cause,
            recorded.event,
        )
    )


def new_row(recorded: Recorded) -> NewRow:
    """An event as it is to be stored."""
    return recorded.stream, recorded.version, type(recorded.event).__name__, encode(recorded)


def decode(row: Row) -> Recorded:
    """The event of a row. Raises LedgerCorrupt when it is none that was ever written."""
    position, stream, version, topic, state = row
    decoded = _DECODERS.get(topic)
    if decoded is None:
        raise LedgerCorrupt(f"Event {position} is a {topic}, which this version does not know.")
    try:
        envelope = decoded(state)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LedgerCorrupt(f"Event {position} ({topic} of {stream}) cannot be read: {error}.") from error
    return Recorded(
        position,
        stream,
        version,
        envelope.environment,
        envelope.occurred_at,
        envelope.recorded_at,
        envelope.actor,
        envelope.cause,
        envelope.data,
    )


def recorded_at(state: bytes) -> int | None:
    """When an event was recorded (ms), None if its state cannot be read."""
    try:
        return _when(state).recorded_at
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def histories_of(rows: Iterable[Row]) -> dict[str, list[Recorded]]:
    """The events of rows by their stream, each stream's in the order of the rows. Raises LedgerCorrupt."""
    histories: dict[str, list[Recorded]] = {}
    for row in rows:
        histories.setdefault(row[1], []).append(decode(row))
    return histories
