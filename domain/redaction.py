"""Known secret values are taken out of whatever is kept of a response or an error."""

import base64
import json
from collections.abc import Iterable, Iterator
from string import ascii_letters, digits

REDACTED = "[redacted]"
LENGTH_MIN = 6
"""Anything shorter is no secret, and may be a part of any word."""
_LEFT_ALONE = ("", "/", "!'()*", "!'()*;,/?:@&=+$#")
"""What is not encoded in URLs: nothing, paths, by JavaScript's encodeURIComponent and by its encodeURI."""
_PLAIN = f"{ascii_letters}{digits}-._~"
_IN_URLS = tuple(
    [chr(byte) if chr(byte) in _PLAIN + each else escape.format(byte) for byte in range(256)]
    for each in _LEFT_ALONE
    for escape in ("%{:02X}", "%{:02x}")
)
"""How each byte is written then, with upper-case and with lower-case digits."""


class Redaction:
    """Takes these values out of texts, also where they stand in JSON, in a URL, in base64 or in hexadecimal digits."""

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
        return text[: min((_cut(text, form) for form in self._forms), default=len(text))]


def _cut(text: str, form: str) -> int:
    """From where on the text is the beginning of the form."""
    start = max(0, len(text) - len(form) + 1)
    while (start := text.find(form[0], start)) >= 0:
        if form.startswith(text[start:]):
            return start
        start += 1
    return len(text)


def _forms(value: str) -> Iterator[str]:
    yield value
    for is_ascii in (False, True):
        written = json.dumps(value, ensure_ascii=is_ascii)[1:-1]
        yield from (written, written.replace("/", "\\/"))
    raw = value.encode()
    for written_as in _IN_URLS:
        form = "".join(map(written_as.__getitem__, raw))
        yield from (form, form.replace("%20", "+"))
    yield from (raw.hex(), raw.hex().upper())
    # Inside of something longer that is encoded, a value begins at one of three places of a group.
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = len(encoded) - (1 if (before + len(raw)) % 3 else 0)
        yield from (encoded[first:last], encoded[first:last].replace("+", "-").replace("/", "_"))
