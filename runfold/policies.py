"""What the engine is told about a task."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from runfold.durations import Duration, duration_ms
from runfold.machines import Machine, valid_machine
from runfold.schedule import Schedule
from runfold.unknown import Named


class Retry(msgspec.Struct, frozen=True, kw_only=True, metaclass=Named):
    """When a failed attempt is followed by another; each wait is `factor` times the one before."""

    max_attempts: int = 3
    factor: float = 2.0
    min_timeout_ms: int = 1000
    max_timeout_ms: int = 60_000
    randomize: bool = True
    out_of_memory_machine: Machine | None = None
    """Where to try again once a run has used up the memory of a smaller machine."""

    def __post_init__(self) -> None:
        if not (1 <= self.max_attempts <= 250 and self.factor >= 1 and 0 <= self.min_timeout_ms <= self.max_timeout_ms):
            raise ValueError(
                f"{self} makes no sense: max_attempts is 1 to 250, factor at least 1, "
                "min_timeout_ms at most max_timeout_ms."
            )
        if self.out_of_memory_machine is not None:
            valid_machine(self.out_of_memory_machine)


class RateLimit(msgspec.Struct, frozen=True, metaclass=Named):
    """At most `limit` starts within any `period`."""

    limit: int
    period: Duration

    def __post_init__(self) -> None:
        if self.limit < 1 or duration_ms(self.period) < 1:
            raise ValueError(f"{self} makes no sense: the limit is at least 1, the period longer than nothing.")


class Queue(msgspec.Struct, frozen=True, metaclass=Named):
    """A queue by name; its limit is how many of its runs may be under way at once, with 0 none starts."""

    name: str
    concurrency_limit: int | None = None
    rate_limit: RateLimit | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("A queue needs a name.")
        if self.concurrency_limit is not None and not 0 <= self.concurrency_limit <= 100_000:
            raise ValueError(f"The limit of the queue {self.name!r} is 0 to 100000, not {self.concurrency_limit}.")


class Debounce(msgspec.Struct, frozen=True, metaclass=Named):
    """Make one run of all triggers with the same key that come within `delay` of each other."""

    key: str
    delay: Duration
    mode: Literal["leading", "trailing"] = "leading"
    """Whether the run has the payload of the first trigger or of the last."""
    max_delay: Duration | None = None
    """Start the run this long after its first trigger, even if others keep coming."""

    def __post_init__(self) -> None:
        if not self.key or self.mode not in ("leading", "trailing") or duration_ms(self.delay) < 1:
            raise ValueError(
                f"{self} makes no sense: it needs a key, a delay longer than nothing, and the mode leading or trailing."
            )
        if self.max_delay is not None and duration_ms(self.max_delay) < duration_ms(self.delay):
            raise ValueError(f"{self} makes no sense: max_delay is at least the delay.")


class Declaration(msgspec.Struct, frozen=True):
    """What `@task` says of a task; `ttl` and `max_duration` are milliseconds."""

    id: str
    queue: Queue | None = None
    retry: Retry | None = None
    ttl: int | None = None
    max_duration: int | None = None
    retry_on_crash: bool = False
    machine: str | None = None
    auth_resolver: bool = False
    connections: tuple[str, ...] = ()
    schedule: Schedule | None = None
    on_event: tuple[str, ...] | None = None
    """The names of the events that start it."""
    event_filter: dict[str, Any] | None = None


def queue_of(task_id: str, queue: Any) -> Queue | None:
    """What a task says of its queue, of which a name is enough; a TypeError names the task."""
    if queue is None or isinstance(queue, Queue):
        return queue
    if not isinstance(queue, str):
        raise TypeError(f"queue of the task {task_id!r} is {queue!r}: write a name, or Queue(name, ...).")
    return Queue(queue)


def retry_of(task_id: str, retry: Any) -> Retry | None:
    """What a task says of its retries; a TypeError names the task and says what was probably meant."""
    if retry is None or isinstance(retry, Retry):
        return retry
    meant = f"Retry(max_attempts={retry})" if type(retry) is int else "Retry(...)"
    raise TypeError(f"retry of the task {task_id!r} is {retry!r}: write {meant}.")


def event_names_of(task_id: str, on_event: Any) -> tuple[str, ...] | None:
    """The names of the events that start a task; a TypeError names the task and what is wrong."""
    if on_event is None:
        return None
    is_list = isinstance(on_event, list | tuple)
    names = tuple(cast("list[Any]", on_event)) if is_list else (on_event,)
    if not names or not all(isinstance(each, str) and each for each in names):
        raise TypeError(f"on_event of the task {task_id!r} is the name of an event, or several, not {on_event!r}.")
    return names


def filter_of(task_id: str, on_event: Any, event_filter: Any) -> dict[str, Any] | None:
    """Which of these events start a task; a ValueError or TypeError names the task and what is wrong."""
    if event_filter is None:
        return None
    if on_event is None:
        raise ValueError(f"The task {task_id!r} has an event_filter and no on_event whose events it would filter.")
    if not isinstance(event_filter, Mapping):
        raise TypeError(f"event_filter of the task {task_id!r} mirrors the payload as a dict, not {event_filter!r}.")
    return dict(event_filter)  # pyright: ignore[reportUnknownArgumentType]  # any mapping


def schedule_of(task_id: str, cron: str | None, timezone: str | None, schedule: Any) -> Schedule | None:
    """What a task says of its schedule; a ValueError or TypeError names the task and what is wrong."""
    if cron is None:
        if timezone is not None:
            raise ValueError(f"The task {task_id!r} has a timezone and no cron that would be read in it.")
        return None if schedule is None else _valid_schedule(task_id, schedule)
    if schedule is not None:
        raise ValueError(f"The task {task_id!r} has both cron and schedule: put the cron into the Schedule.")
    return Schedule(cron=cron, timezone=timezone or "UTC")


def _valid_schedule(task_id: str, schedule: Any) -> Schedule:
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule of the task {task_id!r} is a Schedule(...), not {schedule!r}.")
    return schedule


def limit_ms(task_id: str, what: str, duration: Duration | None, *, at_least: int = 1) -> int | None:
    """A limit of a task in milliseconds; a ValueError names task, limit and what is wrong with it."""
    if duration is None:
        return None
    try:
        limit = duration_ms(duration)
    except ValueError as error:
        raise ValueError(f"{what} of the task {task_id!r}: {error}") from None
    if limit < at_least:
        raise ValueError(f"{what} of the task {task_id!r} is {duration!r}: a limit must be longer than nothing.")
    return limit


def connection_names(task_id: str, names: str | Sequence[Any]) -> tuple[str, ...]:
    """The connections that a task declares, each once; a single name may stand for itself."""
    listed: Sequence[Any] = (names,) if isinstance(names, str) else names
    if any(not isinstance(each, str) or not each for each in listed):
        raise ValueError(f"connections of the task {task_id!r} are names such as 'github', not {names!r}.")
    return tuple(dict.fromkeys(map(str, listed)))
