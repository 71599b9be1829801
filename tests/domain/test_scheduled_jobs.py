"""Jobs that run at times: the one moment of a job is never passed over, and what a job is called moves no time."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.errors import NotAllowed
from domain.events import Event, JobSpec, JobTiming
from domain.job import JobState
from domain.timing import At
from tests.domain.jobstories import JOB, PAYLOAD, SCHEDULE, job_of
from tests.domain.schedulestories import HOUR, MINUTE, runs_of, scheduled
from tests.domain.schedulestories import told as ticks_of
from tests.domain.stories import NOW, Room

ONCE = JobTiming(run_at=NOW + HOUR)


def spec(timing: JobTiming = ONCE, **more: Any) -> JobSpec:
    kind = "scheduled" if timing.run_at is not None else "recurring"
    given: dict[str, Any] = {"name": "ping"} | more
    return JobSpec(kind=kind, payload=PAYLOAD, max_attempts=1, timing=timing, **given)


def saved(state: str = "active", timing: JobTiming = ONCE) -> Room:
    """A room with such a job, of which nothing is news."""
    room = Room()
    room.ask(c.CreateJob, job=JOB, spec=spec(timing), state=state, runs=[])
    room.news()
    return room


@pytest.mark.parametrize("late", [0, 61 * MINUTE, 30 * 24 * HOUR])
def test_a_job_for_one_moment_runs_however_late_the_engine_comes_back(late: int) -> None:
    room = saved()
    room.restart()
    room.pass_time(HOUR + late)

    (fired,) = ticks_of(room, SCHEDULE)
    assert isinstance(fired, e.TicksFired)
    assert (fired.fate, fired.late_ms) == ("LATE" if late else "FIRED", late)
    (run,) = runs_of(room)
    assert (run.job, job_of(room).state) == (JOB, JobState.COMPLETED)


@pytest.mark.parametrize(("more", "count"), [({}, 1), ({"catch_up_window_ms": HOUR}, 0), ({"catch_up": "none"}, 0)])
def test_a_schedule_for_one_moment_is_as_late_as_it_may_be_which_is_any_time_if_nothing_is_said(
    more: dict[str, Any], count: int
) -> None:
    room = scheduled(At(NOW + HOUR), **more)
    room.pass_time(3 * HOUR)

    assert len(runs_of(room)) == count


@pytest.mark.parametrize("state", ["draft", "paused"])
def test_a_job_whose_moment_passed_while_it_did_not_start_by_itself_is_not_resumed(state: str) -> None:
    room = saved("draft" if state == "draft" else "active")
    if state == "paused":
        room.ask(c.PauseJob, job=JOB)
    room.pass_time(HOUR)

    sentence = (
        f"Job {JOB} was to run at 2027-01-15T09:00:00 UTC, which has passed: give it another run_at, or run it now"
    )
    with pytest.raises(NotAllowed, match=sentence):
        room.ask(c.ResumeJob, job=JOB, runs=[])
    assert job_of(room).state.value == state

    room.ask(c.ChangeJob, job=JOB, spec=spec(JobTiming(run_at=NOW + 2 * HOUR)))
    room.ask(c.ResumeJob, job=JOB, runs=[])
    room.pass_time(HOUR)
    assert len(runs_of(room)) == 1


def test_a_job_that_is_resumed_before_its_moment_runs_then() -> None:
    room = saved()
    room.ask(c.PauseJob, job=JOB)
    room.pass_time(HOUR - 1)
    room.ask(c.ResumeJob, job=JOB, runs=[])
    room.pass_time(1)

    assert len(runs_of(room)) == 1


OTHER = Raw(b'{"request":{"url":"https://example.com/other"},"retry":{}}')
BUFFERING = JobTiming(every_n_minutes=60, overlap="buffer_one")


def names_of(room: Room) -> list[str]:
    """What the executions of the job are called."""
    made = [each.event for each in room.log if isinstance(each.event, e.RunTriggered)]
    return [event.job.name for event in made if event.job]


def rename(room: Room) -> list[Event]:
    """Call the job otherwise; what happened to its schedule by that."""
    room.news()
    room.ask(c.ChangeJob, job=JOB, spec=spec(BUFFERING, name="pong"))
    assert job_of(room).spec.name == "pong"
    return ticks_of(room, SCHEDULE)


def test_an_execution_that_waits_for_the_one_before_is_still_made_when_the_job_is_renamed() -> None:
    room = saved(timing=BUFFERING)
    room.pass_time(HOUR)
    room.pass_time(HOUR)
    assert rename(room) == []
    room.restart()
    room.ask(c.CancelRun, run=runs_of(room)[0].id)

    (fired,) = ticks_of(room, SCHEDULE)
    assert isinstance(fired, e.BufferedTickFired)
    assert names_of(room) == ["ping", "pong"]


def test_a_tick_that_is_due_when_the_job_is_renamed_fires() -> None:
    room = saved(timing=BUFFERING)
    room.submit(c.ChangeJob, job=JOB, spec=spec(BUFFERING, name="pong"))
    room.pass_time(HOUR)

    (fired,) = ticks_of(room, SCHEDULE)
    assert isinstance(fired, e.TicksFired)
    assert names_of(room) == ["pong"]


def test_a_job_for_one_moment_can_be_renamed_when_that_has_passed() -> None:
    room = saved()
    room.ask(c.PauseJob, job=JOB)
    room.pass_time(2 * HOUR)
    room.ask(c.ChangeJob, job=JOB, spec=spec(name="pong"))

    assert job_of(room).spec.name == "pong"


def test_another_request_drops_what_waits_whatever_the_job_is_called() -> None:
    room = saved(timing=BUFFERING)
    room.pass_time(HOUR)
    room.pass_time(HOUR)
    rename(room)
    changed = spec(BUFFERING, name="pong", pause_after_failures=3)
    room.ask(c.ChangeJob, job=JOB, spec=changed)
    assert ticks_of(room, SCHEDULE) == [], "what it does and when is the same"
    room.ask(c.ChangeJob, job=JOB, spec=replace(changed, payload=OTHER))

    dropped, after = ticks_of(room, SCHEDULE)
    assert isinstance(dropped, e.BufferedTickDropped)
    assert isinstance(after, e.ScheduleChanged)
    assert after.plan.target.job_name == "pong"


def test_a_plain_schedule_of_the_same_task_has_no_job_to_be_called_after() -> None:
    room = scheduled(At(NOW + HOUR))
    room.pass_time(HOUR)

    assert names_of(room) == []
