"""SuperJSON, in which Trigger.dev's SDK writes payloads: JSON under `json`, and what JSON has no types for beside it.

It is stored as it was sent, because its own client makes dates and maps of it again. All others are given the JSON.
"""

import msgspec
from msgspec import Raw, Struct

from domain.events import JSON_TYPE, NOTHING

SUPER_JSON_TYPE = "application/super+json"
STORE_TYPE = "application/store"
"""Says that a payload is but the name of a packet, in which it was uploaded."""


class _Wrapped(Struct):
    json: Raw = NOTHING


def plain(value: Raw, kind: str) -> tuple[Raw, str]:
    """The JSON in a value of this media type, and what type that is. What cannot be unwrapped stays as it is."""
    if not kind.startswith(SUPER_JSON_TYPE) or value == NOTHING:
        return value, kind
    try:
        # The SDK sends it as text inside of JSON, others may send it as it is.
        text = msgspec.json.decode(value, type=str).encode() if bytes(memoryview(value)[:1]) == b'"' else value
        return Raw(bytes(msgspec.json.decode(text, type=_Wrapped).json)), JSON_TYPE
    except msgspec.DecodeError:
        return value, kind
