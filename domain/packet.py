"""A packet: a payload that was uploaded before the trigger that names it. It is what it is, once it was stored."""

from msgspec import Struct

from domain import events as e
from domain.errors import LedgerCorrupt, NotAllowed
from domain.events import BlobRef, Event, Recorded

PACKET = "packet"


class Packet(Struct, frozen=True, gc=False):
    """A stored packet, and the media type that it came with."""

    id: str
    version: int
    environment: str
    blob: BlobRef
    content_type: str


def store(packet: Packet | None, blob: BlobRef, content_type: str) -> list[Event]:
    """Keep what was uploaded. The same again changes nothing; raises NotAllowed for anything else."""
    if packet is None:
        return [e.PacketStored(blob, content_type)]
    if (packet.blob, packet.content_type) != (blob, content_type):
        raise NotAllowed(f"Packet {packet.id} was uploaded already, with other content.")
    return []


def evolve(_packet: Packet | None, recorded: Recorded) -> Packet:
    """The packet after one event."""
    match recorded.event:
        case e.PacketStored(blob=blob, content_type=content_type):
            return Packet(recorded.stream, recorded.version, recorded.environment, blob, content_type)
        case event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of packet {recorded.stream}.")
