"""How an attempt ended."""

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
from runfold.worker.failures import describe
from runfold.worker.redacting import redaction
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
    if isinstance(error, SuspendedError):
        return Frozen()
    if isinstance(error, StepFailedError):
        # What failed is the step's code, in whichever attempt that was.
        told = error.error
        return Failed(Error(told.name or "Error", told.message, told.stack_trace), retryable=True)
    told = describe(error, redaction(run))
    if isinstance(error, MemoryError):
        message = told.message or "The task asked for more memory than there is."
        return Crashed(msgspec.structs.replace(told, message=message, code=OUT_OF_MEMORY))
    return Failed(told, retryable=not isinstance(error, AbortTaskRunError | JournalMismatchError))


def refused(error: InvalidPayloadError | InvalidResultError) -> Failed:
    """Another attempt would end the same way."""
    return Failed(Error(type(error).__name__, str(error)), retryable=False)
