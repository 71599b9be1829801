"""What is added to a finished run, or taken from it, is no end of it: nobody is told, and no job counts it."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from domain import announcing, builtin
from domain import commands as c
from domain import events as e
from domain.errors import NotAllowed
from domain.events import Callback, ChannelSpec, Event
from domain.job import JobState
from tests.domain.jobstories import JOB, execution, job_of, job_room, told, told_of
from tests.domain.stories import Room, said, started

URL = "https://example.com/told"
CHANNEL = "alert_1"


def room_with(*outcomes: str) -> Room:
    """A job of which executions ended so, one after the other, and whoever can hear of it."""
    callback = Callback(announcing.CALLBACK_KINDS, URL)
    room = job_room(pause_after_failures=2, callbacks=(callback,))
    spec = ChannelSpec("ops", "webhook", announcing.ALERT_KINDS, url=URL)
    room.ask(c.SaveChannel, channel=CHANNEL, spec=spec)
    for number, outcome in enumerate(outcomes, start=1):
        room.ask(c.TriggerRuns, runs=[execution(f"run_{number}")])
        end_all(room, f"run_{number}", outcome)
    room.news()
    return room


def end_all(room: Room, run: str, outcome: str) -> None:
    """Let the run end so, and all that tells of others arrive."""
    executor = room.hire()
    for hand in executor.turn(want=100, patient=False, version=builtin.VERSION).runs:
        told(executor, started(hand, hand.token))
        told(executor, said(hand, outcome if hand.run == run else "succeeded"))


def replay(room: Room, run: str) -> None:
    room.ask(c.TriggerRuns, runs=[replace(execution(f"{run}_again_{len(room.log)}"), replay_of=run)])


def tag(room: Room, run: str) -> None:
    room.ask(c.AddTags, run=run, tags=(f"tag-{len(room.log)}",))


def change_metadata(room: Room, run: str) -> None:
    room.ask(c.UpdateMetadata, run=run, replaces=Raw(b'{"n":%d}' % len(room.log)))


def erase(room: Room, run: str, segment: str | None = None) -> None:
    room.ask(
        c.EraseRuns,
        erasure=f"erasure_{len(room.log)}",
        runs={run: room.run(run).version},
        seals={},
        segment=segment,
    )


def report_late(room: Room, run: str) -> None:
    room.hire().turn(said(run, "failed", 99), patient=False)


archive = partial(erase, segment="segment_1")
FOLLOWS: dict[str, Callable[[Room, str], None]] = {
    "replay": replay,
    "tags": tag,
    "metadata": change_metadata,
    "erasure": erase,
    "archive": archive,
    "late report": report_late,
}


def heard(room: Room) -> Sequence[Event]:
    """What jobs, their schedules and channels heard, and what was made to be told."""
    return [
        event
        for stream, event in room.news()
        if stream in {JOB, "sched_1", CHANNEL} or (isinstance(event, e.RunTriggered) and event.about)
    ]


@pytest.mark.parametrize("follows", FOLLOWS)
def test_what_follows_the_end_of_a_failed_execution_is_no_failure(follows: str) -> None:
    room = room_with("failed")
    FOLLOWS[follows](room, "run_1")

    assert heard(room) == []
    assert (job_of(room).failures, job_of(room).state) == (1, JobState.ACTIVE)


@pytest.mark.parametrize("follows", FOLLOWS)
def test_what_follows_the_end_of_a_successful_execution_is_no_recovery(follows: str) -> None:
    room = room_with("succeeded", "failed")
    FOLLOWS[follows](room, "run_1")

    assert heard(room) == []
    assert job_of(room).failures == 1


def test_a_job_that_was_resumed_stays_so_when_its_old_failures_are_archived() -> None:
    room = room_with("failed", "failed")
    assert job_of(room).state is JobState.PAUSED
    room.ask(c.ResumeJob, job=JOB, runs=[])
    room.news()
    archive(room, "run_1")
    archive(room, "run_2")

    assert heard(room) == []
    assert (job_of(room).failures, job_of(room).state) == (0, JobState.ACTIVE)


def test_an_end_and_what_follows_it_in_one_commit_is_told_once() -> None:
    room = job_room(callbacks=(Callback(("failure",), URL),))
    room.ask(c.TriggerRuns, runs=[execution("run_1")])
    room.submit(c.GiveUpRun, run="run_1", message="It is lost.")
    room.submit(c.AddTags, run="run_1", tags=("late",))
    room.submit(c.AddTags, run="run_1", tags=("later",))
    room.commit()

    assert [run for _, _, run in told_of(room)] == ["run_1"]
    assert room.run("run_1").tags == ("late", "later")


def test_what_could_not_be_added_to_a_finished_run_leaves_nothing_behind() -> None:
    room = room_with("failed")
    room.submit(c.AddTags, run="run_1", tags=("a",))
    room.fail()
    assert "run_1" not in room.engine.memory.states

    tag(room, "run_1")

    assert len(room.run("run_1").tags) == 1
    assert "run_1" not in room.engine.memory.states
    assert heard(room) == []


def test_while_something_is_added_to_a_finished_run_it_is_in_memory_and_its_queue_has_nothing() -> None:
    room = room_with("failed")
    queue = room.run("run_1").queue
    room.submit(c.AddTags, run="run_1", tags=("a",))
    room.load()
    draft = room.engine.take_batch(room.now)

    assert draft is not None
    assert room.engine.memory.states["run_1"].version == draft.records[-1].version
    assert room.engine.memory.knows_queue("env_1", queue) is False


@given(
    outcomes=st.lists(st.sampled_from(["failed", "succeeded"]), min_size=1, max_size=4),
    said_of=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(sorted(FOLLOWS)), st.booleans()), max_size=8),
)
def test_whatever_follows_the_ends_of_runs_nothing_is_announced_and_nothing_counted(
    outcomes: list[str], said_of: list[tuple[int, str, bool]]
) -> None:
    room = room_with(*outcomes)
    before = job_of(room)
    for number, follows, restarts in said_of:
        if restarts:
            room.restart()
        try:
            FOLLOWS[follows](room, f"run_{number % len(outcomes) + 1}")
        except NotAllowed:
            # Nothing is added to what was erased.
            continue

    assert heard(room) == []
    assert job_of(room) == before
