"""What a trigger and a replay ask for, in the words of the API."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from app.values import MediaType, absent


class QueueOption(Struct):
    """The queue of a trigger."""

    name: str


class KeyOptions(Struct):
    """What the user called an idempotency key that arrives hashed."""

    key: str | list[str] | None = None
    scope: str | None = None
    on_failure: str | None = msgspec.field(default=None, name="onFailure")
    """What a later trigger gets when the run failed: a new run ("free", as it is without), or that one ("return")."""

    def text(self) -> str | None:
        """The key as the user wrote it; the parts of one are joined as the official client does."""
        return self.key if self.key is None or isinstance(self.key, str) else "-".join(self.key) or None


class DebounceOption(Struct, rename="camel"):
    """Triggers with the same key within the delay are one run."""

    key: str
    delay: str
    mode: str | None = None
    max_delay: str | None = None


class TriggerOptions(Struct, rename="camel"):
    """Options of a trigger; null is the same as absent. Fields that nobody knows are ignored, as the peer does."""

    queue: QueueOption | None = None
    concurrency_key: str | int | None = None
    delay: str | None = None
    ttl: str | int | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    idempotency_key_options: KeyOptions | None = None
    max_attempts: int | None = None
    max_duration: float | None = None
    metadata: Raw = msgspec.field(default_factory=absent)
    payload_type: MediaType | None = None
    priority: float | None = None
    tags: str | list[str] | None = None
    test: bool | None = None
    lock_to_version: str | None = None
    debounce: DebounceOption | None = None
    machine: str | None = None
    parent_run_id: str | None = None
    resume_parent_on_completion: bool | None = None
    region: str | None = None
    external_deployment_id: str | None = None
    gates: Raw = msgspec.field(default_factory=absent)
    concurrency: Raw = msgspec.field(default_factory=absent)


class TriggerBody(Struct):
    """A trigger of one run."""

    payload: Raw = msgspec.field(default_factory=absent)
    options: TriggerOptions | None = None


class ReplayBody(Struct, rename="camel"):
    """What a replay does otherwise than the run it replays."""

    payload: Raw = msgspec.field(default_factory=absent)
    payload_type: MediaType | None = None
    metadata: Raw = msgspec.field(default_factory=absent)
    tags: str | list[str] | None = None
    queue: str | None = None
    concurrency_key: str | int | None = None
    delay: str | None = None
    ttl: str | int | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    max_attempts: int | None = None
    max_duration: float | None = None
    priority: float | None = None
    machine: str | None = None
    version: str | None = None
    region: str | None = None
    from_step: Annotated[str, Meta(min_length=1, max_length=280)] | None = None
    step_results: dict[str, Raw] | None = None
