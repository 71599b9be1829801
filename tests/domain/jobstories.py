"""HTTP jobs in a room, and a worker that plays the executor: the words in which their tests are told."""

from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from domain import builtin
from domain import commands as c
from domain import events as e
from domain.attempts import Report
from domain.builtin import VERSION
from domain.commands import HandOut
from domain.events import Event, JobRef, JobSpec, JobTiming
from domain.job import Job
from domain.lifecycle import NewRun
from domain.states import fold
from tests.domain.stories import NOW, Colleague, Room, said, started

JOB = "job_1"
SCHEDULE = "sched_1"
PAYLOAD = Raw(b'{"request":{"url":"https://example.com"},"retry":{}}')
EVERY_MINUTE = JobTiming(every_n_minutes=1)
GONE = Raw(b'{"status":"HTTP_ERROR","latencyMs":1,"statusCode":410,"errorClass":"http_status"}')


def job_room(timing: JobTiming | None = EVERY_MINUTE, **more: Any) -> Room:
    """A room with a job, of which nothing is news."""
    room = Room()
    save(room, JOB, timing, **more)
    room.news()
    return room


def save(room: Room, job: str = JOB, timing: JobTiming | None = None, **more: Any) -> None:
    """Save a job that is tried once."""
    kind = "webhook_trigger" if timing is None else "recurring"
    spec = JobSpec("ping", kind, PAYLOAD, 1, timing, **more)
    room.ask(c.CreateJob, job=job, spec=spec, state="active", runs=[])


def execution(run: str, job: str = JOB) -> NewRun:
    """An execution of a job that someone asks for."""
    return NewRun(run, builtin.HTTP_TASK, PAYLOAD, max_attempts=1, job=JobRef(job, "ping", NOW))


def execute(room: Room, run: str, outcome: str = "failed", job: str = JOB, **more: Any) -> None:
    """One execution of a job, which ends so."""
    room.ask(c.TriggerRuns, runs=[execution(run, job)])
    finish(room, run, outcome, **more)


def begun(executor: Colleague) -> HandOut:
    """The next execution, which has begun."""
    hands: tuple[HandOut, ...] = executor.turn(want=1, patient=False, version=VERSION).runs
    (hand,) = hands
    told(executor, started(hand))
    return hand


def finish(room: Room, run: str, outcome: str = "failed", **more: Any) -> None:
    """Let the run that is to be next end so."""
    executor = room.hire()
    hand = begun(executor)
    assert hand.run == run
    told(executor, said(hand, outcome, **more))


def told(executor: Colleague, report: Report) -> None:
    """Report something, and wait for no news."""
    assert executor.turn(report, version=VERSION, patient=False).refused == ()


def job_of(room: Room, job: str = JOB) -> Job:
    """What the history of the job tells; the engine has the same."""
    state = fold(room.history(job))
    assert isinstance(state, Job)
    assert room.engine.memory.states[job] == state
    return state


def happened(room: Room, stream: str = JOB) -> Sequence[Event]:
    """What happened to it since this was last asked."""
    return [event for each, event in room.news() if each == stream]


def ends(room: Room) -> list[e.Event]:
    """How runs ended, and what jobs heard of it, in the order of the ledger."""
    kinds = (e.RunFailed, e.AttemptSucceeded, e.JobFailed, e.JobRecovered, e.JobPausedByFailures)
    return [event for _, event in room.news() if isinstance(event, kinds)]


def told_of(room: Room) -> list[tuple[str, str, str]]:
    """The runs that tell of others, in the order in which they were made: task, what they tell, and of which run."""
    made = [each.event for each in room.log if isinstance(each.event, e.RunTriggered)]
    return [(each.task, each.about.type, each.about.run) for each in made if each.about]
