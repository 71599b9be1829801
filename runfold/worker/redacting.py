"""Credentials are for the task's code only: what is told of its errors goes without them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from runfold.worker.failures import describe
from runfold.worker.wire import Error, HandOut

REDACTED = "[redacted]"
LENGTH_MIN = 6
"""Anything shorter is no secret, and may be a part of any word."""


def described(run: HandOut, error: BaseException) -> Error:
    """What is told of an error of this run."""
    return describe(error, redaction(run))


def redaction(run: HandOut) -> Callable[[str], str]:
    """Takes every text out of the run's connections and auth from what is told of an error."""
    found = {form for text in _texts([run.auth, run.connections]) for form in _forms(text) if len(form) >= LENGTH_MIN}
    secrets = sorted(found, key=len, reverse=True)  # the longest first, as it may contain a shorter one

    def redact(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, REDACTED)
        return text

    return redact


def _forms(text: str) -> Iterator[str]:
    """As it is, as it stands in Python and in JSON, and line by line, as a traceback of several errors has it."""
    yield from (text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield from text.splitlines()


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
