"""A waitpoint token as the engine tells of it."""

from datetime import datetime
from typing import Any

import msgspec

from runfold.answers import read
from runfold.run import RunError


class Token(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A token that runs can wait for. Whoever has the `url` completes it by a POST, without a key."""

    id: str
    url: str
    is_cached: bool = False
    """The idempotency key was known: this is the token that was made then."""


class TokenState(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A token at one moment. Lists leave out `output` and `error`."""

    id: str
    url: str
    status: str
    """WAITING, COMPLETED or TIMED_OUT."""
    tags: tuple[str, ...] = ()
    created_at: datetime
    completed_at: datetime | None = None
    """When somebody completed it, or its time was over."""
    timeout_at: datetime | None = None
    idempotency_key: str | None = None
    idempotency_key_expires_at: datetime | None = None
    output: Any = None
    """What it was completed with."""
    output_type: str = "application/json"
    error: RunError | None = None
    """That it timed out."""


TokenRef = str | Token | TokenState
"""A token, by id or by what calls answer."""


class _Outcome(msgspec.Struct, rename="camel"):
    """The output travels as JSON text inside the JSON, unless it is plain text; an error as well."""

    output: str | None = None
    output_is_error: bool = False


class _TimedOut(msgspec.Struct):
    code: str | None = None
    message: str = ""


def id_of(token: TokenRef) -> str:
    return token if isinstance(token, str) else token.id


def read_token(content: bytes) -> TokenState:
    """The token with its output as JSON has it."""
    token = read(content, TokenState)
    output, error = read_completion(content, token.output_type)
    return msgspec.structs.replace(token, output=output, error=error)


def read_completion(content: bytes, output_type: str) -> tuple[Any, RunError | None]:
    """The output that a token was completed with, or that it timed out; neither while it waits."""
    outcome = read(content, _Outcome)
    if outcome.output is None:
        return None, None
    if outcome.output_is_error:
        told = msgspec.json.decode(outcome.output, type=_TimedOut)
        return None, RunError(message=told.message, name=told.code)
    return outcome.output if output_type.startswith("text/plain") else msgspec.json.decode(outcome.output), None
