"""Public tokens for tests: those that the engine signs, and those that somebody signs who has a key."""

import warnings
from typing import Any

import jwt
from jwt.warnings import InsecureKeyLengthWarning

from app.public_tokens import AUDIENCE, ISSUER
from tests.app.harness import KEY, Engine

TOKENS = "/api/v1/auth/public-tokens"


async def make_token(engine: Engine, *scopes: str, **more: Any) -> str:
    """A token of the engine with these scopes."""
    answer = await engine.post(TOKENS, {"scopes": list(scopes)} | more)
    token: str = answer["token"]
    return token


def signed_token(key: str = KEY, algorithm: str = "HS256", **changed: Any) -> str:
    """A token that is signed with this key; None for a claim leaves it out."""
    claims = {"sub": "", "pub": True, "scopes": ["read:runs"], "iss": ISSUER, "aud": AUDIENCE, "exp": 2**32} | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    with warnings.catch_warnings(action="ignore", category=InsecureKeyLengthWarning):
        return jwt.encode(claims, key, algorithm)
