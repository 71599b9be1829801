"""Saved requests: checked when they are saved, and filled in and checked again for each attempt."""

from collections.abc import Callable
from typing import Any

from msgspec import Raw

from adapters.http.targets import check_headers, target_of
from domain.calls import Call
from domain.errors import InvalidInput
from domain.events import NOTHING
from domain.requests import (
    ANYTHING,
    HttpRequest,
    RetryPolicy,
    as_body,
    filled,
    filled_body,
    filled_url,
    is_secret_name,
    secrets_in,
    variables_of,
)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
TIMEOUT_MAX_SECONDS = 300
BODY_MAX_BYTES = 262_144
REDIRECTS_MAX = 10
ATTEMPTS_MAX = 100
STATUSES_MAX = 100
BACKOFF_MAX_MS = 7 * 86_400_000
FACTOR_MAX = 10
SIGNATURES_MAX = 3
USER_AGENT = "Runfold"
_SAMPLE: dict[str, Any] = variables_of("run_0", 0) | {"input": ANYTHING, "event": ANYTHING}


class SecretMissing(Exception):
    """A request refers to a secret that has no value; the message names it."""


def check_request(request: HttpRequest) -> None:
    """See to it that the request can be sent. Raises InvalidInput."""
    if request.method not in METHODS:
        raise InvalidInput(f"request.method is one of {', '.join(METHODS)}, not {request.method[:20]!r}.")
    if secrets_in(request.url):
        raise InvalidInput("request.url refers to a secret; URLs end up in logs: send it in a header or the body.")
    if not 1 <= request.timeout_seconds <= TIMEOUT_MAX_SECONDS:
        raise InvalidInput(f"request.timeout_seconds is 1 to {TIMEOUT_MAX_SECONDS}, not {request.timeout_seconds}.")
    if not 0 <= request.max_redirects <= REDIRECTS_MAX:
        raise InvalidInput(f"request.max_redirects is 0 to {REDIRECTS_MAX}, not {request.max_redirects}.")
    _check_statuses("request.success_statuses", request.success_statuses, at_least=1)
    size = len(request.body)
    if size > BODY_MAX_BYTES:
        raise InvalidInput(f"request.body has {size} bytes; at most {BODY_MAX_BYTES} are taken.")
    if request.method == "GET" and bytes(request.body) not in {b"", b"null"}:
        raise InvalidInput("A GET has no body: leave request.body out, or use another method.")
    if len(request.sign_with) > SIGNATURES_MAX or not all(map(is_secret_name, request.sign_with)):
        raise InvalidInput(f"request.sign_with is a list of at most {SIGNATURES_MAX} names of secrets.")
    # Whether secrets can be sent is seen when they are there.
    call_of(request, _SAMPLE, lambda name: f"secret://{name}")


def check_policy(policy: RetryPolicy) -> None:
    """See to it that the policy makes sense. Raises InvalidInput."""
    if not 1 <= policy.max_attempts <= ATTEMPTS_MAX:
        raise InvalidInput(f"retry_policy.max_attempts is 1 to {ATTEMPTS_MAX}, not {policy.max_attempts}.")
    _check_statuses("retry_policy.retry_on_statuses", policy.retry_on_statuses)
    if not 0 <= policy.backoff_ms <= policy.backoff_max_ms <= BACKOFF_MAX_MS:
        raise InvalidInput(
            f"The retry_policy needs 0 <= backoff_ms <= backoff_max_ms <= {BACKOFF_MAX_MS};"
            f" these are {policy.backoff_ms} and {policy.backoff_max_ms}."
        )
    if not 1 <= policy.backoff_factor <= FACTOR_MAX:
        raise InvalidInput(f"retry_policy.backoff_factor is 1 to {FACTOR_MAX}, not {policy.backoff_factor:g}.")


def call_of(
    request: HttpRequest,
    variables: dict[str, Any],
    secret_of: Callable[[str], str],
    ours: tuple[tuple[str, str], ...] = (),
    given: Raw = NOTHING,
) -> Call:
    """The call that a request asks for, with `ours` beside its headers. Raises InvalidInput, or as `secret_of` does.

    What the execution was `given` is the body of a request that has none.
    """
    url = url_of(request, variables)
    target_of(url)
    headers = tuple((name, filled(value, variables, secret_of)) for name, value in request.headers.items())
    check_headers(headers)
    of_body: list[str] = []

    def opened(name: str) -> str:
        of_body.append(name)
        return secret_of(name)

    body = filled_body(request.body, variables, opened)
    if body is None and request.method != "GET":
        body = as_body(given)
    named = {name.lower() for name, _ in headers}
    if len(named) < len(headers):
        raise InvalidInput("A header is there twice, in different letters.")
    if body and "content-type" not in named:
        headers += (("Content-Type", "application/json" if body[1] else "text/plain; charset=utf-8"),)
    if "user-agent" not in named:
        headers += (("User-Agent", USER_AGENT),)
    return Call(
        request.method,
        url,
        headers + ours,
        body[0] if body else None,
        request.timeout_seconds * 1_000,
        request.max_redirects,
        frozenset(request.success_statuses),
        frozenset(name.lower() for name, value in request.headers.items() if secrets_in(value)),
        bool(of_body),
    )


def url_of(request: HttpRequest, variables: dict[str, Any]) -> str:
    """The URL that a request asks for. Raises InvalidInput."""
    return filled_url(request.url, variables, _no_secret)


def _no_secret(name: str) -> str:
    raise InvalidInput(f"The URL refers to the secret {name}; send it in a header or the body.")


def _check_statuses(what: str, statuses: tuple[int, ...], at_least: int = 0) -> None:
    if not at_least <= len(statuses) <= STATUSES_MAX or not all(100 <= status <= 599 for status in statuses):
        raise InvalidInput(f"{what} is a list of {at_least} to {STATUSES_MAX} numbers from 100 to 599.")
