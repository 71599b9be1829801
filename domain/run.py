"""The state of one run: what decisions about it need, and no more. It is the fold of its events."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from domain import events as e
from domain.errors import LedgerCorrupt
from domain.events import NOTHING, Recorded, RunEvent
from domain.status import FINAL, Status
from domain.transitions import TRANSITIONS, target_of

LOG_LINES_MAX = 1_000


class Wait(Struct, frozen=True, gc=False, omit_defaults=True):
    """A wait that is not over, named by its index in the journal."""

    index: int
    targets: tuple[str, ...] = ()
    is_any: bool = False
    until: int | None = None
    step: str | None = None
    """The step that is tried again then."""


class Run(Struct, frozen=True, gc=False, omit_defaults=True):
    """A run as the engine keeps it while it is not finished (payloads, outputs and tags stay in the ledger)."""

    id: str
    environment: str
    task: str
    queue: str
    status: Status
    version: int
    """How many events the run has."""
    created_at: int
    queued_at: int
    """When it last entered its queue: its place in there."""
    recorded_at: int
    payload_size: int = 0
    priority: int = 0
    concurrency_key: str | None = None
    ttl_ms: int | None = None
    expires_at: int | None = None
    due_at: int | None = None
    """When a delayed run enters its queue, or a failed one may start again."""
    delay_until: int | None = None
    """Until when it is to be delayed, once the gates before that are passed."""
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    lock: str | None = None
    """The version that it was triggered for, which alone may execute it."""
    last_version: str | None = None
    """The version that executed it last, which goes on with it where it can."""
    machine: str | None = None
    parent: str | None = None
    root: str | None = None
    depth: int = 0
    batch: str | None = None
    auth: str | None = None
    """What the auth resolver said, sealed."""
    tags: tuple[str, ...] = ()
    metadata: Raw = NOTHING
    schedule: str | None = None
    """The schedule for a tick of which it is."""
    job: str | None = None
    """The HTTP job an execution of which it is."""
    ended_at: int | None = None
    attempts: int = 0
    """How many attempts have started."""
    failures: int = 0
    """How many of them failed: the n of the back-off, and what max_attempts bounds."""
    handouts: int = 0
    """How often it was handed to a worker since an attempt last started, or a worker gave it back."""
    token: int | None = None
    """The fencing token of the open attempt."""
    worker: str | None = None
    worker_version: str | None = None
    started_at: int | None = None
    closed: tuple[tuple[int, str], ...] = ()
    """The tokens of attempts that are over, each with the report or the cause that closed it."""
    refused: tuple[int, ...] = ()
    """The tokens for which a late report was recorded."""
    journal: int = 0
    """How many entries its journal has."""
    waits: tuple[Wait, ...] = ()
    woken: tuple[e.WaitCompleted, ...] = ()
    """The waits that are over of which its code may not have heard."""
    is_suspended: bool = False
    """Whether the attempt, though nobody executes it, is to go on where its journal ends."""
    began_at: int = 0
    """When the attempt began."""
    spent_ms: int = 0
    """How long the attempt executed before it last went on, its waits not counted."""
    handed_at: int = 0
    """How many entries the journal had when the run was last handed to a worker."""
    stalls: int = 0
    """How often in a row the attempt was lost without a further entry."""
    log_lines: int = 0
    """How many lines of its log are kept."""
    log_size: int = 0
    log_heard: int = 0
    """How many lines came under the token of the open attempt."""
    is_erased: bool = False
    """Whether what users gave it is gone."""
    is_archived: bool = False
    """Whether it has left the database; nothing follows."""

    @property
    def is_log_full(self) -> bool:
        """Whether no further lines are kept."""
        return self.log_lines > LOG_LINES_MAX

    @property
    def is_awake(self) -> bool:
        """Whether it may go on, as soon as there is a slot, in the process that kept it."""
        return self.status is Status.WAITING and bool(self.woken)

    def closed_by(self, token: int) -> str | None:
        """What closed the attempt behind a token, None if there is no such attempt, or it is open."""
        return next((closed_by for closed, closed_by in self.closed if closed == token), None)

    @property
    def is_final(self) -> bool:
        """Whether nothing but annotations can follow."""
        return self.status in FINAL


def evolve(run: Run | None, recorded: Recorded) -> Run:
    """The run after one event. Raises NotAllowed where the transition table has no way."""
    event = recorded.event
    if not isinstance(event, RunEvent):
        raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of run {recorded.stream}.")
    status = target_of(run.status if run else None, event)
    if run is None:
        assert isinstance(event, e.RunTriggered), "the table lets nothing else come first"
        return _triggered(event, recorded)
    if recorded.version != run.version + 1:
        raise LedgerCorrupt(f"Run {run.id} has {run.version} events, and event {recorded.version} is to follow.")
    changes = _CHANGES.get(type(event))
    more: dict[str, Any] = changes(run, event, recorded) if changes else {}
    return replace(run, status=status, version=recorded.version, recorded_at=recorded.recorded_at, **more)


def fold(history: Iterable[Recorded]) -> Run | None:
    """The run that a history tells of, None if it is empty."""
    run: Run | None = None
    for recorded in history:
        run = evolve(run, recorded)
    return run


def _triggered(event: e.RunTriggered, recorded: Recorded) -> Run:
    at = recorded.occurred_at
    expires_at = recorded.recorded_at + event.ttl_ms if event.ttl_ms else None
    # By place, in the order of the fields: this is done for every run, and 25 names double its time.
    run = Run(
        recorded.stream,
        recorded.environment,
        event.task,
        event.queue,
        Status.QUEUED,
        recorded.version,
        at,
        at,
        recorded.recorded_at,
        event.payload_size,
        event.priority,
        event.concurrency_key,
        event.ttl_ms,
        expires_at,
        None,
        event.delay_until,
        event.max_attempts,
        event.max_duration_ms,
        event.version,
        None,
        event.machine,
        event.parent,
        event.root,
        event.depth,
        event.batch,
        None,
        event.tags,
        event.metadata,
        # One that somebody made by hand is in the way of no tick.
        None if event.schedule is None or event.source == e.MANUAL else event.schedule.schedule,
        None if event.job is None else event.job.id,
    )
    return run if event.prefix is None else replace(run, journal=event.prefix.entries)


def _debounced(run: Run, event: e.RunDebounced, _recorded: Recorded) -> dict[str, Any]:
    until = {"due_at" if run.status is Status.DELAYED else "delay_until": event.until}
    if not event.replaces:
        return until
    return until | {
        "payload_size": event.payload_size,
        "max_attempts": event.max_attempts,
        "max_duration_ms": event.max_duration_ms,
        "machine": event.machine,
        "tags": event.tags,
        "metadata": event.metadata,
    }


def _close(run: Run, closed_by: str) -> dict[str, Any]:
    """The open attempt, if there is one, is over."""
    if run.token is None:
        return {}
    return {"token": None, "worker": None, "started_at": None, "closed": (*run.closed, (run.token, closed_by))}


def _pause(run: Run, recorded: Recorded) -> dict[str, Any]:
    """The attempt does not execute, and its time stands still."""
    if run.status is not Status.EXECUTING or run.started_at is None:
        return {}
    return {"spent_ms": run.spent_ms + recorded.recorded_at - run.started_at}


def _suspend(run: Run, recorded: Recorded, reason: str) -> dict[str, Any]:
    """The attempt, which is in nobody's hands any more, goes on later."""
    if run.status is Status.DEQUEUED or not run.journal:
        return {}
    stalls = run.stalls + 1 if reason in _LOST and run.journal == run.handed_at else 0
    return {"is_suspended": True, "stalls": stalls} | _pause(run, recorded)


