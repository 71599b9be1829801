"""Signatures by which a target knows that a request is from here, as Standard Webhooks has them."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from domain.errors import InvalidInput

PREFIX = "whsec_"
KEY_BYTES_MIN, KEY_BYTES_MAX = 24, 64


def signed(message: str, at: int, body: bytes, secrets: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The headers of a message with this id, sent at this moment (milliseconds), signed with each of the secrets.

    A secret is `whsec_` and the base64 of 24 to 64 random bytes. Raises InvalidInput, which tells none of them.
    """
    seconds = str(at // 1_000)
    text = f"{message}.{seconds}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(_key_of(secret), text, hashlib.sha256)).decode() for secret in secrets]
    return (
        ("webhook-id", message),
        ("webhook-timestamp", seconds),
        ("webhook-signature", " ".join(f"v1,{signature}" for signature in signatures)),
    )


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise InvalidInput(
            f"A secret to sign with is {PREFIX} and the base64 of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} random bytes."
        )
    return key
