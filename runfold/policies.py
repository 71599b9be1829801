"""What the engine is told about a task."""

import msgspec

from runfold.durations import Duration, duration_ms


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """When a failed attempt is followed by another; each wait is `factor` times the one before."""

    max_attempts: int = msgspec.field(default=3, name="maxAttempts")
    factor: float = 2.0
    min_timeout_ms: int = msgspec.field(default=1000, name="minTimeoutInMs")
    max_timeout_ms: int = msgspec.field(default=60_000, name="maxTimeoutInMs")
    randomize: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.max_attempts <= 250 and self.factor >= 1 and 0 <= self.min_timeout_ms <= self.max_timeout_ms):
            raise ValueError(
                f"{self} makes no sense: max_attempts is 1 to 250, factor at least 1, "
                "min_timeout_ms at most max_timeout_ms."
            )


class Queue(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A queue by name; its limit is how many of its runs may be under way at once, with 0 none starts."""

    name: str
    concurrency_limit: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("A queue needs a name.")
        if self.concurrency_limit is not None and not 0 <= self.concurrency_limit <= 100_000:
            raise ValueError(f"The limit of the queue {self.name!r} is 0 to 100000, not {self.concurrency_limit}.")


class Declaration(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A task as a worker registers it; `ttl` and `max_duration` are milliseconds, as on the wire."""

    id: str
    queue: Queue | None = None
    retry: Retry | None = None
    ttl: int | None = None
    max_duration: int | None = None
    retry_on_crash: bool = False


def limit_ms(task_id: str, what: str, duration: Duration | None) -> int | None:
    """A limit of a task in milliseconds; a ValueError names task, limit and what is wrong with it."""
    if duration is None:
        return None
    try:
        limit = duration_ms(duration)
    except ValueError as error:
        raise ValueError(f"{what} of the task {task_id!r}: {error}") from None
    if limit < 1:
        raise ValueError(f"{what} of the task {task_id!r} is {duration!r}: a limit must be longer than nothing.")
    return limit
