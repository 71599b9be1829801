"""Decisions about a run outside its attempts: trigger, delay, cancel, expire.

Each function returns the events that follow, none when there is nothing to do, and raises NotAllowed when it cannot be.
"""

from typing import NamedTuple

from msgspec import Raw, Struct

from domain import events as e
from domain.environment import Environment
from domain.errors import NotAllowed
from domain.events import JSON_TYPE, NOTHING, BlobRef, RunError, RunEvent
from domain.run import Run
from domain.status import FINAL, Status


class NewRun(Struct, frozen=True, gc=False, omit_defaults=True):
    """A run that someone asks for; what is None comes from the task's current version.

    `key` is the stream of the idempotency key, `key_until` the time until which it stands for this run.
    `ttl_ms` 0 opts out of the task's TTL. `traceparent` is the caller's span, as W3C writes it.
    """

    id: str
    task: str
    payload: Raw = NOTHING
    payload_blob: BlobRef | None = None
    payload_type: str = JSON_TYPE
    payload_size: int = 0
    queue: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    priority: int = 0
    concurrency_key: str | None = None
    delay_until: int | None = None
    ttl_ms: int | None = None
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    is_test: bool = False
    batch: str | None = None
    key: str | None = None
    key_until: int = 0
    idempotency_key: str | None = None
    replay_of: str | None = None
    traceparent: str | None = None


def trigger(new: NewRun, environment: Environment, now: int) -> list[RunEvent]:
    """Accept a run: into its queue, or held by the first gate that is not open."""
    settings = environment.settings(new.task)
    ttl = new.ttl_ms if new.ttl_ms is not None else settings.ttl if settings else None
    queue = new.queue or (settings.queue.name if settings and settings.queue else f"task/{new.task}")
    triggered = e.RunTriggered(
        task=new.task,
        queue=queue,
        payload=new.payload,
        payload_blob=new.payload_blob,
        payload_type=new.payload_type,
        payload_size=new.payload_size,
        tags=new.tags,
        metadata=new.metadata,
        priority=new.priority,
        concurrency_key=new.concurrency_key,
        ttl_ms=ttl or None,
        max_attempts=new.max_attempts,
        max_duration_ms=new.max_duration_ms,
        is_test=new.is_test,
        batch=new.batch,
        idempotency_key=new.idempotency_key,
        replay_of=new.replay_of,
        traceparent=new.traceparent,
    )
    if new.delay_until is not None and new.delay_until > now:
        return [triggered, e.RunDelayed(new.delay_until)]
    return [triggered]


def cancel(run: Run, reason: str | None = None) -> list[RunEvent]:
    """Stop a run. Safe to repeat: an ended run stays as it ended."""
    return [] if run.is_final else [e.RunCanceled(reason)]


def give_up(run: Run, message: str) -> list[RunEvent]:
    """End a run with which the engine cannot go on, for the reason that the message tells."""
    return [] if run.is_final else [e.RunSystemFailed(RunError(message, "SystemFailure"))]


def reschedule(run: Run, until: int, now: int) -> list[RunEvent]:
    """Give a delayed run another time in the future."""
    if run.status is not Status.DELAYED:
        raise NotAllowed(f"Cannot reschedule a run that is not delayed: run {run.id} is {run.status}.")
    if until <= now:
        raise NotAllowed("Cannot reschedule a run to a time that has passed.")
    return [] if until == run.due_at else [e.RunRescheduled(until)]


class Deadline(NamedTuple):
    """What is due for a run, on the wall clock, if nothing else happens to it before."""

    at: int
    kind: str


def deadline_of(run: Run) -> Deadline | None:
    """The time at which the run moves on by itself: its delay, back-off or TTL."""
    if run.status is Status.DELAYED and run.due_at is not None:
        return Deadline(run.due_at, "delay")
    if run.status is Status.REATTEMPTING and run.due_at is not None:
        return Deadline(run.due_at, "backoff")
    if run.status is Status.QUEUED and run.expires_at is not None:
        return Deadline(run.expires_at, "ttl")
    return None


def fire(run: Run, deadline: Deadline) -> list[RunEvent]:
    """What the deadline brings. One that is no longer the run's brings nothing."""
    if run.status in FINAL or deadline_of(run) != deadline:
        return []
    if deadline.kind == "ttl":
        assert run.ttl_ms is not None, "only a TTL sets a time to expire"
        return [e.RunExpired(run.ttl_ms)]
    return [e.RunEnqueued(deadline.kind)]
