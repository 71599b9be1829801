"""The decorator `@task`, and the list of the tasks it has made in this process."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypedDict, Unpack, overload

from runfold.context import Context, SyncContext
from runfold.definition import Task
from runfold.durations import Duration
from runfold.machines import Machine
from runfold.policies import Queue, Retry
from runfold.resolver import AuthResolver
from runfold.schedule import Schedule
from runfold.typevars import PayloadT, ResultT
from runfold.unknown import refuse_unknown

AsyncBody = (
    Callable[[PayloadT], Coroutine[Any, Any, ResultT]] | Callable[[PayloadT, Context], Coroutine[Any, Any, ResultT]]
)
SyncBody = (
    Callable[[PayloadT], ResultT] | Callable[[PayloadT, Context], ResultT] | Callable[[PayloadT, SyncContext], ResultT]
)


class TaskOptions(TypedDict, total=False):
    """None means the same as leaving an option out."""

    id: str | None
    """The function's name, if left out."""
    retry: Retry | None
    """Without one there is a single attempt."""
    queue: str | Queue | None
    """`task/<id>`, without a limit, if left out."""
    max_duration: Duration | None
    """End an attempt that runs for longer."""
    ttl: Duration | None
    """Expire a run that has not started this long after it was queued; 0: never."""
    retry_on_crash: bool
    """Whether the retry policy also holds when the process dies under the run."""
    machine: Machine | None
    """Take only workers that stand for this machine; any worker, if left out."""
    auth: AuthResolver | None
    """Called before a run is queued, as `auth(payload, ctx)` or `auth(ctx)`; what it returns is `ctx.auth`."""
    connections: str | Sequence[str]
    """The names of the credentials that `ctx.connections` is to have; runs wait until all are there."""
    cron: str | None
    """Run by itself at these times: five fields. Its payload is a ScheduledRun."""
    timezone: str | None
    """The IANA time zone in which `cron` is read; UTC, if left out."""
    schedule: Schedule | None
    """All that can be said of a schedule, in place of `cron` and `timezone`."""
    on_event: str | Sequence[str] | None
    """Run whenever an event of this name is sent; its payload is the run's."""
    event_filter: Mapping[str, Any] | None
    """Take only events whose payload fits it."""


class TaskDecorator:
    """`@task`, or `@task(id=..., ...)`, which is the same decorator with more said."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = options

    @overload
    def __call__(self, function: Callable[[], Coroutine[Any, Any, ResultT]], /) -> Task[None, ResultT]: ...
    @overload
    def __call__(self, function: AsyncBody[PayloadT, ResultT], /) -> Task[PayloadT, ResultT]: ...
    @overload
    def __call__(self, function: Callable[[], ResultT], /) -> Task[None, ResultT]: ...
    @overload
    def __call__(self, function: SyncBody[PayloadT, ResultT], /) -> Task[PayloadT, ResultT]: ...
    @overload
    def __call__(self, /, **options: Unpack[TaskOptions]) -> "TaskDecorator": ...
    def __call__(self, function: Any = None, /, **options: Any) -> Any:
        if function is None:
            refuse_unknown("task option", options, TaskOptions.__annotations__)
            return TaskDecorator({**self._options, **options})  # type: ignore[typeddict-item]  # the names are checked
        made: Task[Any, Any] = Task(function, **self._options)
        _remember(made)
        return made


task = TaskDecorator({})

_made: dict[tuple[str, str, str], Task[Any, Any]] = {}


def tasks_made() -> list[Task[Any, Any]]:
    """Every task of this process, in the order of definition."""
    return list(_made.values())


def _remember(made: Task[Any, Any]) -> None:
    """Refuse a second function with the same id; the same function again is a reload, and replaces it.

    Tasks of other scopes and modules are compared by the worker, which is what needs the ids to differ.
    """
    function = made.body.function
    scope = function.__qualname__.rpartition(".")[0]
    known = _made.get((function.__module__, scope, made.id))
    if known is not None and known.body.function.__qualname__ != function.__qualname__:
        raise ValueError(f"Two tasks are called {made.id!r}: {known!r} and {made!r}. Give one of them another id.")
    _made[function.__module__, scope, made.id] = made
