"""Who asks: the environment that a secret key opens, what it may see, and what a request says of itself."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from app.reader import Reader
from app.service import Service, digest_of
from app.web.errors import Unauthorized
from domain.environment import Environment
from domain.errors import NotFound, TooLarge, Unavailable
from domain.events import Recorded

V4_API = "2025-07-16"


class Caller(NamedTuple):
    """A request with a valid key. `actor` names the key in the ledger, `cause` the request."""

    environment: Environment
    actor: str
    cause: str
    speaks_v4: bool
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
    """The caller of a request. Raises Unauthorized."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Invalid or Missing API Key: send the header Authorization: Bearer <secret key>.")
    reader, sha256 = await reader_of(request), digest_of(key.strip())
    environment = await reader.environment_of(sha256)
    if environment is None:
        raise Unauthorized("Invalid or Missing API Key: this key opens no environment here.")
    request_key = request.headers.get("x-trigger-request-idempotency-key")
    cause = f"{request.method} {request.url.path}"
    v4 = request.headers.get("x-trigger-api-version") == V4_API
    return Caller(environment, f"key:{sha256[:12]}", cause[:200], v4, request_key)


ReaderDep = Annotated[Reader, Depends(reader_of)]
ServiceDep = Annotated[Service, Depends(service_of)]
CallerDep = Annotated[Caller, Depends(caller_of)]


async def history_of(run: str, reader: Reader, caller: Caller) -> Sequence[Recorded]:
    """All events of a run of the caller's environment. Raises NotFound."""
    history = await reader.history(run) if run.startswith("run_") else ()
    if not history or history[0].environment != caller.environment.id:
        raise NotFound(f"Run {run} not found.")
    return history


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
