"""A connection: credentials of another system that tasks of an environment work with. Its state keeps them sealed."""

import hashlib

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Event, Recorded


class Connection(Struct, frozen=True, gc=False, omit_defaults=True):
    """`sealed` are the credentials, as only a key named `key` opens them; None once the connection was removed."""

    id: str
    version: int
    environment: str
    name: str
    created_at: int
    updated_at: int
    sealed: str | None = None
    key: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether runs that need it can go on."""
        return self.sealed is not None


def stream_of(environment: str, name: str) -> str:
    """The stream of the connection of this name."""
    text = f"{environment}\0{name}"  # an id holds no zero
    return "conn_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def save(connection: Connection | None, name: str, sealed: str, key: str, replaces: str | None = None) -> list[Event]:
    """Make the connection ready with these credentials; none if others are there than those it `replaces`."""
    if replaces is not None and (connection is None or connection.sealed != replaces):
        return []
    return [e.ConnectionSaved(name, sealed, key)]


def remove(connection: Connection) -> list[Event]:
    """Forget the credentials."""
    return [e.ConnectionRemoved(connection.name)] if connection.is_ready else []


def evolve(connection: Connection | None, recorded: Recorded) -> Connection:
    """The connection after one event."""
    at, version = recorded.recorded_at, recorded.version
    match recorded.event:
        case e.ConnectionSaved(name=name, sealed=sealed, key=key):
            created_at = connection.created_at if connection and connection.is_ready else at
            return Connection(recorded.stream, version, recorded.environment, name, created_at, at, sealed, key)
        case e.ConnectionRemoved() if connection:
            return replace(connection, version=version, updated_at=at, sealed=None, key=None)
        case event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of connection {recorded.stream}.")
