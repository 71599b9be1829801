"""One HTTP call: what is to be sent, what an attempt finds, and the port that makes calls.

What an attempt finds is judged here: whether it succeeded, whether another attempt may help, and when that may start.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

HEADER_SHOWN_MAX = 1_000
MESSAGE_SHOWN_MAX = 500
"""How many characters are kept of a header and of what went wrong, once secrets are taken out of them."""
MAIL_PERMANENT = 500
RETRY_AFTER_MAX_MS = 3_600_000
"""A server that asks for a longer pause gets this one."""


class AttemptStatus(StrEnum):
    """What the executions document says of an attempt."""

    SUCCESS = "SUCCESS"
    TIMEOUT = "TIMEOUT"
    CONNECTION_ERROR = "CONNECTION_ERROR"
    HTTP_ERROR = "HTTP_ERROR"


class ErrorClass(StrEnum):
    """Why an attempt failed."""

    DNS_ERROR = "dns_error"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONNECT_ERROR = "connect_error"
    TLS_ERROR = "tls_error"
    CONNECT_TIMEOUT = "connect_timeout"
    READ_TIMEOUT = "read_timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    PROTOCOL_ERROR = "protocol_error"
    REDIRECT_REFUSED = "redirect_refused"
    HTTP_STATUS = "http_status"
    INVALID_REQUEST = "invalid_request"
    SECRET_MISSING = "secret_missing"  # noqa: S105 (a word, not a secret)
    MAIL_REFUSED = "mail_refused"
    MAIL_NOT_SET_UP = "mail_not_set_up"
    WORKER_LOST = "worker_lost"
    CANCELED = "canceled"
    RELEASED = "released"


_TIMEOUTS = frozenset({ErrorClass.CONNECT_TIMEOUT, ErrorClass.READ_TIMEOUT, ErrorClass.DEADLINE_EXCEEDED})
_ANSWERED = frozenset({ErrorClass.HTTP_STATUS, ErrorClass.REDIRECT_REFUSED})
_HOPELESS = frozenset(
    {
        ErrorClass.ADDRESS_NOT_ALLOWED,
        ErrorClass.SECRET_MISSING,
        ErrorClass.INVALID_REQUEST,
        ErrorClass.REDIRECT_REFUSED,
    }
)
"""The same attempt again would end the same way."""


class Call(Struct, frozen=True, gc=False):
    """A request as it is to be sent, secrets and variables filled in. `secret_headers` hold secrets, in lower case."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    timeout_ms: int = 30_000
    max_redirects: int = 0
    stays: frozenset[int] = frozenset()
    """Statuses that are taken as they are, redirects or not."""
    secret_headers: frozenset[str] = frozenset()
    has_secret_body: bool = False


class Timings(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """How long the parts of an attempt took, in milliseconds; of several hops the last one. None: not reached."""

    lookup_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    first_byte_ms: int | None = None
    """From the beginning of the hop to the head of the response."""
    total_ms: int = 0


class Found(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """What one attempt found. Without an `error_class` it succeeded."""

    status: AttemptStatus
    latency_ms: int
    status_code: int | None = None
    error_class: ErrorClass | None = None
    message: str | None = None
    """What went wrong, in a sentence."""
    body_preview: str | None = None
    body_truncated: bool = False
    bytes_received: int = 0
    response_headers: dict[str, str] = {}
    redirects: int = 0
    timings: Timings = Timings()
    certificate_ends_at: int | None = None
    """When the certificate of the server ends (milliseconds since 1970); of several hops the first to end."""


class HttpCaller(Protocol):
    """Makes calls."""

    async def call(self, call: Call) -> Found:
        """Make one call within its time, which counts from the look-up of the name to the end of the body.

        Whatever goes wrong is in what it returns; it raises nothing but cancellation.
        """
        ...


def failed(error_class: ErrorClass, message: str, latency_ms: int = 0) -> Found:
    """What is found when no response is."""
    return Found(status_of(error_class), latency_ms, error_class=error_class, message=message)


def status_of(error_class: ErrorClass) -> AttemptStatus:
    """The document's word for an error."""
    if error_class in _TIMEOUTS:
        return AttemptStatus.TIMEOUT
    return AttemptStatus.HTTP_ERROR if error_class in _ANSWERED else AttemptStatus.CONNECTION_ERROR


def judge(found: Found, success_statuses: tuple[int, ...]) -> Found:
    """What was found, as a failure if the status is none of success."""
    if found.error_class is not None or found.status_code in success_statuses:
        return found
    return replace(
        found,
        status=AttemptStatus.HTTP_ERROR,
        error_class=ErrorClass.HTTP_STATUS,
        message=f"The target answered with status {found.status_code}.",
    )


def may_help(found: Found, retry_on_statuses: tuple[int, ...]) -> bool:
    """Whether another attempt may end otherwise: after timeouts and connection errors, and after these statuses."""
    if found.error_class is ErrorClass.HTTP_STATUS:
        return found.status_code in retry_on_statuses
    if found.error_class is ErrorClass.MAIL_REFUSED:
        # Mail servers say by 4xx that it may go better later, and by 5xx that it will not.
        return found.status_code is not None and found.status_code < MAIL_PERMANENT
    return found.error_class not in _HOPELESS


def retry_after_ms(found: Found, now: int) -> int:
    """How long the target asks to be left alone from `now` on, in seconds or until a date; 0 if it does not say."""
    said = found.response_headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        asked = int(said[:9]) * 1_000
    else:
        try:
            date = parsedate_to_datetime(said)
            asked = int(date.replace(tzinfo=date.tzinfo or UTC).timestamp() * 1_000) - now
        except (ValueError, OverflowError):
            return 0
    return max(0, min(asked, RETRY_AFTER_MAX_MS))
