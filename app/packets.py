"""Packets: where payloads that are too large for a trigger are uploaded, by URLs that are good for a while."""

import hashlib
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Raw

from adapters.secrets import Vault
from app.engine.reader import Reader
from app.service import Service
from app.superjson import STORE_TYPE
from domain import commands, states
from domain.errors import InvalidInput, NotFound
from domain.events import JSON_TYPE, BlobRef
from domain.packet import PACKET, Packet

PLAIN_TEXT = "text/plain"
GOOD_FOR_MS = 3_600_000
"""How long a signed URL may be used."""
_PURPOSE = "url of a packet"


def signed_query(vault: Vault, method: str, path: str, environment: str, now: int) -> str:
    """What makes a path a URL that needs no key: for one method, and until a time. Raises KeyMissing."""
    expires = now + GOOD_FOR_MS
    signature = vault.sign(_PURPOSE, _text(method, path, environment, expires))
    return urlencode({"environment": environment, "expires": expires, "signature": signature})


def is_signed(vault: Vault, method: str, path: str, query: dict[str, str], now: int) -> bool:
    """Whether a URL is one that was given out, and is still good."""
    expires = query.get("expires", "")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 15 and now <= int(expires)):
        return False
    text = _text(method, path, query.get("environment", ""), int(expires))
    return vault.is_signature(_PURPOSE, text, query.get("signature", ""))


async def store(service: Service, packet: str, body: bytes, content_type: str, origin: dict[str, Any]) -> None:
    """Keep what was uploaded. Raises InvalidInput for what is no payload, NotAllowed for other content than before."""
    value = _as_json(body, content_type)
    key = f"{packet}/payload"
    blob = BlobRef(key, hashlib.sha256(value).hexdigest(), len(value))
    command = commands.StorePacket(packet=packet, blob=blob, content_type=content_type, blobs={key: value}, **origin)
    await service.loop.submit(command)


async def packet_of(reader: Reader, environment: str, name: str) -> Packet:
    """A packet of an environment that was uploaded. Raises NotFound."""
    found = states.fold(await reader.history(name)) if name.startswith(f"{PACKET}_") else None
    if not isinstance(found, Packet) or found.environment != environment:
        raise NotFound(f"There is no packet {name[:80]}: upload it before it is used.")
    return found


async def content_of(reader: Reader, environment: str, payload: Raw) -> tuple[Raw, str]:
    """What a payload that names a packet stands for, and its media type. Raises InvalidInput."""
    try:
        name = msgspec.json.decode(payload, type=str)
        packet = await packet_of(reader, environment, name)
    except (msgspec.DecodeError, NotFound) as error:
        raise InvalidInput(f"A payload of the type {STORE_TYPE} names a packet that was uploaded: {error}") from error
    value = await reader.value(Raw(b""), packet.blob)
    return value, packet.content_type


def as_uploaded(value: Raw, content_type: str) -> bytes:
    """A stored value as it is downloaded."""
    return msgspec.json.decode(value, type=str).encode() if _is_text(value, content_type) else bytes(value)


def _is_text(value: bytes, content_type: str) -> bool:
    return not content_type.startswith(JSON_TYPE) and bytes(value).startswith(b'"')


def _as_json(body: bytes, content_type: str) -> bytes:
    if not content_type.startswith(PLAIN_TEXT):
        return body
    try:
        return msgspec.json.encode(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(f"A packet of the type {PLAIN_TEXT} is UTF-8: {error}.") from error


def _text(method: str, path: str, environment: str, expires: int) -> str:
    return "\n".join((method, path, environment, str(expires)))
