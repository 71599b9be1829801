"""Who asks: the environment that a secret key opens, what it may see, and what a request says of itself."""

import hmac
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

from app.engine.environments import KEY_ID_LENGTH, digest_of
from app.engine.reader import Reader
from app.public_tokens import Grant, NotValid, environment_in, verified
from app.service import Service
from app.web.errors import Malformed, NotGranted, Unauthorized
from domain import keys
from domain.environment import Environment
from domain.errors import Archived, InvalidInput, NotFound, TooLarge, Unavailable
from domain.events import Recorded, RunArchived
from domain.vocabulary import FULL, V4, Vocabulary, vocabulary_called

V4_API = "2025-07-16"
WRONG_KEY = "Invalid or Missing API Key: this key opens no environment here."
FORWARDED = "x-runfold-forwarded"
"""Says that a node sent the request on, and where the client had found that node."""
REQUEST_KEY = "x-trigger-request-idempotency-key"
"""The key of a single request, the same each time that it is sent."""


class Caller(NamedTuple):
    """A request with a valid key or token. `actor` names that in the ledger, `cause` the request."""

    environment: Environment
    actor: str
    cause: str
    vocabulary: Vocabulary
    request_key: str | None
    key: str
    """The secret key; with a public token nothing."""
    sha256: str
    """Of the secret key, or of the token."""
    grant: Grant | None = None
    """What a public token lets its holder do; None with a secret key, which may do all."""

    @property
    def once(self) -> str | None:
        """The stream in which the use of a token for one use is noted."""
        if self.grant is None or not self.grant.is_for_one_use:
            return None
        return keys.stream_of(self.environment.id, "public token", "", self.grant.sha256)


class Keeper(NamedTuple):
    """Who asks about environments and keys: with the admin key of all, else with a key of this environment's own."""

    environment: Environment | None
    actor: str
    cause: str
    request_key: str | None


# These are `async`, because FastAPI would send each request through a thread for each of them otherwise.
async def reader_of(request: Request) -> Reader:
    """What this node answers from: it is another one after a takeover."""
    reader = request.app.state.reader_now()
    assert isinstance(reader, Reader)
    return reader


async def service_of(request: Request) -> Service:
    """The engine, for what only the writer can do. Raises Unavailable on a node that ceased to be it just now."""
    service = request.app.state.reader_now()
    if not isinstance(service, Service):
        raise Unavailable("Another node writes now: ask again.")
    return service


async def caller_of(request: Request) -> Caller:
    """Who calls with a secret key. Raises Unauthorized, Forbidden, Malformed for a vocabulary that there is none of."""
    caller = await visitor_of(request)
    if caller.grant is not None:
        raise NotGranted("Public tokens do not open this: use a secret key.")
    return caller


async def visitor_of(request: Request) -> Caller:
    """Who calls with a secret key, or a public token, of which the route checks what it grants. Raises as above."""
    key = _sent_key(request)
    sha256 = digest_of(key)
    reader = await reader_of(request)
    request_key = request.headers.get(REQUEST_KEY)
    said = _cause_of(request), _vocabulary_of(request), request_key
    environment = await reader.environment_of(sha256)
    if environment is not None:
        return Caller(environment, f"key:{sha256[:KEY_ID_LENGTH]}", *said, key, sha256)
    named = environment_in(key)
    environment = await reader.environment_with(named) if named is not None else None
    if environment is None:
        raise Unauthorized(WRONG_KEY)
    try:
        grant = verified(key, environment, reader.keyring.keys_of(environment), reader.clock.now().wall)
    except NotValid as error:
        raise Unauthorized(f"This public token is not valid: {error}.") from error
    return Caller(environment, f"token:{sha256[:KEY_ID_LENGTH]}", *said, "", sha256, grant)


async def keeper_of(request: Request) -> Keeper:
    """The keeper who sends a request. Raises Unauthorized."""
    sha256 = digest_of(_sent_key(request))
    said = _cause_of(request), request.headers.get(REQUEST_KEY)
    admin: str | None = request.app.state.admin_sha256
    if admin is not None and hmac.compare_digest(sha256, admin):
        return Keeper(None, "admin", *said)
    return Keeper(await _opened(request, sha256), f"key:{sha256[:KEY_ID_LENGTH]}", *said)


def sha256_sent(request: Request) -> str | None:
    """The hash of the key that comes with a request, None if there is none."""
    key = _bearer(request)
    return digest_of(key) if key else None


def _sent_key(request: Request) -> str:
    if key := _bearer(request):
        return key
    raise Unauthorized("Invalid or Missing API Key: send the header Authorization: Bearer <secret key>.")


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def _opened(request: Request, sha256: str) -> Environment:
    environment = await (await reader_of(request)).environment_of(sha256)
    if environment is None:
        raise Unauthorized(WRONG_KEY)
    return environment


def _cause_of(request: Request) -> str:
    return f"{request.method} {request.scope['path']}"[:200]


def _vocabulary_of(request: Request) -> Vocabulary:
    """The one that the request asks for, else that of the API version it was written for."""
    asked = request.query_params.get("vocabulary") if request.scope["query_string"] else None
    if asked is None:
        return V4 if request.headers.get("x-trigger-api-version") == V4_API else FULL
    try:
        return vocabulary_called(asked)
    except InvalidInput as error:
        raise Malformed(str(error)) from error


ReaderDep = Annotated[Reader, Depends(reader_of)]
ServiceDep = Annotated[Service, Depends(service_of)]
CallerDep = Annotated[Caller, Depends(caller_of)]
VisitorDep = Annotated[Caller, Depends(visitor_of)]
KeeperDep = Annotated[Keeper, Depends(keeper_of)]


async def history_of(run: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    """All events of a run of the caller's environment. Raises NotFound."""
    history = await reader.history(run) if run.startswith("run_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Run {run} not found.")
    last = history[-1].event
    if isinstance(last, RunArchived):
        raise Archived(
            f"Run {run} was archived in segment {last.segment}: it can be looked at, and nothing else is done with it."
        )
    return history


def origin_of(service: Service, caller: Caller) -> dict[str, Any]:
    """What every command of a request says of where it comes from."""
    at = service.clock.now().wall
    return {"environment": caller.environment.id, "actor": caller.actor, "cause": caller.cause, "at": at}


def public_url_of(request: Request) -> str:
    """Where others find this API: as set, or where the client found it, also if another node sent the request on."""
    public_url: str | None = request.app.state.public_url
    found_at = public_url or request.headers.get(FORWARDED, "")
    if not found_at.startswith(("http://", "https://")):
        found_at = str(request.base_url)
    return found_at.rstrip("/")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, if it is not too large. Raises TooLarge before more than that is read."""
    too_large = TooLarge(f"Request body too large: at most {max_bytes} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)
