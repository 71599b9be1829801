"""Values that users send: how they are written, how large they may be, and where they are kept."""

import hashlib
from typing import Annotated, Any, TypeAlias, cast

import msgspec
from msgspec import Meta, Raw

from domain.errors import InvalidInput
from domain.events import NOTHING, BlobRef
from domain.nesting import NESTING_MAX, is_too_deep

INLINE_MAX_BYTES = 32_768
PAYLOAD_MAX_BYTES = 3_145_728
MediaType: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[ -~]+$")]
"""Visible ASCII: it may be sent in a header."""


def absent() -> Raw:
    """NOTHING, from a factory: the schema of a body would have to show a default, and this one is no JSON."""
    return NOTHING


def stored(value: Raw, key: str, max_bytes: int, what: str) -> tuple[Raw, BlobRef | None, dict[str, bytes]]:
    """A value as the event holds it: inline, or beside the ledger under `key` when it is large."""
    text = bytes(value)
    if len(text) > max_bytes:
        raise InvalidInput(f"The {what} has {len(text)} bytes; at most {max_bytes} are taken.")
    if not text:
        # Only NOTHING itself is left out of the event's JSON.
        return NOTHING, None, {}
    json_of(text, what)
    if len(text) <= INLINE_MAX_BYTES:
        return value, None, {}
    return NOTHING, BlobRef(key, hashlib.sha256(text).hexdigest(), len(text)), {key: text}


def object_of(value: Raw, what: str, *, max_bytes: int) -> dict[str, Any] | None:
    """The JSON object; None for null and for nothing. Raises InvalidInput as `json_of`, and where it is too long."""
    text = bytes(value)
    if len(text) > max_bytes:
        raise InvalidInput(f"The {what} has {len(text)} bytes; at most {max_bytes} are taken.")
    found = json_of(text, what) if text else None
    if found is not None and not isinstance(found, dict):
        raise InvalidInput(f"The {what} is a JSON object.")
    return cast("dict[str, Any] | None", found)


def json_of(text: bytes, what: str) -> Any:
    """The value, which every reader can read. Raises InvalidInput for what only some can.

    One value that a reader chokes on would take the list or the turn that it is part of with it.
    """
    if is_too_deep(text):
        raise InvalidInput(f"The {what} is nested too deeply: more than {NESTING_MAX} levels.")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The {what} cannot be read everywhere: {error}.") from error
