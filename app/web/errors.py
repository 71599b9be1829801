"""Errors as answers: one table from error to status, one body for all of them."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match, Route

from app.pages.rendering import html
from domain import errors

log = structlog.get_logger(__name__)


class Malformed(errors.Refused):
    """The request is not of the shape that the route takes."""


class Unauthorized(errors.Refused):
    """No key, or one that opens nothing."""


class Forbidden(errors.Refused):
    """The key is valid, and does not open this."""


class NotGranted(Forbidden):
    """The public token is valid, and has no scope for this."""


class LengthRequired(errors.Refused):
    """The request does not say how long its body is."""


class WrongMediaType(errors.Refused):
    """The body is not of the media type that the route takes."""


STATUS: dict[type[errors.RunfoldError], int] = {
    Malformed: 400,
    errors.NotAllowed: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotGranted: 403,
    errors.NotFound: 404,
    errors.QueueNotFound: 404,
    errors.Archived: 404,
    errors.UnknownVersion: 404,
    LengthRequired: 411,
    errors.TooLarge: 413,
    WrongMediaType: 415,
    errors.InvalidInput: 422,
    errors.TooLate: 422,
    errors.UsedUp: 401,
    errors.Refused: 422,
    errors.Unavailable: 503,
    errors.LedgerUnavailable: 503,
    errors.Deposed: 503,
    errors.LedgerError: 500,
    errors.OutOfStep: 500,
    errors.SealBroken: 500,
    errors.RunfoldError: 500,
}
TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    411: "Length required",
    413: "Request body too large",
    415: "Unsupported media type",
    422: "Unprocessable",
    500: "Internal error",
    503: "Unavailable",
}
CODES: dict[type[errors.RunfoldError], str] = {errors.UnknownVersion: "unknown_version", NotGranted: "unauthorized"}
SPOKEN: dict[type[errors.RunfoldError], str] = {errors.QueueNotFound: "queue-not-found"}
"""What Trigger.dev's clients look for under `error`; the sentence is under `detail` as always."""
RETRY_AFTER_SECONDS = 1
EXECUTIONS_API = "/v1/"
"""What the paths begin with whose errors have the shape of the executions document."""
WORDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    500: "internal_error",
    503: "unavailable",
}
"""The codes of these errors."""


def status_of(error: errors.RunfoldError) -> int:
    """The status for an error: that of the nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def note(error: errors.RunfoldError, status: int) -> None:
    """Write into the log what is wrong here; of a database also what nobody else is told."""
    if status == 500:
        log.error("request failed", error=str(error))
    elif status == 503 and error.__cause__ is not None:
        log.warning("request failed", error=str(error), cause=str(error.__cause__))


def answer(status: int, sentence: str, **more: Any) -> JSONResponse:
    """The body of every error: the sentence under `error`, the fields of RFC 9457, and what more there is to say."""
    title = TITLES.get(status, "Error")
    body: dict[str, Any] = {"error": sentence, "type": "about:blank", "title": title, "status": status}
    body |= {"detail": sentence} | more
    return JSONResponse(body, status, _headers_of(status))


def answer_to(request: Request, status: int, sentence: str, **more: Any) -> JSONResponse:
    """The body of an error, in the shape of the API that was asked."""
    if not request.url.path.startswith(EXECUTIONS_API):
        return answer(status, sentence, **more)
    body = {"error": {"code": WORDS.get(status, "internal_error"), "message": sentence, "details": None}}
    return JSONResponse(body, status, _headers_of(status))


def _headers_of(status: int) -> dict[str, str] | None:
    return {"retry-after": str(RETRY_AFTER_SECONDS)} if status == 503 else None


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.RunfoldError)
    status = status_of(error)
    note(error, status)
    code, spoken = CODES.get(type(error)), SPOKEN.get(type(error))
    more = ({"code": code} if code else {}) | ({"error": spoken} if spoken else {})
    return answer_to(request, status, str(error), **more)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})
    return answer_to(request, 400, f"{where or 'The request'}: {first['msg']}.")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.method} is not a method of {request.url.path}.",
    }
    sentence = sentences.get(error.status_code, str(error.detail))
    if error.status_code == 404 and "text/html" in request.headers.get("accept", ""):
        # Somebody mistyped an address in a browser.
        return html("refused.html", {"path": request.url.path, "sentence": sentence, "status": 404}, 404)
    response = answer_to(request, error.status_code, sentence)
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(sorted(_methods_at(request)))
    return response


def _methods_at(request: Request) -> set[str]:
    """All methods of a path; the framework names those of the first route there, and each of ours has one method."""
    methods: set[str] = set()
    waiting: list[BaseRoute] = [*request.app.routes]
    while waiting:
        route = waiting.pop()
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
        # Recent versions of FastAPI keep a router that was included as one route.
        waiting += getattr(getattr(route, "original_router", None), "routes", [])
    return methods


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return answer_to(request, 500, "Something went wrong here; the engine's log says what.")


async def _gone(_request: Request, _error: Exception) -> Response:
    # Nobody is there to read it; 499 is what web servers write into their logs for this.
    return Response(status_code=499)


def install(application: FastAPI) -> None:
    """Let every error of the application be answered by this table."""
    application.add_exception_handler(errors.RunfoldError, _refused)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _http)
    application.add_exception_handler(ClientDisconnect, _gone)
    application.add_exception_handler(Exception, _unexpected)
