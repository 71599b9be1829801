"""An HTTP job: a saved request, and what starts its executions. Its state is the fold of its events."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.builtin import HTTP_TASK
from domain.calendar import Cron
from domain.errors import LedgerCorrupt, NotAllowed
from domain.events import Event, JobSpec, Plan, Recorded, Target
from domain.schedule import SCHED
from domain.timing import At, Every, Timetable, Timing, local_text

JOB = "job"
"""The kind of aggregate."""
QUEUES = "runfold/jobs/"
"""How the queues of jobs with a rate limit begin, one for each of these jobs."""


class JobKind(StrEnum):
    """What starts the executions of a job."""

    RECURRING = "recurring"
    CRON = "cron"
    SCHEDULED = "scheduled"
    ONE_TIME = "one_time"
    WEBHOOK_TRIGGER = "webhook_trigger"
    EVENT = "event"


class JobState(StrEnum):
    """Whether a job starts by itself."""

    ACTIVE = "active"
    PAUSED = "paused"
    DRAFT = "draft"
    COMPLETED = "completed"
    DELETED = "deleted"


FAILURES, GONE = "FAILURES", "GONE"
"""Why a job paused itself."""


class SelfPause(Struct, frozen=True, gc=False):
    """Why a job paused itself, and the execution that made it do so."""

    reason: str
    execution: str


class Job(Struct, frozen=True, gc=False, omit_defaults=True):
    """A job as the engine keeps it until it is deleted."""

    id: str
    version: int
    environment: str
    spec: JobSpec
    state: JobState
    created_at: int
    updated_at: int
    token: str | None = None
    failures: int = 0
    """How many executions in a row failed, by the order in which they ended."""
    paused_by: SelfPause | None = None
    """Why it paused itself; None if it is not paused, or was paused by somebody."""


def schedule_of(job: str) -> str:
    """The stream of the schedule of a job that runs at times."""
    return f"{SCHED}_{job.partition('_')[2]}"


def queue_of(job: str, spec: JobSpec) -> str | None:
    """The queue of its executions; None: that of the task, as for all jobs without a rate limit."""
    return None if spec.rate_limit is None else f"{QUEUES}{job}"


def plan_of(job: str, spec: JobSpec) -> Plan | None:
    """What the schedule of a job is to do; None for one that has none."""
    timing = spec.timing
    if timing is None:
        return None
    if timing.cron is not None:
        times: Timing = Cron(timing.cron, timing.timezone)
    elif timing.every_n_minutes is not None:
        times = Every(timing.every_n_minutes, None)
    else:
        assert timing.run_at is not None, "a job that runs at times says which"
        times = At(timing.run_at)
    target = Target(
        HTTP_TASK,
        spec.payload,
        queue=queue_of(job, spec),
        max_attempts=spec.max_attempts,
        job=job,
        job_name=spec.name,
    )
    return Plan(target, Timetable(times), timing.overlap)


def change(job: Job, spec: JobSpec) -> list[Event]:
    """Let the job do this from now on. Its kind stays; what is over stays over."""
    if spec.kind != job.spec.kind:
        raise NotAllowed(f"Job {job.id} is of the kind {job.spec.kind}, which stays: save another job instead.")
    if job.state is JobState.COMPLETED:
        raise NotAllowed(f"Job {job.id} has completed: save another one, or replay its execution.")
    return [] if spec == job.spec else [e.JobChanged(spec)]


def pause(job: Job) -> list[Event]:
    """Let it start no more by itself. Safe to repeat."""
    if job.state is JobState.PAUSED:
        return []
    if job.state is not JobState.ACTIVE:
        raise NotAllowed(f"Job {job.id} is not active: it is {job.state.value}.")
    return [e.JobPaused()]


def fail(job: Job, execution: str, *, is_gone: bool) -> list[Event]:
    """An execution failed: the job pauses itself if that was one too many, or its target is gone for good."""
    limit, events = job.spec.pause_after_failures, [e.JobFailed(execution)]
    if job.state is not JobState.ACTIVE:
        return [*events]
    if is_gone and job.spec.pause_on_gone:
        return [*events, e.JobPausedByFailures(execution, GONE)]
    if limit is not None and job.failures + 1 >= limit:
        return [*events, e.JobPausedByFailures(execution, FAILURES)]
    return [*events]


def succeed(job: Job, execution: str) -> list[Event]:
    """An execution succeeded: that is news after failures only."""
    return [e.JobRecovered(execution)] if job.failures else []


def resume(job: Job, now: int) -> list[Event]:
    """Let it start (again): one that was paused, or a draft, unless its only moment has passed. Safe to repeat."""
    if job.state is JobState.ACTIVE:
        return []
    if job.state is JobState.COMPLETED:
        raise NotAllowed(f"Job {job.id} has completed: save another one, or replay its execution.")
    timing = job.spec.timing
    if timing is not None and timing.run_at is not None and timing.run_at <= now:
        raise NotAllowed(
            f"Job {job.id} was to run at {local_text(timing.run_at)} UTC, which has passed: give it another run_at, or"
            " run it now (run-now)."
        )
    return [e.JobResumed()]


def evolve(job: Job | None, recorded: Recorded) -> Job:
    """The job after one event."""
    at = recorded.recorded_at
    match job, recorded.event:
        case None, e.JobCreated(spec=spec, state=state, token=token):
            begun = recorded.stream, recorded.version, recorded.environment
            return Job(*begun, spec, JobState(state), at, at, token)
        case Job(), e.JobChanged(spec=spec):
            return replace(job, version=recorded.version, updated_at=at, spec=spec)
        case Job(), e.JobFailed():
            return replace(job, version=recorded.version, failures=job.failures + 1)
        case Job(), e.JobRecovered():
            return replace(job, version=recorded.version, failures=0)
        case Job(), e.JobPausedByFailures(execution=execution, reason=reason):
            paused = SelfPause(reason, execution)
            return replace(job, version=recorded.version, updated_at=at, state=JobState.PAUSED, paused_by=paused)
        case Job(), e.JobResumed():
            resumed = {"state": JobState.ACTIVE, "failures": 0, "paused_by": None}
            return replace(job, version=recorded.version, updated_at=at, **resumed)
        case Job(), e.JobPaused() | e.JobCompleted() | e.JobDeleted():
            state = _STATES[type(recorded.event)]
            return replace(job, version=recorded.version, updated_at=at, state=state)
        case _, event:
            raise LedgerCorrupt(f"{type(event).__name__} stands in the stream of job {recorded.stream}.")


_STATES: dict[type[Event], JobState] = {
    e.JobPaused: JobState.PAUSED,
    e.JobCompleted: JobState.COMPLETED,
    e.JobDeleted: JobState.DELETED,
}
