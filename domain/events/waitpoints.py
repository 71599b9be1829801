"""Tokens that runs wait for."""

from msgspec import Raw

from domain.events.base import JSON_TYPE, NOTHING, BlobRef, Event


class WaitpointCreated(Event, frozen=True, gc=False, omit_defaults=True):
    """A token was made, which runs may wait for until somebody completes it, or its time is over.

    Whoever knows the `secret` may complete it without a key.
    """

    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    key_until: int | None = None
    secret: str = ""


class WaitpointCompleted(Event, frozen=True, gc=False, omit_defaults=True):
    """Somebody completed the token, with what those who wait for it are given."""

    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    output_type: str = JSON_TYPE


class WaitpointTimedOut(Event, frozen=True, gc=False):
    """Nobody completed the token in time."""
