"""How an attempt ended."""

import asyncio
from typing import Any

import msgspec

from runfold.codec import encode_result
from runfold.errors import (
    AbortTaskRunError,
    InvalidPayloadError,
    InvalidResultError,
    JournalMismatchError,
    StepFailedError,
    SuspendedError,
)
from runfold.texts import whole
from runfold.worker.failures import name_of
from runfold.worker.redacting import described
from runfold.worker.wire import OUT_OF_MEMORY, Error, HandOut

OUTPUT_MAX_BYTES = 10_485_760


class Succeeded(msgspec.Struct, tag=True, gc=False):
    output: msgspec.Raw


class Failed(msgspec.Struct, tag=True):
    error: Error
    retryable: bool


class Crashed(msgspec.Struct, tag=True):
    """The process died under the run, or had no memory left for it."""

    error: Error


class Frozen(msgspec.Struct, tag=True):
    """The code waits, and gave up its process meanwhile."""


Ended = Succeeded | Failed | Crashed | Frozen


def succeeded(result: Any) -> Succeeded | Failed:
    """The end of code that has returned this. Raises what the code raises by which users write it as JSON."""
    try:
        output = encode_result(result)
    except InvalidResultError as error:
        return refused(error)
    size = memoryview(output).nbytes
    if size > OUTPUT_MAX_BYTES:
        sentence = f"The result has {size} bytes of JSON; at most {OUTPUT_MAX_BYTES} are kept."
        return refused(InvalidResultError(sentence))
    return Succeeded(output)


def failed(error: BaseException, run: HandOut) -> Failed | Crashed | Frozen:
    """What an exception out of the code of users means."""
    try:
        return _meaning_of(error, run)
    except BaseException as broken:  # noqa: BLE001 (an exception of users may fail at any question, even for its class)
        return Failed(Error(name_of(error), f"<nothing known: {name_of(broken)} in {name_of(error)}>"), retryable=True)


def canceled(error: asyncio.CancelledError, run: HandOut) -> Failed:
    """The code has cancelled the very task in which it ran, or had it cancelled, and nobody else wanted it to end."""
    told = described(run, error)
    return Failed(msgspec.structs.replace(told, message="The code of the run cancelled itself."), retryable=True)


def _meaning_of(error: BaseException, run: HandOut) -> Failed | Crashed | Frozen:
    if isinstance(error, SuspendedError):
        return Frozen()
    if isinstance(error, StepFailedError):
        # What failed is the step's code, in whichever attempt that was.
        told = error.error
        trace = None if told.stack_trace is None else whole(told.stack_trace)
        return Failed(Error(whole(told.name or "Error"), whole(told.message), trace), retryable=True)
    told = described(run, error)
    if isinstance(error, MemoryError):
        message = told.message or "The task asked for more memory than there is."
        return Crashed(msgspec.structs.replace(told, message=message, code=OUT_OF_MEMORY))
    return Failed(told, retryable=not isinstance(error, AbortTaskRunError | JournalMismatchError))


def refused(error: InvalidPayloadError | InvalidResultError) -> Failed:
    """Another attempt would end the same way."""
    return Failed(Error(type(error).__name__, whole(str(error))), retryable=False)
