"""Known secret values are taken out of whatever is kept of a response or an error."""

import base64
from collections.abc import Iterable, Iterator
from string import ascii_letters, digits

from msgspec import json

REDACTED = "[redacted]"
LENGTH_MIN = 6
"""Anything shorter is no secret, and may be a part of any word."""
_PLAIN = frozenset(ascii_letters + digits + "-._~")


class Redaction:
    """Takes these values out of texts, also where they stand in JSON, in base64 or in a URL."""

    def __init__(self, values: Iterable[str]) -> None:
        found = {form for value in values for form in _forms(value) if len(form) >= LENGTH_MIN}
        self._forms = sorted(found, key=len, reverse=True)  # the longest first, as it may contain a shorter one

    def text(self, text: str) -> str:
        """The text without them."""
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text

    def beginning(self, text: str) -> str:
        """The text of which more came than is kept: its end may be the beginning of one."""
        text = self.text(text)
        for form in self._forms:
            for length in range(min(len(form) - 1, len(text)), 0, -1):
                if text.endswith(form[:length]):
                    return text[:-length]
        return text


def _forms(value: str) -> Iterator[str]:
    yield value
    yield json.encode(value).decode()[1:-1]
    raw = value.encode()
    yield "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in raw)
    # Inside of something longer that is encoded, a value begins at one of three places of a group.
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = len(encoded) - (1 if (before + len(raw)) % 3 else 0)
        yield encoded[first:last]
