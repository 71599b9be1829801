"""What a run's body may know about its run: the second argument of a task."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar, cast, overload

from runfold import current
from runfold.errors import RunfoldError
from runfold.event import EventInfo
from runfold.journal import Journal
from runfold.log import Line, RunLog
from runfold.metadata import Metadata, SyncMetadata
from runfold.opening import Openable
from runfold.policies import Retry
from runfold.steps import Arguments, run_step, run_step_sync

T = TypeVar("T")


@dataclass(frozen=True)
class RunInfo:
    id: str
    tags: tuple[str, ...]
    created_at: datetime
    is_test: bool
    max_attempts: int | None
    max_duration: float | None
    """Seconds that an attempt may take."""
    idempotency_key: str | None
    batch_id: str | None
    source: str = "api"
    """What made the run: `api`, `manual`, `schedule`, `event` or `replay`."""
    priority: float = 0
    concurrency_key: str | None = None
    parent_id: str | None = None
    """The run in whose code this one was triggered."""
    root_id: str | None = None
    depth: int = 0
    replay_of: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """As it was when the attempt was handed out."""
    machine: str | None = None


@dataclass(frozen=True)
class ScheduleInfo:
    id: str
    timestamp: datetime
    """The moment that was planned, or at which somebody let it run now."""


@dataclass(frozen=True)
class AttemptInfo:
    number: int
    started_at: datetime
    id: str = ""


@dataclass(frozen=True)
class TaskInfo:
    id: str


@dataclass(frozen=True)
class QueueInfo:
    name: str


@dataclass(frozen=True)
class EnvironmentInfo:
    id: str
    slug: str
    type: str


@dataclass(frozen=True)
class ProjectInfo:
    ref: str = ""


@dataclass(frozen=True)
class OrganizationInfo:
    slug: str = ""


class Connections(Mapping[str, Any]):
    """Credentials by name. They can be read one by one, and are never shown as a whole."""

    def __init__(self, credentials: Mapping[str, Any]) -> None:
        self._credentials = dict(credentials)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._credentials[name]
        except KeyError:
            there = ", ".join(sorted(self._credentials)) or "none"
            raise KeyError(
                f"The task has no connection {name!r}, it has: {there}. Declare it: @task(connections=[{name!r}])."
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._credentials)

    def __len__(self) -> int:
        return len(self._credentials)

    def __repr__(self) -> str:
        return f"<connections: {', '.join(sorted(self._credentials))}>"


class Cancellation:
    """Whether this attempt is to stop, because of a cancel, a timeout or the worker's end. Safe from any thread."""

    def __init__(self) -> None:
        self.is_watched = False
        """A body that looks at its cancellation gets the time to end by itself; any other is ended at once."""
        self._is_set = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for loop, future in list(self._waiting):
            with suppress(RuntimeError):  # a loop that was closed waits for nothing
                loop.call_soon_threadsafe(_wake, future)

    async def wait(self) -> None:
        loop = asyncio.get_running_loop()
        waiting = (loop, loop.create_future())
        # First in the list, then the look: so `set` in another thread is seen in one way or the other.
        self._waiting.append(waiting)
        try:
            if not self._is_set:
                await waiting[1]
        finally:
            self._waiting.remove(waiting)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@dataclass(frozen=True)
class RunContext:
    """What both kinds of contexts have."""

    run: RunInfo
    attempt: AttemptInfo
    task: TaskInfo
    queue: QueueInfo
    environment: EnvironmentInfo
    version: str
    cancellation: Cancellation
    project: ProjectInfo = ProjectInfo()
    organization: OrganizationInfo = OrganizationInfo()
    auth: Any = field(default=None, repr=False)
    """What the task's auth resolver has returned for this run."""
    connections: Connections = field(default_factory=lambda: Connections({}))
    journal: Openable | None = field(default=None, repr=False)
    schedule: ScheduleInfo | None = None
    """The schedule that made the run."""
    event: EventInfo | None = None
    """The named event that started the run, or the one that it replays."""

    @property
    def cancelled(self) -> Cancellation:
        self.cancellation.is_watched = True
        return self.cancellation

    @cached_property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """Names run, task and attempt in every line, and gives them to handlers as attributes of the record."""
        names = {"run": self.run.id, "task": self.task.id, "attempt": self.attempt.number}
        return _RunLogger(logging.getLogger(f"runfold.task.{self.task.id}"), names)

    @cached_property
    def log(self) -> RunLog:
        """Lines that are kept with the run: `ctx.log.info("Charged.", amount=5)`; `logger` is for the worker's own."""
        return RunLog(self.logger, self._keep_line)

    def _keep_line(self, line: Line) -> None:
        if self.journal is not None:
            self.journal.open().log(line)

    def _opened(self) -> Journal | None:
        return None if self.journal is None else self.journal.open()

    def _journal(self) -> Journal:
        journal = self._opened()
        if journal is None:
            raise RunfoldError("An auth resolver has no steps: it is asked before the run begins.")
        return journal


class Context(RunContext):
    """Of a task that is async."""

    @cached_property
    def metadata(self) -> Metadata:
        """Changes the metadata of the run, or that of its `.parent` or `.root`: `await ctx.metadata.set("at", 5)`."""
        return Metadata(self.run.id, self._opened())

    @overload
    async def step(
        self, name: str, function: Callable[..., Awaitable[T]], *args: Any, retry: Retry | None = None, **kwargs: Any
    ) -> T: ...
    @overload
    async def step(
        self, name: str, function: Callable[..., T], *args: Any, retry: Retry | None = None, **kwargs: Any
    ) -> T: ...
    async def step(
        self, name: str, function: Callable[..., Any], *args: Any, retry: Retry | None = None, **kwargs: Any
    ) -> Any:
        """What `function` returns when it is called once; however often the code is run again, that is what it was.

        If there is a `retry` it is tried again within the attempt, and the run waits in between. Raises StepFailedError
        when no try succeeds.
        """
        if current.step.get() is not None:
            # A step in a step is a part of it.
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result
        return await run_step(self._journal(), name, function, Arguments(args, kwargs), retry)


class SyncContext(RunContext):
    """Of a task that is not async: the same, without `await`."""

    @cached_property
    def metadata(self) -> SyncMetadata:
        """Changes the metadata of the run, or that of its `.parent` or `.root`: `ctx.metadata.set("at", 5)`."""
        return SyncMetadata(Metadata(self.run.id, self._opened()))

    def step(self, name: str, function: Callable[..., T], *args: Any, retry: Retry | None = None, **kwargs: Any) -> T:
        """What `function` returns when it is called once; however often the code is run again, that is what it was.

        If there is a `retry` it is tried again within the attempt, and the run waits in between. Raises StepFailedError
        when no try succeeds.
        """
        if current.step.get() is not None:
            return function(*args, **kwargs)
        return cast("T", run_step_sync(self._journal(), name, function, Arguments(args, kwargs), retry))


class _RunLogger(logging.LoggerAdapter[logging.Logger]):
    """Unlike its base it keeps the `extra` of a single call as well."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs
