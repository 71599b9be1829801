"""Values that only this engine can read: each is sealed with a key of its own, and that key with a master key.

A sealed value is text: `1.` (the format), the name of the master key, and base64 of the wrapped key and the ciphertext,
both AES-256-GCM. For whom and for what it was sealed is authenticated with it: at any other place it does not open.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import InvalidInput, KeyMissing, SealBroken

FORMAT = "1"
KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_WRAPPED_BYTES = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES


class MasterKey:
    """32 random bytes. Its name tells it from others and is no secret: the first 8 hex digits of its SHA-256."""

    __slots__ = ("_key", "name")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise InvalidInput(f"an encryption key is {KEY_BYTES} bytes, as hex or base64")
        self._key = key
        self.name = hashlib.sha256(key).hexdigest()[:8]

    @classmethod
    def parse(cls, text: str) -> "MasterKey":
        """A key as people write it: 64 hex digits, or base64. Raises InvalidInput without telling what it was."""
        try:
            return cls(bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True))
        except ValueError:
            raise InvalidInput(f"an encryption key is {KEY_BYTES} bytes, as hex or base64") from None

    @property
    def text(self) -> str:
        """The key itself, in hex."""
        return self._key.hex()

    @property
    def cipher(self) -> AESGCM:
        """What wraps and unwraps with it."""
        return AESGCM(self._key)

    def signature(self, purpose: str, text: str) -> str:
        """HMAC-SHA256 in hex, by a key that is made of this one for the purpose alone."""
        derived = hmac.digest(self._key, f"signature of {purpose}".encode(), "sha256")
        return hmac.digest(derived, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def __repr__(self) -> str:
        return f"MasterKey({self.name})"


class Vault:
    """Seals with the first of its keys, and opens with any. `kept` finds the key kept beside the database, if one is.

    `keep` makes that key when something has to be sealed and there is none; without `keep` that is refused.
    """

    def __init__(
        self,
        keys: Sequence[MasterKey],
        randbytes: Callable[[int], bytes],
        *,
        kept: Callable[[], MasterKey | None] = lambda: None,
        keep: Callable[[], MasterKey] | None = None,
    ) -> None:
        self._keys = list(keys)
        self.randbytes = randbytes
        self._kept = kept
        self._keep = keep

    def first_key(self) -> MasterKey:
        """The key that seals now. Raises KeyMissing."""
        known = self._keys[0] if self._keys else self._kept()
        if known:
            return known
        if self._keep is None:
            raise KeyMissing(
                "There is no key to encrypt this with: start the engine with RUNFOLD_ENCRYPTION_KEY, 32 random bytes"
                " in hex or base64, such as `openssl rand -hex 32` prints."
            )
        return self._keep()

    def has(self, name: str) -> bool:
        """Whether it opens what is sealed with the key of this name."""
        if any(key.name == name for key in self._keys):
            return True
        kept = self._kept()
        return kept is not None and kept.name == name

    def seal(self, value: bytes, environment: str, purpose: str, name: str) -> str:
        """The value as it may be stored, for this place alone. Raises KeyMissing."""
        master = self.first_key()
        place = _place(master.name, environment, purpose, name)
        data_key = self.randbytes(KEY_BYTES)
        nonces = self.randbytes(_NONCE_BYTES), self.randbytes(_NONCE_BYTES)
        wrapped = nonces[0] + master.cipher.encrypt(nonces[0], data_key, place)
        encrypted = nonces[1] + AESGCM(data_key).encrypt(nonces[1], value, place)
        return f"{FORMAT}.{master.name}.{base64.b64encode(wrapped + encrypted).decode()}"

    def open(self, sealed: str, environment: str, purpose: str, name: str) -> bytes:
        """What was sealed for this place. Raises KeyMissing, SealBroken."""
        wanted, packed = _parts(sealed, f"{purpose} {name}")
        master = next((key for key in self._keys if key.name == wanted), None) or self._kept()
        if master is None or master.name != wanted:
            raise KeyMissing(
                f"The {purpose} {name} is encrypted with key {wanted}, which is not here: add it to"
                " RUNFOLD_ENCRYPTION_KEY, behind a comma, or bring its file back."
            )
        place = _place(wanted, environment, purpose, name)
        wrapped, encrypted = packed[:_WRAPPED_BYTES], packed[_WRAPPED_BYTES:]
        try:
            data_key = master.cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], place)
            return AESGCM(data_key).decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], place)
        except InvalidTag:
            raise SealBroken(f"The {purpose} {name} cannot be decrypted: it was changed or moved.") from None

    def sign(self, purpose: str, text: str) -> str:
        """What shows later that this text was given out here. Raises KeyMissing."""
        return self.first_key().signature(purpose, text)

    def is_signature(self, purpose: str, text: str, signature: str) -> bool:
        """Whether it is what `sign` gave, with any of the keys."""
        kept = self._kept()
        keys = [*self._keys, *([kept] if kept else [])]
        # As bytes, because what strangers send need not be ASCII.
        given = signature.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(key.signature(purpose, text).encode(), given) for key in keys)


def key_name_of(sealed: str) -> str:
    """The name of the master key that a value is sealed with."""
    return sealed.split(".")[1]


def _parts(sealed: str, what: str) -> tuple[str, bytes]:
    form, _, rest = sealed.partition(".")
    name, _, text = rest.partition(".")
    try:
        packed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        packed = b""
    if form != FORMAT or len(packed) < _WRAPPED_BYTES + _NONCE_BYTES + _TAG_BYTES:
        raise SealBroken(f"The {what} cannot be decrypted: it is not of a format that is known here.")
    return name, packed


def _place(key: str, environment: str, purpose: str, name: str) -> bytes:
    # JSON keeps the parts apart, whatever is in them.
    return json.dumps([FORMAT, key, environment, purpose, name]).encode()
