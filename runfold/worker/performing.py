"""One attempt: from the payload's JSON through the task's code to what is reported of it."""

import asyncio
from typing import Any

from runfold import current
from runfold.blocking import blocking
from runfold.context import Cancellation, Context, RunContext, SyncContext
from runfold.definition import Task
from runfold.errors import InvalidPayloadError
from runfold.opening import Openable
from runfold.worker.handed import Attempt, context_of
from runfold.worker.outcomes import Ended, failed, refused, succeeded


class StoppedError(BaseException):
    """Raised into the code of a synchronous task that is to stop; no `except Exception` holds it up."""


async def perform(task: Task[Any, Any], attempt: Attempt, cancellation: Cancellation, journal: Openable) -> Ended:
    """Await an asynchronous task; cancelling goes through to its code."""
    try:
        try:
            arguments = arguments_of(task, attempt, cancellation, journal)
        except InvalidPayloadError as error:
            return refused(error)
        with current.inside(attempt.run.id, journal):
            result = await task.body.function(*arguments)
            if journal.is_owed:
                await journal.settle()
        ended = succeeded(result)
    except asyncio.CancelledError as error:
        if current.is_being_cancelled():
            raise
        return failed(error, attempt.run)  # something that the task awaited was cancelled, not the task
    except BaseException as error:  # noqa: BLE001 (also sys.exit() ends only the run)
        return failed(journal.broken or error, attempt.run)
    # Code that caught what broke its journal has gone on without one.
    return failed(journal.broken, attempt.run) if journal.broken else ended


def perform_sync(task: Task[Any, Any], attempt: Attempt, cancellation: Cancellation, journal: Openable) -> Ended:
    """Call a synchronous task, in the main thread of a child process; StoppedError goes through."""
    try:
        try:
            arguments = arguments_of(task, attempt, cancellation, journal)
        except InvalidPayloadError as error:
            return refused(error)
        with current.inside(attempt.run.id, journal):
            result = task.body.function(*arguments)
            if journal.is_owed:
                blocking(journal.settle)()
        ended = succeeded(result)
    except StoppedError:
        raise
    except BaseException as error:  # noqa: BLE001 (also sys.exit() ends only the run)
        return failed(journal.broken or error, attempt.run)
    return failed(journal.broken, attempt.run) if journal.broken else ended


def arguments_of(
    task: Task[Any, Any],
    attempt: Attempt,
    cancellation: Cancellation,
    journal: Openable,
    kind: type[RunContext] | None = None,
) -> tuple[Any, ...]:
    """What the code of a task is called with; its context is of this kind. Raises InvalidPayloadError."""
    body = task.body
    if not body.takes_payload:
        return ()
    payload = body.types.payload(attempt.run.payload)
    if not body.takes_context:
        return (payload,)
    kind = kind or (Context if body.is_async else SyncContext)
    return payload, context_of(attempt, cancellation, journal, kind)
