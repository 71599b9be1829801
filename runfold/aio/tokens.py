"""Make waitpoint tokens, complete them and look at them. A token is named by its id, or by what a call answered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack
from urllib.parse import quote

from runfold import current, transport
from runfold.answers import read
from runfold.codec import encode, encode_payload
from runfold.durations import Duration
from runfold.filters import any_of, check_names, epoch_ms_text, seconds_text
from runfold.options import delay_on_wire
from runfold.pages import AsyncTokenList
from runfold.sending import send_once
from runfold.token import Token, TokenRef, TokenState, id_of, read_token
from runfold.triggering import NOTHING

PATH = "/api/v1/waitpoints/tokens"


class TokenFilters(TypedDict, total=False):
    """Several values of one filter widen the list, several filters narrow it. None means no filter."""

    status: str | Sequence[str] | None
    tag: str | Sequence[str] | None
    idempotency_key: str | None
    created_from: datetime | None
    created_to: datetime | None
    period: Duration | None
    """Tokens created within this long before now."""
    limit: int | None
    """How many tokens a page has, at most 100."""


async def create_token(
    *,
    timeout: Duration | datetime | None = None,  # noqa: ASYNC109 (the token's, not that of the call)
    idempotency_key: str | None = None,
    idempotency_key_ttl: Duration | None = None,
    tags: str | Sequence[str] | None = None,
) -> Token:
    """Make a token; without `timeout` it waits for ever. A second call with the same key answers with the first one.

    In the code of a run it is a step: the code gets the same token however often it is run again.
    """
    given = {
        "timeout": None if timeout is None else delay_on_wire(timeout),
        "idempotencyKey": idempotency_key,
        "idempotencyKeyTTL": None if idempotency_key_ttl is None else seconds_text(idempotency_key_ttl),
        "tags": tags,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    step, journal = current.current_writing()
    if step is not None:
        return await _create({"idempotencyKey": step.of_trigger(), **asked})
    if journal is None:
        return await _create(asked)

    async def send(key: str) -> Token:
        return await _create({"idempotencyKey": key, **asked})

    return await send_once(journal, "create token", asked, send, Token)


async def complete_token(token: TokenRef, data: Any = NOTHING) -> None:
    """Let those who wait for it go on with `data`; a token that is over stays as it is."""
    body = {} if data is NOTHING else {"data": encode_payload(data)}
    await transport.default.call("POST", f"{_path(token)}/complete", body=encode(body))


async def retrieve_token(token: TokenRef) -> TokenState:
    """The token as it is now."""
    return read_token(await transport.default.call("GET", _path(token)))


def list_tokens(**filters: Unpack[TokenFilters]) -> AsyncTokenList:
    """Tokens, newest first, as far as the filters let them through."""
    check_names(filters, _WIRE)
    given: Mapping[str, Any] = filters
    query = {wire: convert(value) for name, (wire, convert) in _WIRE.items() if (value := given.get(name)) is not None}
    return AsyncTokenList(query)


async def _create(asked: dict[str, Any]) -> Token:
    return read(await transport.default.call("POST", PATH, body=encode(asked)), Token)


def _path(token: TokenRef) -> str:
    return f"{PATH}/{quote(id_of(token), safe='')}"


_WIRE: dict[str, tuple[str, Callable[[Any], str]]] = {
    "status": ("filter[status]", any_of),
    "tag": ("filter[tags]", any_of),
    "idempotency_key": ("filter[idempotencyKey]", str),
    "created_from": ("filter[createdAt][from]", epoch_ms_text),
    "created_to": ("filter[createdAt][to]", epoch_ms_text),
    "period": ("filter[createdAt][period]", seconds_text),
    "limit": ("page[size]", str),
}
