"""Callbacks of jobs and alert channels: what is told of which end, in the same commit, and of what nothing is."""

import random
from typing import Any

import pytest
from msgspec import json

from domain import announcing, builtin
from domain import commands as c
from domain import events as e
from domain.channel import Channel
from domain.channel_handlers import CHANNELS_MAX
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.events import Callback, ChannelSpec
from domain.job import JobState
from domain.lifecycle import NewRun
from domain.requests import Asked, AskedMail
from domain.states import fold
from tests.domain import jobstories
from tests.domain.jobstories import execute, job_room, told_of
from tests.domain.stories import Room, new, said, started, succeeded

URL = "https://example.com/told"
HTTP, EMAIL = builtin.HTTP_TASK, builtin.EMAIL_TASK
CHANNEL = "alert_1"
ALL = announcing.ALERTED_BY_DEFAULT


def told(room: Room) -> list[str]:
    return [type_ for _, type_, _ in told_of(room)]


def alerted(spec: ChannelSpec | None = None, **more: Any) -> Room:
    """A room with an alert channel."""
    room = Room()
    room.ask(c.SaveChannel, channel=CHANNEL, spec=spec or ChannelSpec("ops", "webhook", ALL, url=URL, **more))
    room.news()
    return room


def run_task(room: Room, run: str, outcome: str = "failed", task: str = "send-email") -> None:
    room.trigger(new(run, task, max_attempts=1))
    worker = room.hire()
    hand = worker.start()
    assert hand.run == run
    worker.turn(succeeded(hand) if outcome == "succeeded" else said(hand, outcome), patient=False)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("success", ["execution.succeeded", "execution.succeeded"]),
        ("failure", ["execution.failed", "execution.failed"]),
        ("completion", ["execution.failed", "execution.failed", "execution.succeeded", "execution.succeeded"]),
        ("recovery", ["execution.recovered"]),
        ("auto_pause", ["job.paused"]),
    ],
)
def test_a_callback_tells_of_the_ends_that_it_is_for(on: str, expected: list[str]) -> None:
    room = job_room(pause_after_failures=2, callbacks=(Callback((on,), URL),))
    for number, outcome in enumerate(("failed", "failed", "succeeded", "succeeded")):
        execute_only(room, f"run_{number}", outcome)

    assert told(room) == expected


def execute_only(room: Room, run: str, outcome: str) -> None:
    """An execution, and then whatever else there is to execute, which succeeds."""
    room.ask(c.TriggerRuns, runs=[jobstories.execution(run)])
    end(room, run, outcome)


def test_of_one_end_a_callback_is_told_once_whatever_it_asked_for() -> None:
    callback = Callback(announcing.CALLBACK_KINDS, URL)
    room = job_room(pause_after_failures=1, callbacks=(callback,))
    execute_only(room, "run_1", "failed")
    execute_only(room, "run_2", "succeeded")

    assert told(room) == ["execution.failed", "job.paused", "execution.recovered"]


def test_what_tells_of_an_end_is_triggered_in_its_commit_and_names_it() -> None:
    callback = Callback(("failure",), URL, {"x-team": "ops"}, "signing")
    room = job_room(callbacks=(callback,))
    execute(room, "run_1")

    end = next(each for each in room.log if isinstance(each.event, e.RunFailed))
    (telling,) = [each for each in room.log if isinstance(each.event, e.RunTriggered) and each.event.about]
    triggered = telling.event
    assert isinstance(triggered, e.RunTriggered)
    asked = json.decode(triggered.payload, type=Asked)
    assert telling.recorded_at == end.recorded_at
    assert (telling.actor, telling.cause) == ("aftermath", "run_1")
    assert triggered.about == e.About("run_1", "execution.failed")
    assert (triggered.task, triggered.source, triggered.job) == (HTTP, "callback", None)
    assert (asked.request.url, asked.request.method, asked.request.headers) == (URL, "POST", {"x-team": "ops"})
    assert asked.request.sign_with == ("signing",)
    assert triggered.tags == ("about:run_1",)
    assert triggered.max_attempts == asked.retry.max_attempts == 8


