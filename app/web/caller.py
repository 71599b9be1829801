"""Who asks: the environment that a secret key opens, what it may see, and what a request says of itself."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from app.service import Service, digest_of
from app.web.errors import TooLarge, Unauthorized
from domain.environment import Environment
from domain.errors import NotFound
from domain.events import Recorded

V4_API = "2025-07-16"


class Caller(NamedTuple):
    """A request with a valid key. `actor` names the key in the ledger, `cause` the request."""

    environment: Environment
    actor: str
    cause: str
    speaks_v4: bool
    request_key: str | None


# Both are `async`, because FastAPI would send each request through a thread for each of them otherwise.
async def service_of(request: Request) -> Service:
    """The service behind the application."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


async def caller_of(request: Request) -> Caller:
    """The caller of a request. Raises Unauthorized."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Invalid or Missing API Key: send the header Authorization: Bearer <secret key>.")
    service, sha256 = await service_of(request), digest_of(key.strip())
    for environment in service.loop.engine.memory.environments():
        if sha256 in environment.keys:
            request_key = request.headers.get("x-trigger-request-idempotency-key")
            cause = f"{request.method} {request.url.path}"
            v4 = request.headers.get("x-trigger-api-version") == V4_API
            return Caller(environment, f"key:{sha256[:12]}", cause[:200], v4, request_key)
    raise Unauthorized("Invalid or Missing API Key: this key opens no environment here.")


ServiceDep = Annotated[Service, Depends(service_of)]
CallerDep = Annotated[Caller, Depends(caller_of)]


async def history_of(run: str, service: Service, caller: Caller) -> Sequence[Recorded]:
    """All events of a run of the caller's environment. Raises NotFound."""
    history = await service.history(run) if run.startswith("run_") else ()
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
