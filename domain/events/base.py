"""What every event is made of, and the envelope in which it is recorded."""

from msgspec import Raw, Struct

NOTHING = Raw()
"""The value that is absent: left out of the JSON, and so unlike `null`."""

JSON_TYPE = "application/json"
"""The type of a payload or output of which nothing is said. One object: msgspec leaves defaults out by identity."""


class BlobRef(Struct, frozen=True, gc=False):
    """Where a large value is kept beside the ledger, and the SHA-256 that it must have."""

    key: str
    sha256: str
    size: int


class Event(Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that happened to one aggregate."""


class RunEvent(Event, frozen=True, gc=False, omit_defaults=True):
    """Something that happened to a run."""


class Recorded(Struct, frozen=True, gc=False):
    """An event with its place in the ledger: the `version`-th of its `stream`, the `position`-th of all (both 1-based).

    `actor` is who did it, `cause` the command, timer or event that it answers.
    `occurred_at` and `recorded_at` are milliseconds; `recorded_at` never decreases with the position.
    """

    position: int
    stream: str
    version: int
    environment: str
    occurred_at: int
    recorded_at: int
    actor: str
    cause: str
    event: Event