def test_an_end_that_could_not_be_committed_tells_nothing_and_once_it_is_told_it_is_told_once() -> None:
    room = job_room(callbacks=(Callback(("failure",), URL),))
    room.ask(c.TriggerRuns, runs=[jobstories.execution("run_1")])
    executor = room.hire()
    hand = jobstories.begun(executor)
    executor.submit(said(hand, "failed"), version=builtin.VERSION)
    room.fail()
    assert told(room) == []

    executor.turn(said(hand, "failed"), version=builtin.VERSION, patient=False)
    room.commit()

    assert told_of(room) == [(HTTP, "execution.failed", "run_1")]


def test_of_what_tells_of_others_nothing_is_told() -> None:
    room = alerted()
    room.ask(c.SaveChannel, channel="alert_2", spec=ChannelSpec("mail", "email", ALL, to=("a@example.com",)))
    run_task(room, "run_1")
    executor = room.hire()
    hands = executor.turn(want=9, patient=False, version=builtin.VERSION).runs
    for hand in hands:
        jobstories.told(executor, started(hand, hand.token))
        jobstories.told(executor, said(hand, "failed", retryable=False))

    assert told_of(room) == [(HTTP, "run.failed", "run_1"), (EMAIL, "run.failed", "run_1")]


def test_an_e_mail_goes_to_those_whom_the_channel_names() -> None:
    room = alerted(ChannelSpec("mail", "email", ALL, to=("a@example.com", "b@example.com")))
    run_task(room, "run_1")

    (triggered,) = [each.event for each in room.log if isinstance(each.event, e.RunTriggered) and each.event.about]
    assert json.decode(triggered.payload, type=AskedMail).to == ("a@example.com", "b@example.com")
    assert triggered.about == e.About("run_1", "run.failed", CHANNEL)
    assert triggered.source == "alert"


def test_a_channel_tells_of_each_failure_and_of_the_success_after_them() -> None:
    room = alerted()
    for number, outcome in enumerate(("succeeded", "failed", "failed", "succeeded", "succeeded")):
        run_task(room, f"run_{number}", outcome)

    assert told(room) == ["run.failed", "run.failed", "run.recovered"]


def test_a_channel_that_does_not_repeat_itself_tells_of_the_first_failure_until_that_is_over() -> None:
    room = alerted(repeat=False)
    for number, outcome in enumerate(("failed", "failed", "succeeded", "failed")):
        run_task(room, f"run_{number}", outcome)

    assert told_of(room) == [
        (HTTP, "run.failed", "run_0"),
        (HTTP, "run.recovered", "run_2"),
        (HTTP, "run.failed", "run_3"),
    ]


OCCASIONS = ("succeeded", "failed", "failed", "succeeded", "succeeded")


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (("success",), ["succeeded", None, None, "succeeded", "succeeded"]),
        (("completion",), ["succeeded", "failed", "failed", "succeeded", "succeeded"]),
        (("completion", "failure", "success"), ["succeeded", "failed", "failed", "succeeded", "succeeded"]),
        (("success", "recovery"), ["succeeded", None, None, "recovered", "succeeded"]),
        (announcing.ALERT_KINDS, ["succeeded", "failed", "failed", "recovered", "succeeded"]),
        (ALL, [None, "failed", "failed", "recovered", None]),
    ],
)
@pytest.mark.parametrize("what", ["run", "execution"])
def test_a_channel_is_told_of_successes_only_if_asked_to_and_of_each_end_once(
    what: str, on: tuple[str, ...], expected: list[str | None]
) -> None:
    room = alerted(ChannelSpec("ops", "email", on, to=("a@example.com",)))
    jobstories.save(room)
    for number, outcome in enumerate(OCCASIONS):
        if what == "run":
            run_task(room, f"run_{number}", outcome)
        else:
            execute_only(room, f"run_{number}", outcome)

    ends = [(EMAIL, f"{what}.{end}", f"run_{number}") for number, end in enumerate(expected) if end]
    assert told_of(room) == ends


