"""Decisions about attempts: what a worker's report, a timer or a lost worker makes of a run.

Each function returns the events that follow, none when there is nothing to do, and raises NotAllowed when it cannot be.
The same report again is answered as before and writes nothing; one for another or a closed attempt is refused,
and recorded once.
"""

from msgspec import Raw, Struct
from msgspec.structs import replace

from domain import events as e
from domain import journal, logs
from domain.errors import NotAllowed
from domain.events import JSON_TYPE, NOTHING, AttemptFailed, BlobRef, LogLine, RunError, RunEvent, TaskSettings
from domain.journal import JOURNAL_REPORTS, Journaled
from domain.logs import LOGGED
from domain.retry import ONCE
from domain.run import Run
from domain.status import Status

HANDOUTS_MAX = 12
"""After so many hand-outs without a start the run is given up (Trigger.dev's number)."""
STALLS_MAX = 3
"""So often in a row an attempt goes on that was lost again before it came any further."""


RESOLVER_TOKEN = 0
"""What a hand-out to an auth resolver has in place of a fencing token: the first answer counts, whoever gives it."""

RESOLVER_REPORTS = frozenset({"authorized", "unauthorized"})
REPORTS = frozenset({"succeeded", "failed", "crashed", "released", "frozen"})
"""The kinds of reports that close an attempt."""


class Report(Struct, frozen=True, gc=False):
    """What a worker says: started, succeeded, failed, crashed, released, frozen, logged, or one of JOURNAL_REPORTS.

    Of an auth resolver it says authorized, with what that answered `sealed`, or unauthorized.
    """

    run: str
    token: int
    kind: str
    at: int
    output: Raw = NOTHING
    output_blob: BlobRef | None = None
    output_type: str = JSON_TYPE
    error: RunError | None = None
    retryable: bool = True
    sealed: str | None = None
    journaled: Journaled | None = None
    lines: tuple[LogLine, ...] = ()
    first: int = 0
    """How many lines the worker reported before these, under the same token."""
    retry_in_ms: int | None = None
    """After how long a failed attempt asks for another one, which its task's policy else says."""
    began: int | None = None
    """When the attempt started, in the report of its end, where no other one told of its start."""


DIED = frozenset({e.PROCESS_DIED, e.OUT_OF_MEMORY})
GONE = DIED | {e.WORKER_LOST}


_CLOSE = {"frozen": {"frozen", "released", "crashed"}, "released": {"released", "frozen"}}
"""The reports that have closed an attempt in the same way."""


class Late(NotAllowed):
    """A report for an attempt that is not open; `events` are to be recorded all the same."""

    def __init__(self, message: str, events: list[RunEvent]) -> None:
        super().__init__(message)
        self.events = events


def report(run: Run, said: Report, worker: str, unknown: tuple[str, ...] = ()) -> list[RunEvent]:
    """Take a worker's word for what happened. Raises Late when the attempt is not open.

    `unknown` are those of the targets it waits for that do not exist.
    """
    if run.token != said.token:
        return _report_again(run, said, worker)
    if said.kind == "released" and run.status is not Status.WAITING:
        return hand_back("released")
    # Two turns may be under way: the one that tells of the end may overtake the one that tells of the start.
    begun = _begin(run, said.token) if run.status is Status.DEQUEUED else []
    if said.kind in {"released", "frozen"}:
        return begun + (_freeze(run) if run.waits or run.woken else hand_back("released"))
    if said.kind == LOGGED:
        return begun + logs.log(run, said.first, said.lines)
    if said.journaled is not None:
        return begun + _journal(run, said, said.journaled, unknown)
    if said.kind == "crashed" and _may_go_on(run) and _error_of(said).code != e.OUT_OF_MEMORY:
        return begun + (_freeze(run) if run.status is Status.WAITING else hand_back("crashed"))
    is_first = bool(begun) and not run.is_suspended
    return begun + _end(run.attempts + 1 if is_first else run.attempts, said)


def _begin(run: Run, token: int) -> list[RunEvent]:
    assert run.worker is not None
    assert run.worker_version is not None, "a run that was handed out has a worker and a version"
    if run.is_suspended:
        return [e.AttemptResumed(run.attempts, token, run.worker, run.worker_version, run.began_at)]
    return [e.AttemptStarted(run.attempts + 1, token, run.worker, run.worker_version)]


def _journal(run: Run, said: Report, journaled: Journaled, unknown: tuple[str, ...]) -> list[RunEvent]:
    entry = journaled.entry
    if said.kind == "blocked":
        return journal.block(run, journaled)
    if entry is None:
        raise NotAllowed(f"A report of the kind {said.kind!r} names its entry in the journal.")
    if journal.is_known(run, entry):
        return []
    match said.kind:
        case "step_succeeded":
            return [e.StepSucceeded(entry, said.output, said.output_blob)]
        case "step_failed":
            return [e.StepFailed(entry, _error_of(said))]
        case "step_tried":
            return journal.fail_try(journaled, entry, _error_of(said))
        case "triggered":
            return [e.ChildrenTriggered(entry, journaled.runs, journaled.batch, journaled.cached)]
        case "waiting":
            return journal.wait(journaled, entry, unknown)
        case kind:
            raise NotAllowed(f"There is no report of the kind {kind!r}.")


