"""On whose behalf a run acts: the task's auth resolver is asked before the run is queued."""

import asyncio
from typing import Any

from runfold import current
from runfold.context import Cancellation
from runfold.definition import Task
from runfold.errors import UnresolvedAuthError
from runfold.resolver import Resolver
from runfold.worker.handed import Attempt, context_of
from runfold.worker.outcomes import Ended, failed, succeeded
from runfold.worker.performing import StoppedError


async def resolve(task: Task[Any, Any], attempt: Attempt, cancellation: Cancellation) -> Ended:
    """Await an asynchronous resolver; cancelling goes through to its code."""
    try:
        answer = await _call(task, attempt, cancellation)
        return succeeded(_resolved(task, answer))
    except asyncio.CancelledError as error:
        if current.is_being_cancelled():
            raise
        return failed(error, attempt.run)
    except BaseException as error:  # noqa: BLE001 (whatever it raises, nobody was found)
        return failed(error, attempt.run)


def resolve_sync(task: Task[Any, Any], attempt: Attempt, cancellation: Cancellation) -> Ended:
    """Call a synchronous resolver, in the main thread of a child process; StoppedError goes through."""
    try:
        return succeeded(_resolved(task, _call(task, attempt, cancellation)))
    except StoppedError:
        raise
    except BaseException as error:  # noqa: BLE001 (as above)
        return failed(error, attempt.run)


def _call(task: Task[Any, Any], attempt: Attempt, cancellation: Cancellation) -> Any:
    payload = attempt.run.payload
    return resolver_of(task).call(lambda: task.body.types.payload(payload), context_of(attempt, cancellation))


def _resolved(task: Task[Any, Any], answer: Any) -> Any:
    if answer is None:
        raise UnresolvedAuthError(f"The auth resolver of the task {task.id!r} returned None, so nobody was found.")
    return answer


def resolver_of(task: Task[Any, Any]) -> Resolver:
    if task.resolver is None:
        raise UnresolvedAuthError(f"The task {task.id!r} has no auth resolver in this worker's version of the code.")
    return task.resolver
