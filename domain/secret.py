"""A secret that requests refer to by its name. Its state keeps the value sealed."""

import hashlib

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import Event, Recorded

SECRET = "secret"  # noqa: S105 (the kind of aggregate)


class Secret(Struct, frozen=True, gc=False, omit_defaults=True):
    """`sealed` is the value, as only a key named `key` opens it; None once the secret was removed."""

    id: str
    version: int
    environment: str
    name: str
    revision: int
    """How often it was given a value."""
    created_at: int
    updated_at: int
    sealed: str | None = None
    key: str | None = None


def stream_of(environment: str, name: str) -> str:
    """The stream of the secret of this name."""
    text = f"{environment}\0{name}"  # an id holds no zero
    return f"{SECRET}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def save(secret: Secret | None, name: str, sealed: str, key: str, replaces: str | None = None) -> list[Event]:
    """Give it this value, in one step; none if another one is there than that which it `replaces`."""
    if replaces is not None and (secret is None or secret.sealed != replaces):
        return []
    before = secret.revision if secret else 0
    # The same value, sealed with another key, is no other value.
    return [e.SecretSaved(name, sealed, key, before if replaces is not None else before + 1)]


def remove(secret: Secret) -> list[Event]:
    """Forget the value."""
    return [e.SecretRemoved(secret.name)] if secret.sealed is not None else []


def evolve(secret: Secret | None, recorded: Recorded) -> Secret:
    """The secret after one event."""
    at, version = recorded.recorded_at, recorded.version
    match recorded.event:
        case e.SecretSaved(name=name, sealed=sealed, key=key, revision=revision):
            created_at = secret.created_at if secret and secret.sealed is not None else at
            place = recorded.stream, version, recorded.environment
            return Secret(*place, name, revision, created_at, at, sealed, key)
        case e.SecretRemoved() if secret:
            return replace(secret, version=version, updated_at=at, sealed=None, key=None)
        case event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of secret {recorded.stream}.")