def _end(closed_by: str) -> Callable[[Run, Any, Recorded], dict[str, Any]]:
    def end(run: Run, _event: RunEvent, recorded: Recorded) -> dict[str, Any]:
        changes = _close(run, closed_by)
        changes["ended_at"] = recorded.recorded_at
        changes["due_at"] = changes["expires_at"] = None
        if run.waits or run.woken:
            changes["waits"] = changes["woken"] = ()
        return changes

    return end


def _held(_run: Run, _event: RunEvent, _recorded: Recorded) -> dict[str, Any]:
    return {"expires_at": None}


def _enqueued(run: Run, event: e.RunEnqueued, recorded: Recorded) -> dict[str, Any]:
    if run.token is not None:
        # Handed back, a run keeps its place in the queue, and its time to expire.
        # Who says that it gives a run back has not died of it.
        handed: dict[str, Any] = {"handouts": 0} if event.reason == "released" else {}
        return {"due_at": None} | handed | _suspend(run, recorded, event.reason) | _close(run, event.reason)
    if run.is_suspended:
        # What was begun goes before what came later.
        return {}
    # The TTL's clock starts when the run is really queued, and never after its first start.
    expires = recorded.recorded_at + run.ttl_ms if run.ttl_ms and run.attempts == 0 else None
    return {"due_at": None, "delay_until": None, "expires_at": expires, "queued_at": recorded.occurred_at}


def _failed(run: Run, event: e.AttemptFailed, _recorded: Recorded) -> dict[str, Any]:
    # A retry keeps what is journaled, and waits anew.
    waits = {"waits": (), "woken": ()} if run.waits or run.woken else {}
    return (
        {"failures": run.failures + 1, "stalls": 0}
        | waits
        | _close(run, _CLOSED_BY.get(event.error.code or "", "failed"))
    )


def _wait(run: Run, event: e.WaitStarted, _recorded: Recorded) -> dict[str, Any]:
    wait = Wait(event.entry.index, event.targets, event.is_any, event.until)
    return {"journal": run.journal + 1, "waits": (*run.waits, wait)}


def _tried(run: Run, event: e.StepTryFailed, _recorded: Recorded) -> dict[str, Any]:
    wait = Wait(event.entry.index, until=event.until, step=event.entry.name)
    return {"journal": run.journal + 1, "waits": (*run.waits, wait)}


