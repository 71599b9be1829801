"""Decisions about a run outside its attempts: trigger, delay, cancel, expire.

Each function returns the events that follow, none when there is nothing to do, and raises NotAllowed when it cannot be.
"""

from typing import NamedTuple

from msgspec import Raw, Struct

from domain import events as e
from domain.environment import Environment
from domain.errors import NotAllowed
from domain.events import (
    API,
    JSON_TYPE,
    NOTHING,
    About,
    BlobRef,
    EventRef,
    JobRef,
    Prefix,
    RunError,
    RunEvent,
    Scheduled,
)
from domain.gates import Gates, Verdict, default_queue, ttl_of
from domain.run import Run
from domain.status import FINAL, Status

PARENT_CANCELED = "Its parent was canceled."
WAIT = "wait"
"""The kind of the deadline of a wait."""


DEBOUNCING = frozenset({Status.PENDING_VERSION, Status.PENDING, Status.WAITING_ON_CONNECTIONS, Status.DELAYED})
"""The statuses in which a run can still be put off."""


class Debounce(Struct, frozen=True, gc=False):
    """Further triggers with the key, whose stream this names, put the run off until it enters its queue."""

    key: str
    delay_ms: int
    is_trailing: bool = False
    max_delay_ms: int | None = None


class NewRun(Struct, frozen=True, gc=False, omit_defaults=True):
    """A run that someone asks for; what is None comes from the task's current version.

    `key` is the stream of the idempotency key, `key_until` the time until which it stands for this run.
    `ttl_ms` 0 opts out of the task's TTL. `traceparent` is the caller's span, as W3C writes it. `lock` is the version
    that alone may execute it. One whose key `keeps_failed` is still found by its key when it has failed;
    `payload_digest` tells whether a later trigger with the key brings another payload.
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
    source: str = API
    lock: str | None = None
    machine: str | None = None
    parent: str | None = None
    verdict: Verdict | None = None
    payload_digest: str | None = None
    keeps_failed: bool = False
    debounce: Debounce | None = None
    prefix: Prefix | None = None
    schedule: Scheduled | None = None
    job: JobRef | None = None
    event: EventRef | None = None
    about: About | None = None


def trigger(new: NewRun, gates: Gates, environment: Environment, parent: Run | None = None) -> list[RunEvent]:
    """Accept a run: into its queue, or held by the first gate that is not open."""
    _, settings = gates.version_for(new.task, new.lock)
    queue = new.queue or (settings.queue.name if settings and settings.queue else default_queue(new.task))
    held = gates.at_trigger(new.task, new.lock, new.verdict, new.delay_until)
    # By place, in the order of the fields: this is done for every run, and 25 names double its time.
    triggered = e.RunTriggered(
        new.task,
        queue,
        new.payload,
        new.payload_blob,
        new.payload_type,
        new.payload_size,
        new.tags,
        new.metadata,
        new.priority,
        new.concurrency_key,
        ttl_of(new.ttl_ms, settings, environment),
        new.max_attempts,
        new.max_duration_ms,
        new.is_test,
        new.batch,
        new.idempotency_key,
        new.replay_of,
        new.traceparent,
        new.source,
        new.lock,
        new.machine or (settings.machine if settings else None),
        new.parent,
        (parent.root or parent.id) if parent else None,
        parent.depth + 1 if parent else 0,
        # A run that only its delay holds says so in an event of its own.
        None if held is None or isinstance(held, e.RunDelayed) else new.delay_until,
        new.prefix,
        new.schedule,
        new.job,
        new.event,
        new.about,
    )
    events: list[RunEvent] = [triggered] if held is None else [triggered, held]
    if parent and parent.status is Status.CANCELED and not isinstance(held, e.PayloadRejected):
        events.append(e.RunCanceled(PARENT_CANCELED))
    return events


def debounce(run: Run, new: NewRun, now: int) -> list[RunEvent]:
    """Put a run off that has not entered its queue, by a further trigger with its debounce key, which asks for `new`.

    It never comes sooner for that, and never later than its max delay lets it.
    """
    asked = new.debounce
    assert asked is not None, "only a trigger with a debounce key debounces"
    until = now + asked.delay_ms
    if asked.max_delay_ms is not None:
        until = min(until, run.created_at + asked.max_delay_ms)
    until = max(until, (run.due_at if run.status is Status.DELAYED else run.delay_until) or 0)
    if not asked.is_trailing:
        return [e.RunDebounced(until)]
    return [
        e.RunDebounced(
            until,
            replaces=True,
            payload=new.payload,
            payload_blob=new.payload_blob,
            payload_type=new.payload_type,
            payload_size=new.payload_size,
            tags=new.tags,
            metadata=new.metadata,
            max_attempts=new.max_attempts,
            max_duration_ms=new.max_duration_ms,
            machine=new.machine or run.machine,
        )
    ]


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
    """The time at which the run moves on by itself: its delay, back-off or TTL, or the first end of a wait."""
    if run.waits:
        return min((Deadline(wait.until, WAIT) for wait in run.waits if wait.until is not None), default=None)
    if run.due_at is None and run.expires_at is None:
        return None
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
