"""Jobs that run at times: the one moment of a job is never passed over."""

from typing import Any

import pytest

from domain import commands as c
from domain import events as e
from domain.errors import NotAllowed
from domain.events import JobSpec, JobTiming
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