def _wake(run: Run, event: e.WaitCompleted, _recorded: Recorded) -> dict[str, Any]:
    return {"waits": tuple(wait for wait in run.waits if wait.index != event.wait), "woken": (*run.woken, event)}


def _hand_out(run: Run, event: e.RunDequeued, _recorded: Recorded) -> dict[str, Any]:
    # What is over by now its worker reads in the journal. Of what ends before it starts it may not have heard.
    handed: dict[str, Any] = {"handed_at": run.journal, "woken": ()} if run.journal else {}
    if run.log_heard:
        handed["log_heard"] = 0
    return {
        "token": event.token,
        "worker": event.worker,
        "worker_version": event.version,
        "handouts": run.handouts + 1,
    } | handed


def _log(run: Run, event: e.RunLogged, _recorded: Recorded) -> dict[str, Any]:
    lines = len(event.lines)
    return {
        # The line that says that there were more is one too many: that is how a full log is known.
        "log_lines": LOG_LINES_MAX + 1 if event.is_full else run.log_lines + lines,
        "log_size": run.log_size + sum(map(size_of, event.lines)),
        "log_heard": run.log_heard + lines,
    }


def size_of(line: e.LogLine) -> int:
    """What a line counts for."""
    return len(line.message.encode()) + len(bytes(line.attributes))


_LOST = frozenset({"lost", "crashed"})
_CLOSED_BY = {e.WORKER_LOST: "lost", e.PROCESS_DIED: "crashed", e.OUT_OF_MEMORY: "crashed"}


_CHANGES: dict[type[RunEvent], Callable[[Run, Any, Recorded], dict[str, Any]]] = {
    e.RunHeldForVersion: _held,
    e.VersionArrived: lambda run, event, _recorded: {
        "queue": event.queue or run.queue,
        "ttl_ms": run.ttl_ms if event.ttl_ms is None else event.ttl_ms,
        "machine": event.machine or run.machine,
    },
    e.RunHeldForAuth: _held,
    e.RunHeldForConnections: _held,
    e.RunDelayed: lambda _run, event, _recorded: {"due_at": event.until, "expires_at": None, "delay_until": None},
    e.RunRescheduled: lambda _run, event, _recorded: {"due_at": event.until},
    e.AuthResolved: lambda _run, event, _recorded: {"auth": event.sealed},
    e.RunDebounced: _debounced,
    e.RunEnqueued: _enqueued,
    e.RunDequeued: _hand_out,
    e.AttemptStarted: lambda _run, event, recorded: {
        "attempts": event.number,
        "handouts": 0,
        "last_version": event.version,
        "started_at": recorded.recorded_at,
        "expires_at": None,
        "began_at": recorded.occurred_at,
        "spent_ms": 0,
    },
    e.AttemptSucceeded: _end("succeeded"),
    e.AttemptFailed: _failed,
    e.RetryScheduled: lambda run, event, _recorded: {"due_at": event.at, "machine": event.machine or run.machine},
    e.RunFailed: _end("failed"),
    e.RunCanceled: _end("canceled"),
    e.RunExpired: _end("expired"),
    e.RunTimedOut: _end("timed out"),
    e.RunCrashed: _end("crashed"),
    e.RunInterrupted: _end("interrupted"),
    e.RunSystemFailed: _end("system failed"),
    e.PayloadRejected: _end("rejected"),
    e.AuthUnresolved: _end("unresolved"),
    e.StepSucceeded: lambda run, _event, _recorded: {"journal": run.journal + 1},
    e.StepFailed: lambda run, _event, _recorded: {"journal": run.journal + 1},
    e.StepTryFailed: _tried,
    e.ChildrenTriggered: lambda run, _event, _recorded: {"journal": run.journal + 1},
    e.WaitStarted: _wait,
    e.WaitCompleted: _wake,
    # Who says that nothing goes on has heard of all that is over.
    e.RunBlocked: lambda run, _event, recorded: {"woken": ()} | _pause(run, recorded),
    e.RunResumed: lambda _run, _event, recorded: {"started_at": recorded.recorded_at},
    e.RunFrozen: lambda run, _event, recorded: {"is_suspended": True} | _pause(run, recorded) | _close(run, "frozen"),
    e.AttemptResumed: lambda _run, event, recorded: {
        "handouts": 0,
        "last_version": event.version,
        "started_at": recorded.recorded_at,
        "is_suspended": False,
    },
    e.RunLogged: _log,
    e.TagsAdded: lambda run, event, _recorded: {"tags": (*run.tags, *event.tags)},
    e.MetadataUpdated: lambda _run, event, _recorded: {"metadata": event.metadata},
    e.RunErased: lambda run, event, _recorded: {
        "is_erased": True,
        "metadata": NOTHING,
        "tags": () if event.with_names else run.tags,
    },
    e.RunArchived: lambda _run, _event, _recorded: {
        "is_erased": True,
        "is_archived": True,
        "metadata": NOTHING,
        "tags": (),
    },
    e.LateResultRefused: lambda run, event, _recorded: {"refused": (*run.refused, event.token)},
}
assert _CHANGES.keys() <= TRANSITIONS.keys()
