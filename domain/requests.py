"""An HTTP request as a user saves it, when it is tried again, and how it is filled in for one execution."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from msgspec import MsgspecError, Raw, Struct, json

from domain.durations import iso
from domain.errors import InvalidInput
from domain.events import NOTHING, EventRef
from domain.nesting import NESTING_MAX, is_too_deep

SUCCESS_STATUSES = (200, 201, 202, 204)
RETRY_STATUSES = (429, 500, 502, 503, 504)
_NAMES = r"\{\{\s*(timestamp|uuid|execution_id|(?:input|event)(?:\.[A-Za-z0-9_-]{1,128}){0,20})\s*\}\}"
_VARIABLE = re.compile(_NAMES)
_SECRET = re.compile(r"secret://([A-Za-z0-9_.-]{1,128})")
_EITHER = re.compile(f"{_NAMES}|{_SECRET.pattern}")
_OF_INPUT = re.compile(r"\{\{\s*(?:input|event)[\s.}]")
ANYTHING = object()
"""The value of a variable of which nothing is known yet: it has every field."""
_UNKNOWN = "0"
_GIVEN_TEXT = "What this execution was given"
_ABSENT = object()
_GIVEN = ("input", "event")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class HttpRequest(Struct, frozen=True, gc=False, omit_defaults=True):
    """What is sent. A `body` that is a JSON string is sent as that text, any other JSON as JSON.

    Variables ({{timestamp}}, {{uuid}}, {{execution_id}}) may stand in the URL, in values of headers and in the body,
    secrets (secret://name) in values of headers and in the body. What a webhook or an event brought is {{input}}, of an
    event also {{event.id}}, {{event.name}} and so on; {{input.user.name}} is a part. Requests are signed with the
    secrets of these names.
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
    """What a run of the HTTP task is to do: its payload. A webhook has `input`, an event brings its payload.

    One that tells of something sends that `message` as it is.
    """

    request: HttpRequest
    retry: RetryPolicy
    input: Raw = NOTHING
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


def given_by(given: Raw, event: EventRef | None) -> dict[str, Any]:
    """The variables for what started an execution: a webhook or an event; none where nothing was given.

    Raises InvalidInput for what cannot be read.
    """
    variables: dict[str, Any] = {} if not bytes(given) else {"input": _decoded(given, _GIVEN_TEXT)}
    if event is None:
        return variables
    told: dict[str, Any] = {"id": event.id, "name": event.name, "timestamp": iso(event.timestamp)}
    told |= {"source": event.source}
    told |= {"context": _decoded(event.context, "The context of the event")} if bytes(event.context) else {}
    told |= {"payload": variables["input"]} if variables else {}
    return variables | {"event": told}


def needs_input(request: HttpRequest) -> bool:
    """Whether the request refers to what a webhook or an event brings."""
    texts = (request.url, *request.headers.values(), bytes(request.body).decode())
    return any(_OF_INPUT.search(text) for text in texts)


def filled_url(url: str, variables: dict[str, Any], secret_of: Callable[[str], str]) -> str:
    """The URL with its variables: what was given from outside stands for one part of it, and leads nowhere else.

    Raises InvalidInput, as `filled` does, and for steps upwards in its path.
    """
    found = filled(url, variables, secret_of, is_url=True)
    path = found.partition("?")[0].partition("#")[0]
    if _OF_INPUT.search(url) and not {".", ".."}.isdisjoint(path.split("/")):
        raise InvalidInput("The URL would lead elsewhere: what this execution was given makes . or .. of a part of it.")
    return found


def filled(text: str, variables: dict[str, Any], secret_of: Callable[[str], str], *, is_url: bool = False) -> str:
    """The text with its variables and secrets; in a URL what was given from outside is percent-encoded.

    What a variable or a secret holds is not looked into: no stranger gets a secret by naming it. `secret_of` may raise.
    Raises InvalidInput for a variable that there is not.
    """

    def replaced(found: re.Match[str]) -> str:
        path, secret = found[1], found[2]
        if path is None:
            return secret_of(secret)
        value = _value_of(path, variables)
        written = value if isinstance(value, str) else json.encode(value).decode()
        return _quoted(written) if is_url and path.startswith(_GIVEN) else written

    return _EITHER.sub(replaced, text)


def _quoted(text: str) -> str:
    """As RFC 3986 percent-encodes it: nothing is left that means something in a URL."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def _value_of(path: str, variables: dict[str, Any]) -> Any:
    """The value of a variable, which may be a part of one. Raises InvalidInput."""
    value: Any = variables
    for name in path.split("."):
        if value is ANYTHING:
            return _UNKNOWN
        part = _part_of(value, name)
        if part is _ABSENT:
            raise InvalidInput(f"The request refers to {{{{{path[:100]}}}}}, which this execution was not given.")
        value = part
    return _UNKNOWN if value is ANYTHING else value


def _part_of(value: Any, name: str) -> Any:
    """A field of an object, or an item of a list by its place."""
    match value:
        case dict():
            fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  # any JSON
            return fields.get(name, _ABSENT)
        case list():
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # any JSON
            place = int(name) if name.isascii() and name.isdigit() else len(items)
            return items[place] if place < len(items) else _ABSENT
        case _:
            return _ABSENT


def is_secret_name(name: str) -> bool:
    """Whether a secret can be called so."""
    return secrets_in(f"secret://{name}") == [name]


def secrets_in(text: str) -> list[str]:
    """The names of the secrets that a text refers to."""
    return _SECRET.findall(text)


def filled_body(body: Raw, variables: dict[str, Any], secret_of: Callable[[str], str]) -> tuple[bytes, bool] | None:
    """The bytes to send and whether they are JSON; None where there is no body.

    A string that is one variable and nothing else is what that holds, which may be an object. Raises InvalidInput for
    what cannot be read, and as `filled` does.
    """
    text = bytes(body)
    if not text or text == b"null":
        return None
    value: Any = _decoded(body, "request.body")
    if isinstance(value, str):
        value = _filled_leaves(value, variables, secret_of)
        return (value.encode(), False) if isinstance(value, str) else (json.encode(value), True)
    if b"{{" not in text and b"secret:" not in text:
        return text, True
    if is_too_deep(text):
        # How deep a function may call itself is another thing in each version of Python.
        raise InvalidInput(f"request.body is nested too deep to be filled in: more than {NESTING_MAX} levels.")
    return json.encode(_filled_leaves(value, variables, secret_of)), True


def as_body(given: Raw) -> tuple[bytes, bool] | None:
    """What was given as the bytes to send and whether they are JSON: for a request that has no body of its own."""
    value: Any = _decoded(given, _GIVEN_TEXT) if bytes(given) else None
    if value is None:
        return None
    return (value.encode(), False) if isinstance(value, str) else (bytes(given), True)


def _decoded(text: Raw, what: str) -> Any:
    """What this JSON says. Raises InvalidInput for well-formed JSON that nobody can hold, such as 1e999."""
    try:
        return json.decode(text)
    except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{what} cannot be read: {error}.") from None


def _filled_leaves(value: Any, variables: dict[str, Any], secret_of: Callable[[str], str]) -> Any:
    match value:
        case str():
            whole = _VARIABLE.fullmatch(value)
            return _value_of(whole[1], variables) if whole else filled(value, variables, secret_of)
        case list():
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # any JSON
            return [_filled_leaves(each, variables, secret_of) for each in items]
        case dict():
            fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  # any JSON
            return {name: _filled_leaves(each, variables, secret_of) for name, each in fields.items()}
        case _:
            return value
