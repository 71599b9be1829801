"""Routes about waitpoint tokens: make one, complete it with a key or by its URL, look at one and at many."""

import hmac
from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request
from fastapi.responses import Response
from msgspec import Raw

from app.engine.reader import Reader
from app.history.outcomes import completion_of, token_row_of
from app.history.walking import tokens_then
from app.names import tags_of
from app.newruns.making import KEY_MAX, KEY_TTL_MS
from app.service import Service
from app.values import PAYLOAD_MAX_BYTES, stored
from app.web import bodies, shapes, token_listing
from app.web.caller import Caller, CallerDep, ReaderDep, ServiceDep, VisitorDep, origin_of, public_url_of, read_body
from app.web.docs import ANY_BODY, CALLBACK_PATH, TOKEN_LIST_PARAMETERS, TOKENS_PATH, body_of
from app.web.errors import LengthRequired, Unauthorized
from app.web.grants import must
from app.web.handles import hand_token
from app.web.history import AS_OF, AsOf, moment_asked, up_to
from app.web.listing import each_once
from app.web.paging import page_of, page_then
from app.web.routing import room
from app.web.triggering import ENVELOPE_MAX_BYTES, json, request_of
from domain import commands, durations, keys
from domain.errors import InvalidInput, NotFound
from domain.events import JSON_TYPE, Event, Recorded, WaitpointCreated
from domain.nesting import NESTING_MAX
from domain.request_keys import HOUR_MS
from projections.waitpoints import WAITPOINT, WaitpointRow

router = room("waitpoint tokens")
BODY_MAX_BYTES = 131_072
SECRET_BYTES = 16
HANDLE_SECONDS = 86_400
"""How long the public token that comes with a new one completes it."""
CALLBACK = "callback"
"""The actor of what a callback does: nobody knows who calls."""


