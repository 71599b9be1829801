"""Executions of jobs: how they are asked for, and how one attempt of one is made."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from app.hosts import HostLimits
from app.requests import SecretMissing, call_of, url_of
from domain.builtin import HTTP_TASK
from domain.calls import (
    HEADER_SHOWN_MAX,
    MESSAGE_SHOWN_MAX,
    Call,
    ErrorClass,
    Found,
    HttpCaller,
    failed,
    judge,
    may_help,
    retry_after_ms,
)
from domain.durations import iso
from domain.errors import InvalidInput, KeyMissing, SealBroken
from domain.events import NOTHING, EventRef, JobRef
from domain.redaction import Redaction
from domain.requests import ANYTHING, Asked, filled, filled_body, given_by, variables_of
from domain.signing import signed

HEADER = "X-Cron-Service-"
CONTENT_TYPE = ("Content-Type", "application/json")


class Attempt(Struct, frozen=True):
    """What an attempt at an execution needs to know."""

    execution: str
    number: int
    created_at: int
    job: JobRef | None
    payload: Raw
    event: EventRef | None = None
    input: Raw = NOTHING


class Made(Struct, frozen=True):
    """An attempt that was made: what it found, and after how long another one may help, None if none will."""

    found: Found
    retry_in_ms: int | None


def asked_of(payload: Raw) -> Asked:
    """What an execution with this payload, or a job whose executions have it, is to do."""
    return msgspec.json.decode(payload, type=Asked)


def names_of(payload: Raw) -> tuple[str, ...]:
    """The secrets to which an execution with this payload refers, each once."""
    names: dict[str, None] = {}

    def note(name: str) -> str:
        names[name] = None
        return ""

    try:
        request = asked_of(payload).request
        variables = variables_of("", 0) | {"input": ANYTHING, "event": ANYTHING}
        for value in request.headers.values():
            filled(value, variables, note)
        filled_body(request.body, variables, note)
    except (msgspec.DecodeError, InvalidInput):
        # It cannot be executed, which its executor will say.
        return ()
    return tuple(dict.fromkeys([*request.sign_with, *names]))


def headers_of(attempt: Attempt) -> tuple[tuple[str, str], ...]:
    """By what the target knows the execution and its attempts."""
    own = ((f"{HEADER}Execution-Id", attempt.execution), (f"{HEADER}Attempt", str(attempt.number)))
    if attempt.job is None:
        return own
    planned = iso(attempt.job.scheduled_for)
    return ((f"{HEADER}Job-Id", attempt.job.id), (f"{HEADER}Scheduled-For", planned), *own)


async def make(
    attempt: Attempt,
    limits: HostLimits,
    caller: HttpCaller,
    secret_of: Callable[[str], str],
    now: Callable[[], int],
    chance: Callable[[], float],
) -> Made:
    """Make one attempt. What it returns, and so what is kept of it, holds none of the secrets that it sends."""
    asked = asked_of(attempt.payload)
    used: set[str] = set()

    def opened(name: str) -> str:
        value = secret_of(name)
        used.add(value)
        return value

    try:
        given = attempt.input if bytes(attempt.input) else asked.input
        variables = variables_of(attempt.execution, attempt.created_at) | given_by(given, attempt.event)
        # Secrets and the time that is signed are those of the moment at which the call begins.
        async with limits.turn(url_of(asked.request, variables)):
            call = _call_of(asked, attempt, variables, given, opened, now)
            found = judge(await caller.call(call), asked.request.success_statuses)
    except (SecretMissing, KeyMissing, SealBroken) as error:
        found = failed(ErrorClass.SECRET_MISSING, str(error))
    except InvalidInput as error:
        found = failed(ErrorClass.INVALID_REQUEST, str(error))
    kept = _redacted(found, Redaction(used))
    if found.error_class is None or not may_help(found, asked.retry.retry_on_statuses):
        return Made(kept, None)
    wait = asked.retry.delay_after(attempt.number, chance())
    return Made(kept, max(wait, retry_after_ms(found, now())))


def is_execution(task: str) -> bool:
    """Whether runs of the task are executions."""
    return task == HTTP_TASK


def _call_of(
    asked: Asked,
    attempt: Attempt,
    variables: dict[str, Any],
    given: Raw,
    opened: Callable[[str], str],
    now: Callable[[], int],
) -> Call:
    """The call of an attempt, signed. Raises InvalidInput, SecretMissing, KeyMissing, SealBroken."""
    call = call_of(asked.request, variables, opened, headers_of(attempt), given)
    if bytes(asked.message):
        # As it is: what failed may have said anything, also what looks like the name of a secret.
        json_type = () if any(name.lower() == "content-type" for name, _ in call.headers) else (CONTENT_TYPE,)
        call = replace(call, body=bytes(asked.message), headers=call.headers + json_type)
    if asked.request.sign_with:
        keys = list(map(opened, asked.request.sign_with))
        signature = signed(attempt.execution, now(), call.body or b"", keys)
        call = replace(call, headers=call.headers + signature)
    return call


def _redacted(found: Found, redaction: Redaction) -> Found:
    body = found.body_preview
    if body is not None:
        body = redaction.beginning(body) if found.body_truncated else redaction.text(body)
    # Cut behind it, so that no part of a secret stays at the end.
    headers = {name: redaction.text(value)[:HEADER_SHOWN_MAX] for name, value in found.response_headers.items()}
    message = None if found.message is None else redaction.text(found.message)[:MESSAGE_SHOWN_MAX]
    return replace(found, body_preview=body, response_headers=headers, message=message)
