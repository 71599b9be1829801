"""What may be said when triggering, and how it travels."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, cast

from runfold.current import current_run
from runfold.durations import Duration, whole_seconds
from runfold.machines import Machine, valid_machine
from runfold.policies import Debounce, Queue
from runfold.unknown import refuse_unknown


class TriggerOptions(TypedDict, total=False):
    """None means the same as leaving an option out."""

    delay: Duration | datetime | None
    """Start no earlier: after this long, or at this moment."""
    ttl: Duration | None
    """Expire the run if it has not started this long after it was queued."""
    tags: str | Sequence[str] | None
    idempotency_key: str | None
    """A second trigger of the task with the same key makes no run but answers with the first one."""
    idempotency_key_ttl: Duration | None
    idempotency_key_on_failure: Literal["return"] | None
    """`"return"`: also a run that failed keeps its key, instead of making room for another one."""
    max_attempts: int | None
    max_duration: Duration | None
    """End an attempt that runs for longer."""
    queue: str | Queue | None
    concurrency_key: str | None
    """Give each value of the key a queue of its own, with the queue's limit."""
    priority: float | None
    """Go ahead of runs that were queued up to this many seconds earlier."""
    metadata: Mapping[str, Any] | None
    test: bool
    version: str | None
    """Run with this version of the tasks' code and no other."""
    machine: Machine | None
    debounce: Debounce | None
    detached: bool
    """Inside a task: make a run that is no child of the task's own run, so that a cancel does not reach it."""


class ReplayOptions(TypedDict, total=False):
    """What a replay does not take over from the run; None means the same as leaving it out."""

    delay: Duration | datetime | None
    ttl: Duration | None
    tags: str | Sequence[str] | None
    idempotency_key: str | None
    idempotency_key_ttl: Duration | None
    max_attempts: int | None
    max_duration: Duration | None
    queue: str | Queue | None
    concurrency_key: str | None
    priority: float | None
    metadata: Mapping[str, Any] | None
    version: str | None
    machine: Machine | None


def replay_on_wire(options: ReplayOptions) -> dict[str, Any]:
    """A replay's own names for them; raises TypeError for one that a replay does not have."""
    refuse_unknown("replay option", options, ReplayOptions.__annotations__)
    wire = options_on_wire(cast("TriggerOptions", options))
    if "lockToVersion" in wire:
        wire["version"] = wire.pop("lockToVersion")
    if "queue" in wire:
        wire["queue"] = wire["queue"]["name"]
    return wire


def trigger_on_wire(options: TriggerOptions) -> dict[str, Any]:
    """The same, with the run in whose code the trigger is said as the parent."""
    wire = options_on_wire(options)
    parent = None if options.get("detached") else current_run()
    return wire if parent is None else {**wire, "parentRunId": parent}


def options_on_wire(options: TriggerOptions) -> dict[str, Any]:
    """The `options` object of the API; raises TypeError for a name that is no option, ValueError for a bad value."""
    refuse_unknown("trigger option", options, [*_WIRE, "detached"])
    return {
        wire: convert(value) for option, (wire, convert) in _WIRE.items() if (value := options.get(option)) is not None
    }


def delay_on_wire(delay: Duration | datetime) -> str:
    if not isinstance(delay, datetime):
        return _seconds_text(delay)
    if delay.tzinfo is None:
        raise ValueError(
            f"The delay {delay.isoformat()} has no time zone, so it names no moment: use datetime.now(UTC)."
        )
    return delay.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds_text(duration: Duration) -> str:
    return f"{whole_seconds(duration)}s"


def _tags(tags: str | Sequence[str]) -> list[str]:
    return [tags] if isinstance(tags, str) else list(tags)


def _queue(queue: str | Queue) -> dict[str, str]:
    return {"name": queue.name if isinstance(queue, Queue) else queue}


def _debounce(debounce: Debounce) -> dict[str, str]:
    wire = {"key": debounce.key, "delay": _seconds_text(debounce.delay), "mode": debounce.mode}
    return wire if debounce.max_delay is None else {**wire, "maxDelay": _seconds_text(debounce.max_delay)}


def _on_failure(what: str) -> dict[str, str]:
    if what != "return":
        raise ValueError(f'idempotency_key_on_failure is "return" or left out, not {what!r}.')
    return {"onFailure": what}


def _as_it_is(value: Any) -> Any:
    return value


_WIRE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "delay": ("delay", delay_on_wire),
    "ttl": ("ttl", whole_seconds),
    "tags": ("tags", _tags),
    "idempotency_key": ("idempotencyKey", _as_it_is),
    "idempotency_key_ttl": ("idempotencyKeyTTL", _seconds_text),
    "idempotency_key_on_failure": ("idempotencyKeyOptions", _on_failure),
    "max_attempts": ("maxAttempts", _as_it_is),
    "max_duration": ("maxDuration", whole_seconds),
    "queue": ("queue", _queue),
    "concurrency_key": ("concurrencyKey", _as_it_is),
    "priority": ("priority", _as_it_is),
    "metadata": ("metadata", _as_it_is),
    "test": ("test", _as_it_is),
    "version": ("lockToVersion", _as_it_is),
    "machine": ("machine", valid_machine),
    "debounce": ("debounce", _debounce),
}
