"""Jobs that pause themselves: what counts as a failure in a row, and what follows."""

import pytest

from domain import commands as c
from domain import events as e
from domain.builtin import VERSION
from domain.events import RunError
from domain.job import FAILURES, GONE, JobState, SelfPause
from domain.status import Status
from tests.domain import jobstories
from tests.domain.jobstories import JOB, SCHEDULE, ends, execute, happened, job_of, job_room
from tests.domain.schedulestories import MINUTE
from tests.domain.schedulestories import told as ticks_of
from tests.domain.stories import said

IT_FAILED = e.RunFailed(RunError("It failed."))


def test_a_job_pauses_itself_after_so_many_failed_executions_in_a_row() -> None:
    room = job_room(pause_after_failures=2)
    execute(room, "run_1")
    assert happened(room) == [e.JobFailed("run_1")]

    execute(room, "run_2")

    assert happened(room) == [e.JobFailed("run_2"), e.JobPausedByFailures("run_2", FAILURES)]
    job = job_of(room)
    assert (job.state, job.failures, job.paused_by) == (JobState.PAUSED, 2, SelfPause(FAILURES, "run_2"))


def test_what_follows_from_an_end_is_in_the_commit_of_that_end() -> None:
    room = job_room(pause_after_failures=1)
    execute(room, "run_1")

    events = [each.event for each in room.log]
    place = events.index(IT_FAILED)
    assert events[place + 1 :] == [
        e.JobFailed("run_1"),
        e.JobPausedByFailures("run_1", FAILURES),
        e.ScheduleDeactivated(),
    ]
    assert {each.recorded_at for each in room.log[place:]} == {room.now.wall}


def test_a_success_ends_the_row_and_is_news_only_then() -> None:
    room = job_room(pause_after_failures=2)
    for run, outcome in (("run_1", "failed"), ("run_2", "succeeded"), ("run_3", "succeeded"), ("run_4", "failed")):
        execute(room, run, outcome)

    assert happened(room) == [e.JobFailed("run_1"), e.JobRecovered("run_2"), e.JobFailed("run_4")]
    assert job_of(room).failures == 1


def test_what_was_canceled_neither_failed_nor_succeeded() -> None:
    room = job_room(pause_after_failures=2)
    execute(room, "run_1")
    room.ask(c.TriggerRuns, runs=[jobstories.execution("run_2")])
    room.ask(c.CancelRun, run="run_2")

    assert room.run("run_2").status is Status.CANCELED
    assert job_of(room).failures == 1


def test_a_job_that_is_not_asked_to_pause_counts_and_goes_on() -> None:
    room = job_room()
    for number in range(5):
        execute(room, f"run_{number}")

    job = job_of(room)
    assert (job.state, job.failures) == (JobState.ACTIVE, 5)


def test_resuming_starts_the_count_anew() -> None:
    room = job_room(pause_after_failures=2)
    execute(room, "run_1")
    execute(room, "run_2")
    room.ask(c.ResumeJob, job=JOB, runs=[])
    execute(room, "run_3")

    job = job_of(room)
    assert (job.state, job.failures, job.paused_by) == (JobState.ACTIVE, 1, None)


def test_the_ticks_of_a_job_that_paused_itself_are_skipped_as_those_of_any_paused_one() -> None:
    room = job_room(pause_after_failures=1)
    execute(room, "run_1")
    room.pass_time(3 * MINUTE)
    room.news()
    room.ask(c.ResumeJob, job=JOB, runs=[])
    room.commit()

    activated, skipped = ticks_of(room, SCHEDULE)
    assert isinstance(activated, e.ScheduleActivated)
    assert isinstance(skipped, e.TicksSkipped)
    assert (skipped.reason, skipped.count) == ("PAUSED", 3)


def test_a_tick_that_waited_for_the_execution_that_was_one_too_many_is_dropped() -> None:
    timing = e.JobTiming(every_n_minutes=1, overlap="buffer_one")
    room = job_room(timing, pause_after_failures=1)
    room.pass_time(MINUTE)
    room.pass_time(MINUTE)
    run = next(each.stream for each in room.log if isinstance(each.event, e.RunTriggered))
    room.news()
    jobstories.finish(room, run)

    dropped, deactivated = ticks_of(room, SCHEDULE)
    assert isinstance(dropped, e.BufferedTickDropped)
    assert dropped.reason == "PAUSED"
    assert deactivated == e.ScheduleDeactivated()


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_target_that_is_gone_for_good_pauses_the_job_at_once_if_asked_to(is_asked: bool) -> None:  # noqa: FBT001
    room = job_room(pause_on_gone=is_asked, pause_after_failures=9)
    execute(room, "run_1", output=jobstories.GONE, retryable=False)

    assert job_of(room).paused_by == (SelfPause(GONE, "run_1") if is_asked else None)


def test_a_lost_attempt_tells_nothing_of_the_target_and_is_a_failure() -> None:
    room = job_room(pause_on_gone=True)
    execute(room, "run_1", "crashed")

    assert happened(room) == [e.JobFailed("run_1")]


def test_an_end_that_could_not_be_committed_is_told_once_it_is() -> None:
    room = job_room(pause_after_failures=1)
    room.ask(c.TriggerRuns, runs=[jobstories.execution("run_1")])
    executor = room.hire()
    hand = jobstories.begun(executor)
    room.news()
    executor.submit(said(hand, "failed"), version=VERSION)
    room.fail()
    assert job_of(room).state is JobState.ACTIVE

    executor.turn(said(hand, "failed"), version=VERSION, patient=False)

    assert ends(room) == [IT_FAILED, e.JobFailed("run_1"), e.JobPausedByFailures("run_1", FAILURES)]


def test_a_deleted_job_hears_nothing_more() -> None:
    room = job_room(pause_after_failures=1)
    room.ask(c.TriggerRuns, runs=[jobstories.execution("run_1")])
    room.ask(c.DeleteJob, job=JOB)
    room.news()
    jobstories.finish(room, "run_1")

    assert ends(room) == [IT_FAILED]


def test_a_restarted_engine_counts_on() -> None:
    room = job_room(pause_after_failures=2)
    execute(room, "run_1")
    room.restart()
    execute(room, "run_2")

    assert job_of(room).paused_by == SelfPause(FAILURES, "run_2")
