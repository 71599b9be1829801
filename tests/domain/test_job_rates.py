"""Jobs with a rate limit: what is over waits, and nothing is dropped."""

from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.builtin import HTTP_TASK, VERSION
from domain.durations import duration_text, parse_duration
from domain.events import JobRef, RateLimit
from domain.job import queue_of
from domain.lifecycle import NewRun
from tests.domain.jobstories import EVERY_MINUTE, JOB, PAYLOAD, begun, job_of, job_room, told
from tests.domain.schedulestories import runs_of
from tests.domain.stories import NOW, Room, said

RATE = RateLimit(2, 60_000)
RATED_QUEUE = f"runfold/jobs/{JOB}"


def ask_for(room: Room, *runs: str) -> None:
    """Executions that somebody starts by hand."""
    queue = queue_of(JOB, job_of(room).spec)
    asked = [NewRun(run, HTTP_TASK, PAYLOAD, queue=queue, max_attempts=3, job=JobRef(JOB, "ping", NOW)) for run in runs]
    for each in asked:
        room.ask(c.TriggerRuns, runs=[each])


def handed(room: Room) -> list[str]:
    """What an executor gets that has just come."""
    return [hand.run for hand in room.hire().turn(version=VERSION, want=99, patient=False).runs]


def test_what_is_over_the_rate_waits_until_the_time_is_over() -> None:
    room = job_room(None, rate_limit=RATE)
    ask_for(room, "run_1", "run_2", "run_3")

    assert handed(room) == ["run_1", "run_2"]
    assert room.engine.memory.next_due() == NOW + 60_000
    room.pass_time(60_000)
    assert handed(room) == ["run_3"]


def test_the_rate_counts_on_after_a_restart() -> None:
    room = job_room(None, rate_limit=RATE)
    ask_for(room, "run_1", "run_2", "run_3")
    handed(room)

    room.restart()

    assert handed(room) == []


def test_each_attempt_counts() -> None:
    room = job_room(None, rate_limit=RATE)
    ask_for(room, "run_1", "run_2")
    executor = room.hire()
    told(executor, said(begun(executor), "failed", retry_in_ms=1_000))
    assert begun(executor).run == "run_2"

    room.pass_time(1_000)

    assert executor.turn(want=1, patient=False, version=VERSION).runs == ()
    assert [event for event in room.events("run_1") if isinstance(event, e.RetryScheduled)] != []


def test_the_ticks_of_a_schedule_wait_in_the_queue_of_its_job() -> None:
    room = job_room(EVERY_MINUTE, rate_limit=RateLimit(1, 3_600_000))
    room.pass_time(60_000)
    room.pass_time(60_000)

    assert [run.queue for run in runs_of(room)] == [RATED_QUEUE] * 2
    assert handed(room) == [runs_of(room)[0].id]


def test_another_job_is_not_held_up() -> None:
    room = job_room(None, rate_limit=RATE)
    ask_for(room, "run_1", "run_2", "run_3")
    room.ask(c.TriggerRuns, runs=[NewRun("run_4", HTTP_TASK, PAYLOAD, job=JobRef("job_2", "other", NOW))])

    assert sorted(handed(room)) == ["run_1", "run_2", "run_4"]


def test_a_rate_that_is_taken_back_lets_everything_go_that_waits() -> None:
    room = job_room(None, rate_limit=RATE)
    ask_for(room, "run_1", "run_2", "run_3")
    handed(room)

    room.ask(c.ChangeJob, job=JOB, spec=replace(job_of(room).spec, rate_limit=None))

    assert handed(room) == ["run_3"]


def test_a_higher_rate_counts_at_once_also_for_what_waits() -> None:
    room = job_room(None, rate_limit=RATE)
    ask_for(room, "run_1", "run_2", "run_3", "run_4")
    handed(room)

    room.ask(c.ChangeJob, job=JOB, spec=replace(job_of(room).spec, rate_limit=RateLimit(3, 60_000)))

    assert handed(room) == ["run_3"]


def test_what_waits_when_its_job_is_deleted_goes_on_at_its_rate() -> None:
    room = job_room(None, rate_limit=RATE)
    ask_for(room, *(f"run_{number}" for number in range(5)))
    assert handed(room) == ["run_0", "run_1"]

    room.ask(c.DeleteJob, job=JOB)

    assert handed(room) == []
    room.restart()
    room.pass_time(60_000)
    assert handed(room) == ["run_2", "run_3"]


def test_a_job_without_a_rate_has_no_queue_of_its_own() -> None:
    room = job_room()
    room.pass_time(60_000)

    assert [run.queue for run in runs_of(room)] == [f"task/{HTTP_TASK}"]


def test_a_duration_is_written_with_the_longest_unit_that_fits() -> None:
    texts = ["1s", "90s", "1m", "90m", "2h", "1d", "36h"]

    assert [duration_text(parse_duration(text)) for text in texts] == texts
