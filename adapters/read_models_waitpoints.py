"""Rows of tokens as columns, and back."""

import hashlib

from msgspec import Struct, json

from domain.waitpoint import WaitpointStatus
from projections.ports import Columns
from projections.waitpoints import WaitpointRow, WaitpointTagRow


class _Detail(Struct, omit_defaults=True, gc=False):
    """What has no column of its own, in the words of WaitpointRow."""

    position: int
    completed_at: int | None = None
    timeout_at: int | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    key_until: int | None = None
    secret: str = ""


_encode = json.Encoder().encode
_decode = json.Decoder(_Detail).decode


def of_waitpoint(row: WaitpointRow) -> Columns:
    """The columns of waitpoint_rows, in the order of the table."""
    detail = _Detail(
        row.position,
        row.completed_at,
        row.timeout_at,
        row.tags,
        row.idempotency_key,
        row.key_until,
        row.secret,
    )
    return (
        row.id,
        row.environment,
        row.status.value,
        digest_of(row.idempotency_key),
        row.created_at,
        _encode(detail).decode(),
    )


def of_waitpoint_tag(row: WaitpointTagRow) -> tuple[str, str, str, str]:
    """The columns of waitpoint_tag_rows, in the order of the table and of its key."""
    return row.environment, row.tag, row.status.value, row.waitpoint


def to_waitpoint(columns: Columns) -> WaitpointRow:
    """The row of these columns. Raises ValueError (msgspec's errors are such) when they are none."""
    waitpoint, environment, status, digest, created_at, text = columns
    detail = _decode(text)
    if digest != digest_of(detail.idempotency_key):
        raise ValueError("The digest of the idempotency key is that of another one.")
    return WaitpointRow(
        id=waitpoint,
        environment=environment,
        status=WaitpointStatus(status),
        position=detail.position,
        created_at=created_at,
        completed_at=detail.completed_at,
        timeout_at=detail.timeout_at,
        tags=detail.tags,
        idempotency_key=detail.idempotency_key,
        key_until=detail.key_until,
        secret=detail.secret,
    )


def digest_of(key: str | None) -> bytes | None:
    """What an idempotency key is found by: the key itself is too long for an index, and not every text is one."""
    return None if key is None else hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
