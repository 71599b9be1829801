"""Environments by their slugs and their secret keys, read off the ledger: any node can."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from adapters.secrets import Vault
from app.engine.aggregates import until
from app.engine.reader import Reader
from app.public_tokens import seal_key
from domain import states
from domain.environment import DEVELOPMENT, PREFIXES, Environment
from domain.errors import NotAllowed, NotFound
from domain.events import ApiKeyCreated, ApiKeyRevoked, Recorded

KEY_ID_LENGTH = 12
_SLUGS = {"DEVELOPMENT": "dev", "STAGING": "staging", "PRODUCTION": "prod", "PREVIEW": "preview"}
_RANDOM_BYTES = 16
_SHOWN = 4


class KeyRow(NamedTuple):
    """A secret key that opens an environment, as far as it is known: `id` begins its SHA-256."""

    id: str
    sha256: str
    hint: str
    created_at: int
    actor: str


def new_key(kind: str, randbytes: Callable[[int], bytes]) -> str:
    """A secret key for environments of a type."""
    prefix = next(prefix for prefix, known in PREFIXES.items() if known == kind)
    return prefix + randbytes(_RANDOM_BYTES).hex()


def digest_of(key: str) -> str:
    """How a secret key is known here."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def created(key: str, environment: str, vault: Vault) -> ApiKeyCreated:
    """What is written down of a key: enough to know it again, and the key itself as only this engine can read it."""
    sha256 = digest_of(key)
    return ApiKeyCreated(sha256, hint_of(key), seal_key(vault, environment, sha256, key))


def hint_of(key: str) -> str:
    """As much of a secret key as everybody may see."""
    prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), key[:_SHOWN])
    return f"{prefix}…{key[-_SHOWN:]}"


def named_by(key: str | None) -> tuple[str, str]:
    """The slug and the type of the environment that a key in the settings opens: its beginning tells."""
    kind = next((kind for prefix, kind in PREFIXES.items() if key and key.startswith(prefix)), DEVELOPMENT)
    return _SLUGS[kind], kind


async def all_of(reader: Reader, *, upto: int | None = None) -> list[Environment]:
    """Every environment that there is, or was at a position, the oldest first."""
    histories = await reader.read(reader.ledger.read_kind, "env")
    ordered = sorted(histories.values(), key=lambda history: history[0].position)
    return [state for history in ordered if isinstance(state := states.fold(until(upto, history)), Environment)]


async def with_slug(reader: Reader, slug: str) -> Environment:
    """The environment of this name. Raises NotFound."""
    found = next((each for each in await all_of(reader) if each.slug == slug), None)
    if found is None:
        raise NotFound(f"There is no environment {slug}.")
    return found


def keys_in(history: Sequence[Recorded]) -> list[KeyRow]:
    """The keys that open the environment of this history, the oldest first."""
    rows: dict[str, KeyRow] = {}
    for recorded in history:
        match recorded.event:
            case ApiKeyCreated(sha256=sha256, hint=hint):
                rows[sha256] = KeyRow(sha256[:KEY_ID_LENGTH], sha256, hint, recorded.recorded_at, recorded.actor)
            case ApiKeyRevoked(sha256=sha256):
                rows.pop(sha256, None)
            case _:
                pass
    return list(rows.values())


def keys_ever_in(histories: Iterable[Sequence[Recorded]]) -> set[str]:
    """The SHA-256 of all keys that ever opened one of these environments."""
    return {each.event.sha256 for history in histories for each in history if isinstance(each.event, ApiKeyCreated)}


def revocation_of(sha256: str, histories: Iterable[Sequence[Recorded]]) -> Recorded | None:
    """The event that took this key back in one of these environments; None if it opens one, or never did."""
    said = [
        recorded
        for history in histories
        for recorded in history
        if isinstance(recorded.event, ApiKeyCreated | ApiKeyRevoked) and recorded.event.sha256 == sha256
    ]
    last = max(said, key=lambda recorded: recorded.position, default=None)
    return last if last and isinstance(last.event, ApiKeyRevoked) else None


def key_among(rows: Sequence[KeyRow], name: str) -> KeyRow:
    """The key with this hint, or whose SHA-256 begins like this. Raises NotFound, NotAllowed for one of several."""
    named = [row for row in rows if row.hint == name or (len(name) >= KEY_ID_LENGTH and row.sha256.startswith(name))]
    if not named:
        raise NotFound(f"This environment has no key {name}.")
    if len(named) > 1:
        raise NotAllowed(f"{len(named)} keys of this environment look like {name}: name one by its id.")
    return named[0]