def _freeze(run: Run) -> list[RunEvent]:
    """Nobody executes it any more until what it waits for is there, which may have come just now."""
    return [e.RunFrozen(), e.RunEnqueued("resumed")] if run.woken else [e.RunFrozen()]


def _may_go_on(run: Run) -> bool:
    """Whether an attempt that nobody executes any more goes on where its journal ends, instead of having failed."""
    return run.journal > 0 and (run.journal > run.handed_at or run.stalls < STALLS_MAX)


def _end(number: int, said: Report) -> list[RunEvent]:
    match said.kind:
        case "started":
            return []
        case "succeeded":
            return [e.AttemptSucceeded(number, said.token, said.output, said.output_blob, said.output_type)]
        case "failed":
            error = replace(_error_of(said), code=None)
            found = said.output, said.output_blob, said.retry_in_ms
            return [AttemptFailed(number, said.token, error, said.retryable, *found)]
        case "crashed":
            error = _error_of(said)
            code = e.OUT_OF_MEMORY if error.code == e.OUT_OF_MEMORY else e.PROCESS_DIED
            return [AttemptFailed(number, said.token, replace(error, code=code))]
        case kind:
            raise NotAllowed(f"There is no report of the kind {kind!r}.")


def _error_of(said: Report) -> RunError:
    return said.error or RunError(f"The worker reported that the attempt {said.kind} and did not say why.")


def _report_again(run: Run, said: Report, worker: str) -> list[RunEvent]:
    closed_by = run.closed_by(said.token)
    if closed_by in REPORTS and (said.kind in _CLOSE.get(closed_by, {closed_by}) or _was_reported(run, said)):
        return []
    message = f"Attempt {said.token} of run {run.id} is not open"
    if closed_by is not None:
        message += f" any more: it was {closed_by}"
    refused = e.LateResultRefused(said.token, said.kind, worker)
    # Lines that came too late are no result: what comes after them may be one.
    is_known = said.token in run.refused or said.kind == LOGGED or run.is_archived
    recorded: list[RunEvent] = [] if is_known else [refused]
    raise Late(f"{message}.", recorded)


def _was_reported(run: Run, said: Report) -> bool:
    """Whether a worker that closed its attempt itself only says again what came before that."""
    if said.kind in JOURNAL_REPORTS and said.journaled is not None:
        return said.journaled.entry is None or said.journaled.entry.index < run.journal
    return said.kind in {"started", LOGGED}


def dequeue(run: Run, worker: str, version: str) -> list[RunEvent]:
    """Hand the run to a worker, behind a new fencing token; or give up when that never led to a start."""
    if run.handouts >= HANDOUTS_MAX:
        handed = f"The run was handed to a worker {run.handouts} times, and none said that it started"
        return [e.RunSystemFailed(RunError(f"{handed}; its code may have begun each time.", "NeverStarted"))]
    return [e.RunDequeued(run.version + 1, worker, version)]


def hand_back(reason: str) -> list[RunEvent]:
    """Put a run back into its queue; an attempt that had started does not count as failed."""
    return [e.RunEnqueued(reason)]


def lose(run: Run, why: str, *, is_development: bool = False) -> list[RunEvent]:
    """The worker is gone. What had not started goes back, what waits goes on waiting.

    Otherwise the run ends in development; elsewhere it goes on by its journal, or it is a failed attempt.
    """
    if run.token is None:
        return []
    if run.status is Status.DEQUEUED:
        return hand_back("lost")
    if run.status is Status.WAITING:
        return _freeze(run)
    if not is_development and _may_go_on(run):
        return hand_back("lost")
    error = RunError(why, "WorkerLost", code=e.WORKER_LOST)
    return [e.RunInterrupted(error)] if is_development else [AttemptFailed(run.attempts, run.token, error)]


def time_out(run: Run, max_duration_ms: int) -> list[RunEvent]:
    """End the run whose attempt takes too long; it is not retried."""
    return [e.RunTimedOut(max_duration_ms)] if run.status is Status.EXECUTING else []


def react_to_failure(
    run: Run, failed: AttemptFailed, settings: TaskSettings | None, *, now: int, chance: float
) -> list[RunEvent]:
    """The retry process manager: schedule the next attempt, or end the run when none is left.

    `run` is the state that `failed` left, `chance` is uniform in [0, 1).
    """
    gone = failed.error.code in GONE
    end: list[RunEvent] = [e.RunCrashed(failed.error) if gone else e.RunFailed(failed.error)]
    retry = (settings and settings.retry) or ONCE
    if not failed.retryable or run.failures >= (run.max_attempts or retry.max_attempts):
        return end
    machine = None
    if failed.error.code == e.OUT_OF_MEMORY and retry.out_of_memory and retry.out_of_memory.machine != run.machine:
        machine = retry.out_of_memory.machine
    elif failed.error.code in DIED and not (settings and settings.retry_on_crash):
        return end
    delay = retry.delay_after(run.failures, chance) if failed.retry_in_ms is None else failed.retry_in_ms
    return [e.RetryScheduled(now + delay, machine)]
