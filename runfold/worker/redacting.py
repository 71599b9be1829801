"""Credentials are for the task's code only: what is told of its errors goes without them."""

from collections.abc import Iterator
from typing import Any

import msgspec

from runfold.worker.wire import Error, HandOut

REDACTED = "[redacted]"
LENGTH_MIN = 6
"""Anything shorter is no secret, and may be a part of any word."""


def redacted(error: Error, run: HandOut) -> Error:
    """The error without any text out of the run's connections and auth."""
    secrets = sorted({each for each in _texts([run.auth, run.connections]) if len(each) >= LENGTH_MIN}, key=len)
    message, trace = error.message, error.stack_trace
    for secret in reversed(secrets):  # the longest first, as it may contain a shorter one
        message = message.replace(secret, REDACTED)
        trace = trace and trace.replace(secret, REDACTED)
    return msgspec.structs.replace(error, message=message, stack_trace=trace)


def _texts(value: Any) -> Iterator[str]:
    """Every text in it, but no name of a field."""
    match value:
        case str():
            yield value
        case dict() | list():
            inner: Any = value.values() if isinstance(value, dict) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # any JSON
            for each in inner:
                yield from _texts(each)
        case _:
            return
