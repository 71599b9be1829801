"""Versions of the tasks of an environment, and what a task says of itself."""

from typing import Any, Literal

from msgspec import Struct

from domain.calendar import UTC_ZONE
from domain.events.base import Event
from domain.retry import Retry


class RateLimit(Struct, frozen=True, gc=False, rename="camel"):
    """At most `limit` starts within any `period_ms` milliseconds."""

    limit: int
    period_ms: int


class Queue(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A queue as a task names it. `concurrency_limit` bounds the open attempts."""

    name: str
    concurrency_limit: int | None = None
    rate_limit: RateLimit | None = None


class TaskSchedule(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """When a task is to run by itself, as its code says: by `cron`, or `every` so many minutes. Durations are in ms."""

    cron: str | None = None
    timezone: str = UTC_ZONE
    every: int | None = None
    dst_gap: Literal["run_after", "skip"] = "run_after"
    dst_fold: Literal["first", "both"] = "first"
    jitter: int = 0
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] = "allow"
    catch_up: Literal["latest", "all", "none"] = "latest"
    catch_up_window: int | None = None
    catch_up_max: int = 100


class Subscription(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """The named events that start something: those of this name, or one of these, whose payload fits the filter."""

    name: str | tuple[str, ...]
    filter: dict[str, Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, each once."""
        return (self.name,) if isinstance(self.name, str) else tuple(dict.fromkeys(self.name))


class TaskSettings(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """What a worker says about one of its tasks. `ttl` and `max_duration` are milliseconds."""

    id: str
    queue: Queue | None = None
    retry: Retry | None = None
    ttl: int | None = None
    max_duration: int | None = None
    retry_on_crash: bool = False
    machine: str | None = None
    payload_schema: dict[str, Any] | None = None
    """JSON Schema of the payload; none takes every payload."""
    auth_resolver: bool = False
    """Whether the worker has to say first for whom a run acts."""
    connections: tuple[str, ...] = ()
    """The names of the connections that a run needs."""
    schedule: TaskSchedule | None = None
    """When it is to run by itself."""
    event: Subscription | None = None
    """The named events that start it."""


class VersionRegistered(Event, frozen=True, gc=False, omit_defaults=True):
    """A new set of tasks arrived, and it is the current one unless it is not promoted yet."""

    version: str
    digest: str
    tasks: tuple[TaskSettings, ...]
    is_promoted: bool = True


class VersionPromoted(Event, frozen=True, gc=False):
    """A version known before is the current one."""

    version: str
