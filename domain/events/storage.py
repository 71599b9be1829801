"""What happens to the ledger itself and to what is kept beside it."""

from domain.events.base import BlobRef, Event


class PacketStored(Event, frozen=True, gc=False):
    """A payload was uploaded, which a trigger may name."""

    blob: BlobRef
    content_type: str


class WriterStarted(Event, frozen=True, gc=False):
    """A writer claimed the head of the ledger; what former writers had in flight can never land behind this."""

    epoch: int
