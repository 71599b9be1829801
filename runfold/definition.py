"""A task: a function that runs elsewhere, with everything the engine and the worker need to know about it."""

from collections.abc import Mapping, Sequence
from functools import update_wrapper
from typing import Any, Generic, Unpack

from runfold import waits
from runfold.blocking import blocking
from runfold.body import Body
from runfold.durations import Duration
from runfold.handles import BatchHandle, BatchItem, RunHandle
from runfold.machines import Machine, valid_machine
from runfold.options import TriggerOptions
from runfold.policies import (
    Declaration,
    Queue,
    Retry,
    connection_names,
    event_names_of,
    filter_of,
    limit_ms,
    queue_of,
    retry_of,
    schedule_of,
)
from runfold.resolver import AuthResolver, Resolver
from runfold.results import BatchResult
from runfold.run import RunResult
from runfold.schedule import Schedule
from runfold.triggering import NOTHING, Triggering
from runfold.typevars import PayloadT, ResultT


class Task(Generic[PayloadT, ResultT]):
    """Made by `@task`. Calling it runs the plain function, right here and unrecorded; `trigger` makes a run."""

    def __init__(
        self,
        function: Any,
        *,
        id: str | None = None,  # noqa: A002 (the word that users write)
        retry: Retry | None = None,
        queue: str | Queue | None = None,
        max_duration: Duration | None = None,
        ttl: Duration | None = None,
        retry_on_crash: bool = False,
        machine: Machine | None = None,
        auth: AuthResolver | None = None,
        connections: str | Sequence[str] = (),
        cron: str | None = None,
        timezone: str | None = None,
        schedule: Schedule | None = None,
        on_event: str | Sequence[str] | None = None,
        event_filter: Mapping[str, Any] | None = None,
    ) -> None:
        self.body = Body(function)
        self.id = _valid_id(self.body.function.__name__ if id is None else id)
        self.resolver = None if auth is None else Resolver(auth)
        self.declaration = Declaration(
            self.id,
            queue=queue_of(self.id, queue),
            retry=retry_of(self.id, retry),
            ttl=limit_ms(self.id, "ttl", ttl, at_least=0),  # 0: it does not expire, whatever the environment says
            max_duration=limit_ms(self.id, "max_duration", max_duration),
            retry_on_crash=retry_on_crash,
            machine=None if machine is None else valid_machine(machine),
            auth_resolver=auth is not None,
            connections=connection_names(self.id, connections),
            schedule=schedule_of(self.id, cron, timezone, schedule),
            on_event=event_names_of(self.id, on_event),
            event_filter=filter_of(self.id, on_event, event_filter),
        )
        self.aio: AsyncTask[PayloadT, ResultT] = AsyncTask(self)
        self.trigger = blocking(self.aio.trigger)
        self.batch_trigger = blocking(self.aio.batch_trigger)
        self.trigger_and_wait = blocking(self.aio.trigger_and_wait)
        self.batch_trigger_and_wait = blocking(self.aio.batch_trigger_and_wait)
        update_wrapper(self, self.body.function)

    @property
    def needs_process(self) -> bool:
        """Whether some of its code is not async, and so runs in a process of its own."""
        return not self.body.is_async or (self.resolver is not None and not self.resolver.is_async)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.body.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<task {self.id!r}: {self.body.function.__module__}.{self.body.function.__qualname__}>"


class AsyncTask(Generic[PayloadT, ResultT]):
    """The calls of a task for code that awaits: `await send_email.aio.trigger(...)`."""

    def __init__(self, task: Task[PayloadT, ResultT]) -> None:
        self._task = task

    async def trigger(
        self, payload: PayloadT = NOTHING, **options: Unpack[TriggerOptions]
    ) -> RunHandle[PayloadT, ResultT]:
        """Make a run of the task; only a task without parameters goes without a payload."""
        if payload is NOTHING and self._task.body.takes_payload:
            raise TypeError(f"The task {self._task.id!r} takes a payload: trigger(payload).")
        return await self._triggering().one(payload, options)

    async def batch_trigger(self, items: Sequence[PayloadT | BatchItem[PayloadT]]) -> BatchHandle[PayloadT, ResultT]:
        """Make a run for each payload or BatchItem, all of them or none, at most 1000."""
        return await self._triggering().batch(items)

    async def trigger_and_wait(
        self, payload: PayloadT = NOTHING, **options: Unpack[TriggerOptions]
    ) -> RunResult[ResultT]:
        """Make a run and wait for its end; only inside a task, which holds no slot meanwhile."""
        waits.current_journal()
        return await waits.for_run(await self.trigger(payload, **options))

    async def batch_trigger_and_wait(self, items: Sequence[PayloadT | BatchItem[PayloadT]]) -> BatchResult[ResultT]:
        """Make a run for each payload or BatchItem, and wait until all have ended; only inside a task.

        Without any there is no batch to make: the result has no runs, and "" for an id.
        """
        waits.current_journal()
        if not items:
            return BatchResult(id="", runs=())
        return await waits.for_batch(await self.batch_trigger(items))

    def _triggering(self) -> Triggering[PayloadT, ResultT]:
        return Triggering(self._task.id, self._task.body.types)


def _valid_id(task_id: Any) -> str:
    if not isinstance(task_id, str) or not 0 < len(task_id) <= 128 or not task_id.isprintable() or "," in task_id:
        raise ValueError(f"{task_id!r} is no task id: use 1 to 128 printable characters without a comma.")
    return task_id
