"""Public tokens: JWTs that open a part of an environment to browsers, signed with one of its secret keys (HS256).

Trigger.dev's SDK signs them by itself, with the text of the key, so that must be known here to verify them: each key
is kept sealed beside its hash.
"""

import hashlib
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import jwt
import msgspec
import structlog
from jwt.types import Options
from jwt.warnings import InsecureKeyLengthWarning
from msgspec import Meta, Struct

from adapters.secrets import Vault
from domain.environment import Environment
from domain.errors import InvalidInput, KeyMissing, SealBroken

log = structlog.get_logger(__name__)

ISSUER, AUDIENCE = "https://id.trigger.dev", "https://api.trigger.dev"
ALGORITHM = "HS256"
TOKEN_MAX = 8_192
SCOPES_MAX = 100
HANDLE_SECONDS = 3_600
"""How long what comes with a new run or batch lets its caller watch that."""
_PURPOSE = "api key"
_jwt = jwt.PyJWT()
OPTIONS: Options = {"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}
"""What time it is, the caller knows."""


class NotValid(Exception):
    """A token that opens nothing; the message says why."""


class Grant(NamedTuple):
    """What a public token lets its holder do. `sha256` tells it from others, `expires_at` is in milliseconds.

    `signed_by` is the SHA-256 of the secret key whose signature it bears.
    """

    scopes: tuple[str, ...]
    sha256: str
    expires_at: int
    signed_by: str
    is_for_one_use: bool = False
    skip_columns: tuple[str, ...] = ()

    def allows(self, action: str, resources: Sequence[tuple[str, str]]) -> bool:
        """Whether a scope names this action and one of these resources, each a kind and an id, or all of a kind."""
        return any(_covers(scope, action, kind, name) for scope in self.scopes for kind, name in resources)


def _covers(scope: str, action: str, kind: str, name: str) -> bool:
    if scope == "admin":
        return True
    did, *rest = scope.split(":", 2)
    if not rest or did not in {action, "*"}:
        return False
    # All of a kind is asked for with no id, and a scope whose id is empty names none.
    return rest[0] == "all" or (rest[0] == kind and (len(rest) == 1 or rest[1] == name != ""))


def seal_key(vault: Vault, environment: str, sha256: str, key: str) -> str | None:
    """A secret key as it may be stored; None where nothing can be encrypted, and so no token be verified."""
    try:
        return vault.seal(key.encode(), environment, _PURPOSE, sha256)
    except KeyMissing as error:
        log.warning("a key is not kept, so no public token can be signed with it", reason=str(error))
        return None


class Keyring:
    """The secret keys of environments, opened when they are needed first."""

    def __init__(self, vault: Vault) -> None:
        self._open = lru_cache(1_000)(vault.open)

    def open(self, environment: str, sha256: str, sealed: str) -> str:
        """A key. Raises KeyMissing, SealBroken."""
        return self._open(sealed, environment, _PURPOSE, sha256).decode()

    def keys_of(self, environment: Environment) -> list[str]:
        """Those that tokens of an environment may be signed with."""
        found: list[str] = []
        for sha256, sealed in environment.sealed_keys.items():
            try:
                found.append(self.open(environment.id, sha256, sealed))
            except (KeyMissing, SealBroken) as error:
                log.warning("a key cannot be opened, so no public token of it can be verified", reason=str(error))
        return found


def environment_in(token: str) -> str | None:
    """The id of the environment that a token says it is for; None for what is no token at all. Nothing is verified."""
    if token.count(".") != 2 or len(token) > TOKEN_MAX:
        return None
    try:
        claims = _jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    named = claims.get("sub")
    return named if isinstance(named, str) else ""


def verified(token: str, environment: Environment, keys: Sequence[str], now: int) -> Grant:
    """What a token grants. Raises NotValid."""
    if not keys:
        raise NotValid(
            "this environment has no key that public tokens can be verified with: set RUNFOLD_ENCRYPTION_KEY if the"
            " database is PostgreSQL, and make a new key"
        )
    claims, key = _claims_of(token, keys)
    if claims.sub != environment.id:
        raise NotValid("it is for another environment")
    expires_at = int(claims.exp * 1_000)
    if expires_at <= now:
        raise NotValid("it has expired")
    sha256, signed_by = (hashlib.sha256(each.encode()).hexdigest() for each in (token, key))
    return Grant(claims.scopes, sha256, expires_at, signed_by, claims.otu, claims.realtime.skip_columns)


class _Realtime(Struct, rename="camel", frozen=True):
    skip_columns: tuple[str, ...] = ()


class _Claims(Struct):
    sub: str
    exp: Annotated[float, Meta(ge=0, le=2**40)]
    scopes: tuple[str, ...]
    otu: bool = False
    realtime: _Realtime = _Realtime()


def _claims_of(token: str, keys: Sequence[str]) -> tuple[_Claims, str]:
    """What a token claims, and which of the keys signed it. Raises NotValid."""
    for key in keys:
        try:
            with _short_keys_allowed():
                claims = _jwt.decode(token, key, [ALGORITHM], options=OPTIONS, audience=AUDIENCE, issuer=ISSUER)
            return msgspec.convert(claims, _Claims), key
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            raise NotValid(str(error).rstrip(".")) from error
        except msgspec.ValidationError as error:
            raise NotValid(f"its claims cannot be read: {error}") from error
    raise NotValid("no key of the environment has signed it")


def signed(key: str, environment: str, scopes: Sequence[str], now: int, expires_at: int, **claims: Any) -> str:
    """A token for an environment, by its id; times are in milliseconds. Raises InvalidInput."""
    if not 1 <= len(scopes) <= SCOPES_MAX:
        raise InvalidInput(f"A public token has 1 to {SCOPES_MAX} scopes; this one has {len(scopes)}.")
    if expires_at <= now:
        raise InvalidInput("A public token expires in the future.")
    said = claims_of(environment) | {"scopes": [*scopes], "iss": ISSUER, "aud": AUDIENCE} | claims
    with _short_keys_allowed():
        return _jwt.encode(said | {"iat": now // 1_000, "exp": expires_at // 1_000}, key, ALGORITHM)


def claims_of(environment: str) -> dict[str, Any]:
    """What every token of an environment claims."""
    return {"sub": environment, "pub": True}


@contextmanager
def _short_keys_allowed() -> Generator[None]:
    """A key of one's own may be shorter than the library would have it; it is long enough to open the environment."""
    with warnings.catch_warnings(action="ignore", category=InsecureKeyLengthWarning):
        yield
