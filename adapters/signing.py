"""Keys to sign with: Ed25519 (RFC 8032), in PEM files as other tools make and read them."""

import os
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from adapters.folders import sync_folder
from domain.errors import InvalidInput, KeyMissing

KIND = "an Ed25519 key in PEM"


def make_keys(path: Path) -> Path:
    """Write a new private key to the file, for its owner alone, and the public one beside it, whose name is returned.

    Raises KeyMissing when it cannot be written, or is there already.
    """
    key = Ed25519PrivateKey.generate()
    public = path.with_name(f"{path.name}.pub")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with public.open("wb") as file:
            _write(file, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        sync_folder(path.parent)  # nothing else has the key with which checkpoints are signed from now on
    except OSError as error:
        raise KeyMissing(f"The key {path} cannot be written: {error.strerror}.") from error
    return public


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in the file. Raises KeyMissing."""
    try:
        key = load_pem_private_key(_content(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyMissing(f"The file {path} does not hold {KIND} without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyMissing(f"The file {path} does not hold {KIND}.")
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """The key in the file. Raises KeyMissing."""
    try:
        key = load_pem_public_key(_content(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyMissing(f"The file {path} does not hold {KIND}.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyMissing(f"The file {path} does not hold {KIND}.")
    return key


def name_of(key: Ed25519PublicKey) -> str:
    """The 32 bytes of the key, in hex."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def is_signed(statement: bytes, signature: str, key: Ed25519PublicKey) -> bool:
    """Whether the owner of the key has signed the statement. Raises InvalidInput for a signature that is no hex."""
    try:
        key.verify(bytes.fromhex(signature), statement)
    except InvalidSignature:
        return False
    except ValueError as error:
        raise InvalidInput("The signature is not in hex.") from error
    return True


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyMissing(f"The key {path} cannot be read: {error.strerror}.") from error
