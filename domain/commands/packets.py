"""The command that keeps an uploaded payload."""

from msgspec import field

from domain.commands.base import Command
from domain.events import BlobRef


class StorePacket(Command, frozen=True, kw_only=True):
    """Keep what was uploaded. Answer: None."""

    packet: str
    blob: BlobRef
    content_type: str
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])
