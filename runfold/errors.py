"""What can go wrong, as a tree.

RunfoldError
├── ConfigurationError           no key, an address that is none, or that of another server
├── InvalidPayloadError          a payload does not fit its task's type
├── InvalidResultError           a result cannot be written as JSON, or does not fit its task's type
├── AbortTaskRunError            raised by a task: fail the run, make no other attempt
├── UnresolvedAuthError          raised by an auth resolver: the run may not act for anybody
├── ApiConnectionError           no answer from the engine
└── ApiError                     the engine refused: `status`, `error`, `body`
    ├── BadRequestError          400
    ├── AuthenticationError      401
    ├── NotFoundError            404
    ├── UnprocessableError       422
    ├── RateLimitError           429
    └── ServerError              500 and above
"""

from typing import Any

import msgspec


class RunfoldError(Exception):
    """The root of every error this package raises."""


class ConfigurationError(RunfoldError):
    """The engine's address or the secret key is missing or wrong: also if something else answers at that address."""


class InvalidPayloadError(RunfoldError):
    """A payload does not fit its task's type, or cannot be written as JSON."""


class InvalidResultError(RunfoldError):
    """A result cannot be written as JSON, or does not fit its task's type."""


class AbortTaskRunError(RunfoldError):
    """Raised by a task to fail its run without another attempt."""


class StepFailedError(RunfoldError):
    """Raised where a step failed for good: `error` says how, also when its code ran long ago and elsewhere."""

    def __init__(self, step: str, error: Any) -> None:
        super().__init__(f'The step "{step}" failed: {error.name}: {error.message}')
        self.step = step
        self.error = error


class RunFailedError(RunfoldError):
    """Raised by `unwrap()` of the result of a run that did not complete."""

    def __init__(self, run: str, error: Any) -> None:
        told = f"{error.name}: {error.message}" if error and error.name else getattr(error, "message", "")
        super().__init__(f"The run {run} did not complete: {told}")
        self.run = run
        self.error = error


class WaitTimeoutError(RunfoldError, TimeoutError):
    """What was waited for was not over in time."""


class JournalMismatchError(RunfoldError):
    """The code asks for something else than what its journal tells: it was changed, or is not the same each time."""


class SuspendedError(BaseException):
    """Raised into code that waits and is to give up its process; the run goes on elsewhere. Do not hold it up."""


class UnresolvedAuthError(RunfoldError):
    """Raised by an auth resolver that finds nobody for whom the run may act."""


class ApiConnectionError(RunfoldError):
    """The engine could not be reached, or the connection broke before its answer."""


class ApiError(RunfoldError):
    """The engine answered with a refusal."""

    def __init__(self, status: int, error: str, body: Any = None) -> None:
        super().__init__(f"{status}: {error}")
        self.status = status
        self.error = error
        self.body = body

    def __reduce__(self) -> tuple[type["ApiError"], tuple[int, str, Any]]:
        """Pickle by all three values: the sentence alone would not build the error again."""
        return type(self), (self.status, self.error, self.body)


class BadRequestError(ApiError):
    pass


class AuthenticationError(ApiError):
    pass


class NotFoundError(ApiError):
    pass


class UnprocessableError(ApiError):
    pass


class RateLimitError(ApiError):
    pass


class ServerError(ApiError):
    pass


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    404: NotFoundError,
    422: UnprocessableError,
    429: RateLimitError,
}


def not_an_engine(status: int, address: str) -> str:
    """What is said of an answer that no engine gives, by whoever has this address."""
    return f"{address} answered {status}, but not as an engine does: is RUNFOLD_API_URL right?"


def api_error(status: int, content: bytes, address: str = "The engine's address") -> ApiError:
    """The error that stands for an answer which is no success."""
    kind = ServerError if status >= 500 else _BY_STATUS.get(status, ApiError)
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = content.decode(errors="replace")
        return kind(status, not_an_engine(status, address), text)
    return kind(status, _sentence(body) or not_an_engine(status, address), body)


def told_before(message: str) -> ApiError | ApiConnectionError:
    """The error whose sentence this was, when it was first raised."""
    status, separator, sentence = message.partition(": ")
    if not separator or not status.isdecimal():
        return ApiConnectionError(message)
    number = int(status)
    return (ServerError if number >= 500 else _BY_STATUS.get(number, ApiError))(number, sentence)


def _sentence(body: Any) -> str | None:
    match body:
        # Where `error` is a word that other clients look for, the sentence stands beside it.
        case (
            {"error": str(), "detail": str(sentence)} | {"error": str(sentence)} | {"error": {"message": str(sentence)}}
        ):
            return sentence
        case _:
            return None
