"""Signed checkpoints: somebody who has one can tell whether the log up to there was changed afterwards."""

from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta, Struct

from adapters.hashes import digest_behind
from adapters.merkle import root_of
from adapters.signing import is_signed, name_of
from adapters.tombstones import leaf_of, receipts_in
from app.transfer.lines import Hex
from domain.durations import iso
from domain.errors import InvalidInput, LedgerCorrupt
from domain.ports import START, CopyableLedger, Sealed

FORMAT = "runfold-checkpoint 1"
SEGMENT = 4_096
"""Events of one segment. A power of two, so that the roots of segments are nodes of the tree over all events."""


class WrongCheckpoint(InvalidInput):
    """A file is no checkpoint, was not signed with this key, or is of another log."""


class Checkpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """What the log was up to a position, and who says so: `root` of the Merkle tree over all events up to there."""

    format: str
    position: Annotated[int, Meta(ge=1)]
    digest: Hex
    """The rolling hash of the log up to the position."""
    root: Hex
    signed_at: str
    key: Hex
    signature: str

    @property
    def statement(self) -> bytes:
        """The bytes that are signed: the other fields in this order, each followed by one newline."""
        lines = (self.format, self.position, self.digest, self.root, self.signed_at, self.key)
        return "".join(f"{line}\n" for line in lines).encode()


class CheckpointFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint, and the roots of the segments that its own comes of, so that proofs need not read the whole log."""

    checkpoint: Checkpoint
    segments: list[Hex]


def make_checkpoint(
    ledger: CopyableLedger, key: Ed25519PrivateKey, now: int, noticed: Callable[[int], object]
) -> CheckpointFile:
    """Read the whole log as it is now, and sign it. Raises LedgerCorrupt where it is not as it was appended."""
    head = ledger.head()
    if head == START:
        raise InvalidInput("The ledger is empty: there is nothing to sign.")
    digest, roots, receipts = START.digest, list[bytes](), receipts_in(ledger)
    for events in segments(ledger, head.position):
        for event in events:
            if digest_behind(digest, event, receipts) is None:
                raise LedgerCorrupt(f"Event {event.position} is not as it was appended: its hash is wrong.")
            digest = event.digest
        roots.append(root_of([leaf_of(event[:5]) for event in events]))
        noticed(events[-1].position)
    if digest != head.digest:
        raise LedgerCorrupt(f"Event {head.position} is not the one that the head tells of.")
    unsigned = Checkpoint(
        FORMAT, head.position, digest.hex(), root_of(roots).hex(), iso(now), name_of(key.public_key()), ""
    )
    signed = msgspec.structs.replace(unsigned, signature=key.sign(unsigned.statement).hex())
    return CheckpointFile(signed, [root.hex() for root in roots])


def segments(ledger: CopyableLedger, upto: int) -> Iterator[list[Sealed]]:
    """The events up to a position, segment by segment. Raises LedgerCorrupt where one is missing."""
    for start in range(0, upto, SEGMENT):
        yield segment_after(ledger, start, upto)


def segment_after(ledger: CopyableLedger, start: int, upto: int) -> list[Sealed]:
    """The segment that begins behind a position. Raises LedgerCorrupt where an event is missing."""
    size = min(SEGMENT, upto - start)
    events = ledger.sealed_after(start, limit=size)
    for number, event in enumerate(events, start + 1):
        if event.position != number:
            raise LedgerCorrupt(f"Event {number} is missing.")
    if len(events) < size:
        raise LedgerCorrupt(f"Event {start + len(events) + 1} is missing.")
    return events


def misfits(ledger: CopyableLedger, file: CheckpointFile) -> Iterator[str]:
    """A sentence for each place where the log is not the one that was signed. The signature is not looked at.

    Both are compared: the leaves also tell of what stands in front of an erased event, whose hash is stored.
    """
    checkpoint = file.checkpoint
    position = checkpoint.position
    head = ledger.head().position
    if head < position:
        yield f"The ledger ends with event {head}, and event {position} was signed."
        return
    for number, root in enumerate(file.segments):
        first = number * SEGMENT
        try:
            found = root_of([leaf_of(event[:5]) for event in segment_after(ledger, first, position)])
        except LedgerCorrupt as error:
            yield str(error)
            continue
        if found.hex() != root:
            yield f"Events {first + 1} to {min(first + SEGMENT, position)} are not those that were signed."
    digest = ledger.digest_at(position)
    if digest is None or digest.hex() != checkpoint.digest:
        yield f"The rolling hash of the log behind event {position} is not the one that was signed."


def read_checkpoint(content: bytes) -> CheckpointFile:
    """Raises WrongCheckpoint, also when its roots are not those that were signed. The signature is not looked at."""
    try:
        file = msgspec.json.decode(content, type=CheckpointFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongCheckpoint(f"This is no checkpoint: {error}.") from error
    checkpoint = file.checkpoint
    if checkpoint.format != FORMAT:
        raise WrongCheckpoint(f"The checkpoint is of the format {checkpoint.format!r}, not {FORMAT!r}.")
    if len(file.segments) != -(-checkpoint.position // SEGMENT):
        raise WrongCheckpoint(f"{checkpoint.position} events do not have {len(file.segments)} segments.")
    if root_of([bytes.fromhex(root) for root in file.segments]).hex() != checkpoint.root:
        raise WrongCheckpoint("The roots of its segments are not those that were signed.")
    return file


def check_signature(checkpoint: Checkpoint, key: Ed25519PublicKey) -> None:
    """Raises WrongCheckpoint unless the owner of the key has signed it."""
    if checkpoint.format != FORMAT:
        raise WrongCheckpoint(f"The checkpoint is of the format {checkpoint.format!r}, not {FORMAT!r}.")
    if checkpoint.key != name_of(key):
        raise WrongCheckpoint(f"The checkpoint was signed with the key {checkpoint.key}, not with {name_of(key)}.")
    if not is_signed(checkpoint.statement, checkpoint.signature, key):
        raise WrongCheckpoint("The signature is not that of this checkpoint: somebody changed the one or the other.")
