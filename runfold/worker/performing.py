"""One attempt: from the payload's JSON through the task's code to what is reported of it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec

from runfold.body import Body
from runfold.codec import encode_result
from runfold.context import (
    AttemptInfo,
    Cancellation,
    Context,
    EnvironmentInfo,
    QueueInfo,
    RunInfo,
    TaskInfo,
)
from runfold.errors import AbortTaskRunError, InvalidPayloadError, InvalidResultError
from runfold.worker.failures import describe
from runfold.worker.wire import Error, HandOut

OUTPUT_MAX_BYTES = 10_485_760


class Succeeded(msgspec.Struct, tag=True, gc=False):
    output: msgspec.Raw


class Failed(msgspec.Struct, tag=True):
    error: Error
    retryable: bool


class Crashed(msgspec.Struct, tag=True):
    """The process died under the run."""

    error: Error


class StoppedError(BaseException):
    """Raised into the code of a synchronous task that is to stop; no `except Exception` holds it up."""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A handed-out run that starts now, as the worker tells it to its child processes."""

    run: HandOut
    version: str
    started_at: int
    traceparent: str | None = None
    """The attempt's own span; that of the trigger is the run's."""


async def perform(body: Body, attempt: Attempt, cancellation: Cancellation) -> Succeeded | Failed:
    """Await an asynchronous task; cancelling goes through to its code."""
    try:
        arguments = _arguments(body, attempt, cancellation)
    except InvalidPayloadError as error:
        return _refused(error)
    try:
        result = await body.function(*arguments)
    except asyncio.CancelledError as error:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return _failed(error)  # something that the task awaited was cancelled, not the task
    except BaseException as error:  # noqa: BLE001 (also sys.exit() ends only the run)
        return _failed(error)
    return _succeeded(result)


def perform_sync(body: Body, attempt: Attempt, cancellation: Cancellation) -> Succeeded | Failed:
    """Call a synchronous task, in the main thread of a child process; StoppedError goes through."""
    try:
        arguments = _arguments(body, attempt, cancellation)
    except InvalidPayloadError as error:
        return _refused(error)
    try:
        result = body.function(*arguments)
    except StoppedError:
        raise
    except BaseException as error:  # noqa: BLE001 (also sys.exit() ends only the run)
        return _failed(error)
    return _succeeded(result)


def _succeeded(result: Any) -> Succeeded | Failed:
    try:
        output = encode_result(result)
    except InvalidResultError as error:
        return _refused(error)
    size = memoryview(output).nbytes
    if size > OUTPUT_MAX_BYTES:
        sentence = f"The result has {size} bytes of JSON; at most {OUTPUT_MAX_BYTES} are kept."
        return _refused(InvalidResultError(sentence))
    return Succeeded(output)


def _failed(error: BaseException) -> Failed:
    return Failed(describe(error), retryable=not isinstance(error, AbortTaskRunError))


def _refused(error: InvalidPayloadError | InvalidResultError) -> Failed:
    """Another attempt would end the same way."""
    return Failed(Error(type(error).__name__, str(error)), retryable=False)


def _arguments(body: Body, attempt: Attempt, cancellation: Cancellation) -> tuple[Any, ...]:
    if not body.takes_payload:
        return ()
    payload = body.types.payload(attempt.run.payload)
    return (payload, _context(attempt, cancellation)) if body.takes_context else (payload,)


def _context(attempt: Attempt, cancellation: Cancellation) -> Context:
    run = attempt.run
    return Context(
        RunInfo(
            id=run.id,
            tags=run.tags,
            created_at=_moment(run.created_at),
            is_test=run.is_test,
            max_attempts=run.max_attempts,
            max_duration=None if run.max_duration is None else run.max_duration / 1000,
            idempotency_key=run.idempotency_key,
            batch_id=run.batch_id,
        ),
        AttemptInfo(run.attempt, _moment(attempt.started_at)),
        TaskInfo(run.task),
        QueueInfo(run.queue),
        EnvironmentInfo(run.environment.id, run.environment.slug, run.environment.type),
        attempt.version,
        cancellation,
    )


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
