"""Commands about tokens that runs wait for."""

from msgspec import Raw, Struct, field

from domain.commands.base import Command
from domain.events import JSON_TYPE, NOTHING, BlobRef


class CreateWaitpoint(Command, frozen=True, kw_only=True):
    """Make a token, or find the one that its idempotency key stands for. Answer: CreatedWaitpoint.

    `key` is the stream of the idempotency key, which stands for the token until `key_until`. `secret` completes the
    token without a key.
    """

    waitpoint: str
    secret: str = ""
    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    key: str | None = None
    key_until: int = 0


class CreatedWaitpoint(Struct, frozen=True, gc=False):
    """The token that there is now; `cached` if its key stood for it already."""

    waitpoint: str
    cached: bool = False


class CompleteWaitpoint(Command, frozen=True, kw_only=True):
    """Complete a token; one that is over stays as it is. Answer: None."""

    waitpoint: str
    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    output_type: str = JSON_TYPE
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])
