"""The public token that comes with what was made just now, so that a browser can watch it."""

import re

import msgspec
from fastapi.responses import Response

from app import public_tokens
from app.public_tokens import HANDLE_SECONDS
from app.service import Service
from app.web.caller import Caller
from domain.vocabulary import V4

TOKEN_HEADER, CLAIMS_HEADER = "x-trigger-jwt", "x-trigger-jwt-claims"
SIGNED_HERE = re.compile(r"tr_(dev|stg|prod|preview)_sk_[0-9a-zA-Z]{24}")
"""With secret keys of this shape the official SDK signs nothing by itself."""


def hand_token(
    response: Response, caller: Caller, service: Service, *scopes: str, seconds: int = HANDLE_SECONDS
) -> None:
    """Tell the official SDK what the handle's token claims; signed, where it cannot sign it itself."""
    if caller.vocabulary is not V4:
        return  # nobody else looks for it
    environment = caller.environment
    response.headers[CLAIMS_HEADER] = msgspec.json.encode(public_tokens.claims_of(environment.id)).decode()
    key = caller.key if SIGNED_HERE.fullmatch(caller.key) else None
    if caller.grant is not None:
        # Whoever has but a token cannot sign; what it triggered it may watch.
        key = next(iter(service.keyring.keys_of(environment)), None)
    if key is not None:
        now = service.clock.now().wall
        response.headers[TOKEN_HEADER] = public_tokens.signed(key, environment.id, scopes, now, now + seconds * 1_000)