@pytest.mark.parametrize("on", ["failure", "completion"])
def test_a_channel_that_does_not_repeat_itself_is_silent_about_failures_in_a_row_whatever_it_is_for(on: str) -> None:
    room = alerted(ChannelSpec("ops", "webhook", (on,), url=URL, repeat=False))
    for number, outcome in enumerate(("failed", "failed", "succeeded", "failed")):
        run_task(room, f"run_{number}", outcome)

    after = ["run.succeeded"] if on == "completion" else []
    assert told(room) == ["run.failed", *after, "run.failed"]


def test_of_what_tells_of_a_success_no_success_is_told() -> None:
    room = alerted(ChannelSpec("ops", "webhook", ("completion",), url=URL))
    run_task(room, "run_1", "succeeded")
    executor = room.hire()
    for hand in executor.turn(want=9, patient=False, version=builtin.VERSION).runs:
        jobstories.told(executor, started(hand, hand.token))
        jobstories.told(executor, said(hand, "succeeded"))

    assert told_of(room) == [(HTTP, "run.succeeded", "run_1")]


def test_a_task_recovers_by_itself_and_not_by_another_one() -> None:
    room = alerted()
    room.ask(c.RegisterVersion, digest="two", tasks=(e.TaskSettings("send-email"), e.TaskSettings("greet")), day="1")
    run_failed_while_queued(room, "run_1", "send-email")
    run_failed_while_queued(room, "run_2", "greet")

    state = fold(room.history(CHANNEL))
    assert isinstance(state, Channel)
    assert state.failing == {"task:send-email", "task:greet"}


def run_failed_while_queued(room: Room, run: str, task: str) -> None:
    room.trigger(new(run, task))
    room.ask(c.GiveUpRun, run=run, message="It is lost.")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["run.failed", "execution.failed"]),
        ({"tasks": ("send-email",)}, ["run.failed"]),
        ({"tasks": ("greet",)}, []),
        ({"jobs": (jobstories.JOB,)}, ["execution.failed"]),
        ({"jobs": ("job_2",), "tasks": ("send-email",)}, ["run.failed"]),
        ({"on": ("recovery",)}, []),
    ],
)
def test_a_channel_is_about_the_tasks_and_jobs_that_it_names(more: dict[str, Any], expected: list[str]) -> None:
    given: dict[str, Any] = {"name": "ops", "kind": "webhook", "on": ALL, "url": URL} | more
    room = alerted(ChannelSpec(**given))
    jobstories.save(room)
    run_failed_while_queued(room, "run_1", "send-email")
    room.ask(c.TriggerRuns, runs=[jobstories.execution("run_2")])
    room.ask(c.GiveUpRun, run="run_2", message="It is lost.")

    assert told(room) == expected


def test_a_channel_tells_that_a_job_paused_itself() -> None:
    room = alerted(ChannelSpec("ops", "webhook", ("auto_pause",), url=URL))
    jobstories.save(room, pause_after_failures=1)
    execute(room, "run_1")

    assert told_of(room) == [(HTTP, "job.paused", "run_1")]


@pytest.mark.parametrize("ending", ["canceled", "completed"])
def test_what_was_canceled_or_has_completed_alerts_nobody(ending: str) -> None:
    room = alerted()
    if ending == "completed":
        run_task(room, "run_1", "succeeded")
    else:
        room.trigger()
        room.ask(c.CancelRun, run="run_1")

    assert told(room) == []
    assert len(room.history(CHANNEL)) == 1


