"""Bodies about tokens that runs wait for."""

import msgspec
from msgspec import Raw, Struct

from app.values import MediaType, absent


class CreateTokenBody(Struct, rename="camel"):
    """A new token; null is the same as absent. `timeout` is a duration or a date."""

    timeout: str | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = msgspec.field(default=None, name="idempotencyKeyTTL")
    tags: str | list[str] | None = None


class CompleteTokenBody(Struct, rename="camel"):
    """What those who wait for a token are given: any JSON, and the media type that it is kept with."""

    data: Raw = msgspec.field(default_factory=absent)
    output_type: MediaType | None = None
