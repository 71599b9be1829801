"""Receipts of what was erased, for those who have nothing of Runfold but a public key."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta, Struct
from msgspec.structs import replace

from adapters.signing import is_signed, name_of
from adapters.tombstones import leaf_of
from app.transfer.lines import Hex
from domain.durations import iso
from domain.errors import InvalidInput
from domain.events import ErasureCompleted, ErasureRecorded, Recorded
from domain.ports import CopyableLedger

FORMAT = "runfold-receipt 1"


class WrongReceipt(InvalidInput):
    """A file is no receipt, or was not signed with this key."""


class ErasedEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """The `version`-th event of a run: `hash` is that of its leaf as it was, `seal` of what stands in its place."""

    position: Annotated[int, Meta(ge=1)]
    run: str
    version: int
    hash: Hex
    seal: Hex


class Receipt(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What was erased, when and by whom. It stands in the log at `position`, where the rolling hash is `digest`."""

    format: str
    id: str
    environment: str
    erased_at: str
    by: str
    position: Annotated[int, Meta(ge=1)]
    digest: Hex
    runs: list[str]
    with_names: bool
    is_complete: bool
    events: list[ErasedEvent]
    segment: str | None = None
    root: str | None = None
    rewritten: list[str] = []
    key: str = ""
    signature: str = ""

    @property
    def statement(self) -> bytes:
        """The bytes that are signed: a line for each of these, with its newline; runs, events, segments stand last."""
        head = (self.format, self.id, self.environment, self.erased_at, self.by, self.position, self.digest)
        words = ("with names" if self.with_names else "without names", "complete" if self.is_complete else "pending")
        events = (f"{each.position} {each.run} {each.version} {each.hash} {each.seal}" for each in self.events)
        segments = (self.segment or "", self.root or "", *self.rewritten)
        return "".join(f"{line}\n" for line in (*head, *words, self.key, *self.runs, *events, *segments)).encode()


def receipt_of(history: Sequence[Recorded], ledger: CopyableLedger) -> Receipt:
    """The receipt of an erasure, not signed. Raises InvalidInput when this is the history of something else."""
    first = history[0]
    if not isinstance(first.event, ErasureRecorded):
        raise InvalidInput(f"{first.stream} is no erasure.")
    digest, seals = ledger.digest_at(first.position), first.event.seals
    assert digest is not None, "what was read is there"
    return Receipt(
        FORMAT,
        first.stream,
        first.environment,
        iso(first.recorded_at),
        first.actor,
        first.position,
        digest.hex(),
        list(first.event.runs),
        first.event.with_names,
        isinstance(history[-1].event, ErasureCompleted),
        [
            ErasedEvent(row.position, row.stream, row.version, leaf_of(row[:5]).hex(), seals[row.position])
            for row in ledger.sealed_at(seals)
        ],
        first.event.segment,
        first.event.root,
        list(first.event.rewritten),
    )


def signed(receipt: Receipt, key: Ed25519PrivateKey) -> Receipt:
    """The receipt with a signature."""
    named = replace(receipt, key=name_of(key.public_key()))
    return replace(named, signature=key.sign(named.statement).hex())


def check_receipts(content: bytes, key: Ed25519PublicKey) -> list[Receipt]:
    """The receipts of a file. Raises WrongReceipt unless the owner of the key has signed each of them."""
    try:
        receipts = msgspec.json.decode(content, type=list[Receipt])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongReceipt(f"These are no receipts: {error}.") from error
    if not receipts:
        raise WrongReceipt("There is no receipt in the file.")
    for receipt in receipts:
        if receipt.format != FORMAT:
            raise WrongReceipt(f"The receipt is of the format {receipt.format!r}, not {FORMAT!r}.")
        if receipt.key != name_of(key):
            raise WrongReceipt(f"Receipt {receipt.id} was signed with the key {receipt.key}, not with {name_of(key)}.")
        if not is_signed(receipt.statement, receipt.signature, key):
            raise WrongReceipt(
                f"The signature is not that of receipt {receipt.id}: somebody changed the one or the other."
            )
    return receipts
