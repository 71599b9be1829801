"""Idempotency keys are claimed and freed."""

from domain.events.base import Event


class KeyClaimed(Event, frozen=True, gc=False, omit_defaults=True):
    """A key stands for a run, or for a batch, until a time; it replaces what the key stood for before.

    `payload` tells the payload that it came with (the beginning of its SHA-256). One that `keeps_failed` stands for
    a run that failed, too.
    """

    target: str
    until: int
    payload: str | None = None
    keeps_failed: bool = False


class KeyFreed(Event, frozen=True, gc=False):
    """Someone reset the key: it stands for nothing."""
