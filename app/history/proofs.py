"""Proofs: what happened to a run, for those who have nothing of Runfold but a public key."""

from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from adapters.merkle import leaf_hash, path_of, root_by
from adapters.tombstones import content_of, is_tombstone, leaf_of
from app.history.checkpoints import SEGMENT, Checkpoint, CheckpointFile, check_signature, segment_after
from app.transfer.lines import Hex
from domain.errors import InvalidInput, LedgerCorrupt, NotAllowed, NotFound
from domain.ports import CopyableLedger, Sealed

FORMAT = "runfold-proof 1"


class WrongProof(InvalidInput):
    """A file proves nothing; the message says what is wrong."""


class ProvenEvent(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An event as it was appended, and the hashes that lead from it to the root, from below.

    Of one whose values were erased only the hash is left, its `leaf`: of what type it was, and of which run, cannot be
    proved any more. So neither its topic nor a state is told.
    """

    position: int
    version: int
    topic: str
    state: str
    path: list[Hex]
    leaf: Hex | None = None


class Proof(Struct, frozen=True, forbid_unknown_fields=True):
    """The first events of one stream, all that there were when the checkpoint was signed.

    At least one of them is proved by its content, as nothing else says of which stream they are.
    """

    format: str
    stream: str
    checkpoint: Checkpoint
    events: list[ProvenEvent]


def prove(
    stream: str, ledger: CopyableLedger, file: CheckpointFile, archived: Mapping[int, Sealed] | None = None
) -> Proof:
    """The proof of a run, or of whatever else has events, up to a checkpoint.

    `archived` are, by position, the events of a run that has left the ledger, which has only their hashes.
    Raises NotFound when it had none by then, NotAllowed when all of them are erased, and LedgerCorrupt where the log is
    not the one that was signed.
    """
    checkpoint = file.checkpoint
    history = ledger.read_streams([stream]).get(stream, [])
    positions = [each.position for each in history if each.position <= checkpoint.position]
    if not positions:
        raise NotFound(f"{stream} has no events up to {checkpoint.position}, where the checkpoint is.")
    roots = [bytes.fromhex(root) for root in file.segments]
    events: list[ProvenEvent] = []
    for number in dict.fromkeys((position - 1) // SEGMENT for position in positions):
        found = segment_after(ledger, number * SEGMENT, checkpoint.position)
        if archived:
            found = [archived.get(event.position, event) for event in found]
        hashes = [leaf_of(event[:5]) for event in found]
        above = path_of(roots, number)
        for index in [at - 1 - number * SEGMENT for at in positions if (at - 1) // SEGMENT == number]:
            path = path_of(hashes, index) + above
            if root_by(path, hashes[index], found[index].position - 1, checkpoint.position).hex() != checkpoint.root:
                raise LedgerCorrupt(
                    f"Events {found[0].position} to {found[-1].position} are not those that were signed."
                )
            events.append(_proven(found[index], path))
    if all(event.leaf for event in events):
        raise NotAllowed(f"All events of {stream} up to {checkpoint.position} are erased: a later checkpoint has more.")
    return Proof(FORMAT, stream, checkpoint, events)


def check_proof(content: bytes, key: Ed25519PublicKey) -> Proof:
    """Raises WrongProof or WrongCheckpoint unless these events, in this order, stood in the log that was signed."""
    try:
        proof = msgspec.json.decode(content, type=Proof)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongProof(f"This is no proof: {error}.") from error
    if proof.format != FORMAT:
        raise WrongProof(f"The proof is of the format {proof.format!r}, not {FORMAT!r}.")
    check_signature(proof.checkpoint, key)
    if not proof.events:
        raise WrongProof("The proof has no events.")
    before = 0
    for number, event in enumerate(proof.events, 1):
        if event.version != number:
            raise WrongProof(f"Event {number} of {proof.stream} is not there: {event.version} stands in its place.")
        if event.position <= before:
            raise WrongProof(f"Event {event.position} stands behind event {before}.")
        before = event.position
        if event.leaf is not None and (event.state or event.topic):
            raise WrongProof(f"Event {event.position} has a leaf, and a state or a type, which nothing proves.")
        _check(event, proof)
    if all(event.leaf is not None for event in proof.events):
        raise WrongProof(f"Only hashes are left of all these events: that they are of {proof.stream} is not proved.")
    return proof


def _check(event: ProvenEvent, proof: Proof) -> None:
    content = content_of((event.position, proof.stream, event.version, event.topic, event.state.encode()))
    leaf = leaf_hash(content) if event.leaf is None else bytes.fromhex(event.leaf)
    path = [bytes.fromhex(each) for each in event.path]
    try:
        root = root_by(path, leaf, event.position - 1, proof.checkpoint.position)
    except ValueError as error:
        raise WrongProof(f"Event {event.position} is not proved: {error}") from error
    if root.hex() != proof.checkpoint.root:
        raise WrongProof(f"Event {event.position} is not as it was when the checkpoint was signed.")


def _proven(event: Sealed, path: list[bytes]) -> ProvenEvent:
    hashes = [each.hex() for each in path]
    if is_tombstone(event.state):
        return ProvenEvent(event.position, event.version, "", "", hashes, leaf_of(event[:5]).hex())
    return ProvenEvent(event.position, event.version, event.topic, event.state.decode(), hashes)