def test_without_a_channel_and_a_callback_nothing_is_noted() -> None:
    room = Room()
    run_task(room, "run_1")

    assert [each for each in room.log if each.actor == "aftermath"] == []


def test_a_channel_that_is_removed_is_told_nothing_more() -> None:
    room = alerted()
    room.ask(c.RemoveChannel, channel=CHANNEL)
    run_task(room, "run_1")

    assert told(room) == []
    with pytest.raises(NotFound):
        room.ask(c.RemoveChannel, channel=CHANNEL)


def test_a_restarted_engine_knows_its_channels_and_what_fails() -> None:
    room = alerted()
    run_task(room, "run_1")
    room.restart()
    run_task(room, "run_2", "succeeded")

    assert told(room) == ["run.failed", "run.recovered"]


def test_an_environment_has_so_many_channels_and_no_more() -> None:
    room = Room()
    spec = ChannelSpec("ops", "webhook", ALL, url=URL)
    for number in range(CHANNELS_MAX):
        room.ask(c.SaveChannel, channel=f"alert_{number}", spec=spec)

    with pytest.raises(NotAllowed):
        room.ask(c.SaveChannel, channel="alert_more", spec=spec)


def test_nobody_else_makes_runs_that_tell_of_others() -> None:
    room = Room()
    with pytest.raises(InvalidInput, match="Runfold's own"):
        room.ask(c.TriggerRuns, runs=[NewRun("run_1", EMAIL)])


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_end_is_told_once_and_failures_in_a_row_are_what_the_ends_say(seed: int) -> None:
    chance = random.Random(seed)
    callbacks = (Callback(("completion", "recovery"), URL),)
    room = job_room(pause_after_failures=3, callbacks=callbacks)
    room.ask(c.SaveChannel, channel=CHANNEL, spec=ChannelSpec("ops", "email", ("failure",), to=("a@example.com",)))
    expected: list[tuple[str, str, str]] = []
    in_a_row = 0
    for number in range(25):
        run = f"run_{number}"
        room.ask(c.TriggerRuns, runs=[jobstories.execution(run)])
        if chance.random() < 0.2:
            # Nothing of what was decided is there when the ledger does not take it.
            room.submit(c.GiveUpRun, run=run, message="It is lost.")
            room.fail()
        if chance.random() < 0.2:
            room.restart()
        ending = chance.choice(("failed", "failed", "succeeded", "canceled"))
        end(room, run, ending)
        if ending == "failed":
            in_a_row += 1
            expected += [(HTTP, "execution.failed", run), (EMAIL, "execution.failed", run)]
        elif ending == "succeeded":
            expected.append((HTTP, f"execution.{'recovered' if in_a_row else 'succeeded'}", run))
            in_a_row = 0
        job = jobstories.job_of(room)
        assert (job.failures, job.state is JobState.PAUSED) == (in_a_row, in_a_row >= 3)
        if job.state is JobState.PAUSED and chance.random() < 0.5:
            room.ask(c.ResumeJob, job=jobstories.JOB, runs=[])
            in_a_row = 0
        elif job.state is JobState.PAUSED:
            execute_only(room, f"extra_{number}", "succeeded")
            expected.append((HTTP, "execution.recovered", f"extra_{number}"))
            room.ask(c.ResumeJob, job=jobstories.JOB, runs=[])
            in_a_row = 0

    assert told_of(room) == expected
    ids = [each.stream for each in room.log if isinstance(each.event, e.RunTriggered)]
    assert len(ids) == len(set(ids))


def end(room: Room, run: str, ending: str) -> None:
    if ending == "canceled":
        room.ask(c.CancelRun, run=run)
        return
    executor = room.hire()
    hands = executor.turn(want=100, patient=False, version=builtin.VERSION).runs
    for each in hands:
        jobstories.told(executor, started(each, each.token))
        outcome = ending if each.run == run else "succeeded"
        jobstories.told(executor, said(each, outcome))
