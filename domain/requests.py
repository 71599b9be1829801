"""An HTTP request as a user saves it, when it is tried again, and how it is filled in for one execution."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct, json

from domain.durations import iso
from domain.events import NOTHING

SUCCESS_STATUSES = (200, 201, 202, 204)
RETRY_STATUSES = (429, 500, 502, 503, 504)
_VARIABLE = re.compile(r"\{\{\s*(timestamp|uuid|execution_id)\s*\}\}")
_SECRET = re.compile(r"secret://([A-Za-z0-9_.-]{1,128})")


class HttpRequest(Struct, frozen=True, gc=False, omit_defaults=True):
    """What is sent. A `body` that is a JSON string is sent as that text, any other JSON as JSON.

    Variables ({{timestamp}}, {{uuid}}, {{execution_id}}) may stand in the URL, in values of headers and in the body,
    secrets (secret://name) in values of headers and in the body. Requests are signed with the secrets of these names.
    """

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: Raw = NOTHING
    timeout_seconds: int = 30
    success_statuses: tuple[int, ...] = SUCCESS_STATUSES
    max_redirects: int = 0
    sign_with: tuple[str, ...] = ()


class RetryPolicy(Struct, frozen=True, gc=False, omit_defaults=True):
    """When a failed attempt is tried again. `max_attempts` includes the first; timeouts and connection errors count."""

    max_attempts: int = 3
    retry_on_statuses: tuple[int, ...] = RETRY_STATUSES
    backoff_ms: int = 250
    backoff_factor: float = 2.0
    backoff_max_ms: int = 3_600_000

    def delay_after(self, attempt: int, chance: float) -> int:
        """Milliseconds to wait after the `attempt`-th attempt (1-based); `chance` is uniform in [0, 1).

        The executions document has the formula, backoff_ms * factor ** attempt; the jitter is half of it, up or down.
        """
        try:
            wait = self.backoff_ms * self.backoff_factor**attempt * (0.5 + chance)
        except OverflowError:
            return self.backoff_max_ms
        return round(min(float(self.backoff_max_ms), wait))


class Asked(Struct, frozen=True, omit_defaults=True):
    """What a run of the HTTP task is to do: its payload. One that tells of something sends that `message` as it is."""

    request: HttpRequest
    retry: RetryPolicy
    message: Raw = NOTHING


class AskedMail(Struct, frozen=True, omit_defaults=True):
    """What a run of the e-mail task is to do: its payload, once what it tells of is looked up."""

    to: tuple[str, ...]
    retry: RetryPolicy
    subject: str = ""
    text: str = ""


def variables_of(execution: str, created_at: int) -> dict[str, str]:
    """What the variables stand for, the same in each attempt of an execution."""
    digest = bytearray(hashlib.sha256(execution.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # version 8 of RFC 9562: made as we please, but no random one
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    uuid = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return {"timestamp": iso(created_at), "uuid": uuid, "execution_id": execution}


def filled(text: str, variables: dict[str, str], secret_of: Callable[[str], str]) -> str:
    """The text with its variables and secrets. What a secret holds is not looked into; `secret_of` may raise."""
    rendered = _VARIABLE.sub(lambda found: variables[found[1]], text)
    return _SECRET.sub(lambda found: secret_of(found[1]), rendered)


def is_secret_name(name: str) -> bool:
    """Whether a secret can be called so."""
    return secrets_in(f"secret://{name}") == [name]


def secrets_in(text: str) -> list[str]:
    """The names of the secrets that a text refers to."""
    return _SECRET.findall(text)


def filled_body(body: Raw, variables: dict[str, str], secret_of: Callable[[str], str]) -> tuple[bytes, bool] | None:
    """The bytes to send and whether they are JSON; None where there is no body."""
    text = bytes(body)
    if not text or text == b"null":
        return None
    value: Any = json.decode(text)
    if isinstance(value, str):
        return filled(value, variables, secret_of).encode(), False
    if b"{{" not in text and b"secret:" not in text:
        return text, True
    return json.encode(_filled_leaves(value, variables, secret_of)), True


def _filled_leaves(value: Any, variables: dict[str, str], secret_of: Callable[[str], str]) -> Any:
    match value:
        case str():
            return filled(value, variables, secret_of)
        case list():
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # any JSON
            return [_filled_leaves(each, variables, secret_of) for each in items]
        case dict():
            fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  # any JSON
            return {name: _filled_leaves(each, variables, secret_of) for name, each in fields.items()}
        case _:
            return value