@router.post(TOKENS_PATH, openapi_extra=body_of("CreateTokenRequest", required=False))
async def create(request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Make a token that runs can wait for. Answers `{"id", "isCached", "url"}` when it is committed."""
    body = _decoded(await read_body(request, BODY_MAX_BYTES), bodies.CreateTokenBody)
    asked = _new_token(body, service, caller)
    made: commands.CreatedWaitpoint = await service.loop.submit(asked)
    token, secret = made.waitpoint, asked.secret
    if made.cached:
        secret = token_row_of(await _history_of(token, service, caller)).secret
    is_cached = made.cached and body.idempotency_key is not None
    url = shapes.callback_url(token, secret, public_url_of(request))
    response = json({"id": token, "isCached": is_cached, "url": url})
    hand_token(response, caller, service, f"write:waitpoints:{token}", seconds=HANDLE_SECONDS)
    return response


@router.get(TOKENS_PATH, openapi_extra=TOKEN_LIST_PARAMETERS)
async def list_tokens(request: Request, reader: ReaderDep, caller: CallerDep) -> Response:
    """The tokens of the environment without what completed them, newest first, the caller's own writes included."""
    parameters = each_once(request.query_params)
    moment = await moment_asked(parameters.get(AS_OF), reader)
    query = token_listing.query_of(parameters, moment.wall if moment else reader.clock.now().wall)

    def item(row: WaitpointRow) -> dict[str, Any]:
        return shapes.token_item(row, public_url_of(request))

    environment, wanted, size, read_models = caller.environment.id, query.filter, query.size, reader.read_models
    if moment is None:
        return await page_of(
            reader,
            query,
            lambda after, before: read_models.list_waitpoints(environment, wanted, size, after=after, before=before),
            item,
        )
    return await page_then(
        reader,
        moment,
        query,
        lambda after, before: tokens_then(reader.ledger, read_models, environment, wanted, size, moment, after, before),
        item,
    )


@router.get(f"{TOKENS_PATH}/{{token}}")
async def retrieve(token: str, request: Request, reader: ReaderDep, caller: VisitorDep, as_of: AsOf = None) -> Response:
    """A token as it is or was, with what completed it: JSON as text under `output`, plain text if that is its type."""
    must(caller, "read", ("waitpoints", token))
    moment = await moment_asked(as_of, reader)
    history = up_to(moment, await _history_of(token, reader, caller), f"Token {token}")
    completed = await reader.read(completion_of, reader.ledger, history)
    return json(shapes.token_item(token_row_of(history), public_url_of(request)) | completed)


@router.post(f"{TOKENS_PATH}/{{token}}/complete", openapi_extra=body_of("CompleteTokenRequest", required=False))
async def complete(token: str, request: Request, service: ServiceDep, caller: VisitorDep) -> Response:
    """Complete a token with `data`, any JSON. Safe to repeat: what completed it first stays, and so does a timeout."""
    must(caller, "write", ("waitpoints", token))
    text = await read_body(request, PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES)
    body = _decoded(text, bodies.CompleteTokenBody)
    await _complete(service, token, body.data, body.output_type or JSON_TYPE, origin_of(service, caller))
    return json({"success": True})


@router.post(CALLBACK_PATH, openapi_extra=ANY_BODY)
async def call_back(token: str, secret: str, request: Request, service: ServiceDep) -> Response:
    """Complete a token by its URL alone, without a key: the body becomes the output, `{}` if it is no JSON."""
    if not request.headers.get("content-length"):
        raise LengthRequired("A callback says how long its body is: send the header Content-Length.")
    history = await service.history(token) if token.startswith(f"{WAITPOINT}_") else ()
    first = history[0] if history else None
    # One answer for all that is wrong, so that strangers cannot find out which tokens there are.
    if first is None or not _opens(secret, first.event):
        raise Unauthorized("This is not the callback URL of any token.")
    output = _json_or_empty(await read_body(request, PAYLOAD_MAX_BYTES))
    # The path is left out from the secret on: the cause of an event is not where one would look for it.
    cause = f"{request.method} {TOKENS_PATH}/{token}/{CALLBACK}"
    origin = {"environment": first.environment, "actor": CALLBACK, "cause": cause}
    await _complete(service, token, output, JSON_TYPE, origin | {"at": service.clock.now().wall})
    return json({"success": True})


def _new_token(body: bodies.CreateTokenBody, service: Service, caller: Caller) -> commands.CreateWaitpoint:
    origin = origin_of(service, caller)
    now, key = origin["at"], body.idempotency_key
    if key is not None and not 0 < len(key) <= KEY_MAX:
        raise InvalidInput(f"An idempotency key has 1 to {KEY_MAX} characters; this one has {len(key)}.")
    ttl = body.idempotency_key_ttl
    key_until = now + (KEY_TTL_MS if ttl is None else durations.parse_key_ttl(ttl))
    return commands.CreateWaitpoint(
        waitpoint=service.ids.new(WAITPOINT, now),
        # A secret of its own for each: an HMAC would need a key that all nodes have, and of API keys there are hashes.
        secret=service.vault.randbytes(SECRET_BYTES).hex(),
        timeout_at=durations.parse_delay(body.timeout, now) if body.timeout is not None else None,
        tags=tags_of([] if body.tags is None else body.tags, "token"),
        idempotency_key=key,
        # Without a key of the user's, the same request sent again is known by its own.
        key=request_of(caller, "token") if key is None else keys.stream_of(caller.environment.id, WAITPOINT, "", key),
        key_until=now + HOUR_MS if key is None else key_until,
        **origin,
    )


async def _complete(service: Service, token: str, data: Raw, output_type: str, origin: dict[str, Any]) -> None:
    output, blob, blobs = stored(data, f"{token}/output", PAYLOAD_MAX_BYTES, "output")
    await service.loop.submit(
        commands.CompleteWaitpoint(
            waitpoint=token, output=output, output_blob=blob, output_type=output_type, blobs=blobs, **origin
        )
    )


def _opens(secret: str, created: Event) -> bool:
    return isinstance(created, WaitpointCreated) and hmac.compare_digest(created.secret.encode(), secret.encode())


def _decoded(text: bytes, shape: type[bodies.T]) -> bodies.T:
    """A body of this shape; an empty one says nothing."""
    return bodies.decode(text if text.strip() else b"{}", shape)


def _json_or_empty(text: bytes) -> Raw:
    try:
        text.decode()
        msgspec.json.decode(text)
    except RecursionError as error:
        raise InvalidInput(f"The output is nested too deeply: more than {NESTING_MAX} levels.") from error
    except (UnicodeDecodeError, msgspec.DecodeError):
        return Raw(b"{}")
    return Raw(text.strip())


async def _history_of(token: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    history = await reader.history(token) if token.startswith(f"{WAITPOINT}_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Waitpoint {token} not found.")
    return history
