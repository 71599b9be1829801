"""Alert channels that sum up: the first alert goes at once, what follows within a window is told together."""

from typing import Any

from domain import announcing, builtin
from domain import commands as c
from domain import events as e
from domain.channel import Channel
from domain.events import ChannelSpec
from domain.states import fold
from tests.domain.jobstories import told_of
from tests.domain.stories import NOW, Room, new, said, succeeded

CHANNEL = "alert_1"
WINDOW = 300_000
SUMMARY = (builtin.HTTP_TASK, "alerts.summary", CHANNEL)


def summing(on: tuple[str, ...] = announcing.ALERTED_BY_DEFAULT, **more: Any) -> Room:
    """A room with a channel that sums up for five minutes."""
    room = Room()
    spec = ChannelSpec("ops", "webhook", on, url="https://example.com/told", digest_ms=WINDOW, **more)
    room.ask(c.SaveChannel, channel=CHANNEL, spec=spec)
    room.news()
    return room


def run_task(room: Room, run: str, outcome: str = "failed") -> None:
    room.trigger(new(run, max_attempts=1))
    worker = room.hire()
    hand = worker.start()
    worker.turn(succeeded(hand) if outcome == "succeeded" else said(hand, outcome), patient=False)


def told(room: Room) -> list[tuple[str, str]]:
    """What was told of what, in order."""
    return [(type_, run) for _, type_, run in told_of(room)]


def noted(room: Room) -> list[e.Event]:
    """What the channel noted since this was last asked, but for what fails and recovers."""
    kinds = (e.AlertTold, e.AlertHeld, e.AlertsSummed)
    return [event for stream, event in room.news() if stream == CHANNEL and isinstance(event, kinds)]


def state_of(room: Room) -> Channel:
    state = fold(room.history(CHANNEL))
    assert isinstance(state, Channel)
    return state


def test_the_first_alert_is_told_at_once_and_what_follows_waits_for_the_end_of_the_window() -> None:
    room = summing()
    for run in ("run_1", "run_2", "run_3"):
        run_task(room, run)
    assert told(room) == [("run.failed", "run_1")]
    assert state_of(room).held == 2

    room.pass_time(WINDOW - 1)
    assert len(told(room)) == 1
    room.pass_time(1)

    assert told_of(room)[1:] == [SUMMARY]
    assert noted(room) == [
        e.AlertTold(NOW + WINDOW),
        e.AlertHeld("run.failed", "task:send-email", "send-email", "run_2"),
        e.AlertHeld("run.failed", "task:send-email", "send-email", "run_3"),
        e.AlertsSummed(_summaries(room)[0].stream, 2, NOW + 2 * WINDOW),
    ]
    assert state_of(room).held == 0


def test_successes_that_a_channel_is_to_tell_of_are_summed_up_as_failures_are() -> None:
    room = summing(on=announcing.ALERT_KINDS)
    for run, outcome in (("run_1", "succeeded"), ("run_2", "succeeded"), ("run_3", "failed"), ("run_4", "succeeded")):
        run_task(room, run, outcome)
    room.pass_time(WINDOW)

    assert told_of(room) == [(builtin.HTTP_TASK, "run.succeeded", "run_1"), SUMMARY]
    held = [each.type for each in noted(room) if isinstance(each, e.AlertHeld)]
    assert held == ["run.succeeded", "run.failed", "run.recovered"]


def test_what_tells_of_several_names_the_event_that_sums_them_up() -> None:
    room = summing()
    run_task(room, "run_1")
    run_task(room, "run_2")
    room.pass_time(WINDOW)

    (summary,) = _summaries(room)
    assert isinstance(summary.event, e.RunTriggered)
    assert summary.event.about is not None
    version = summary.event.about.version
    (summed,) = [each for each in room.history(CHANNEL) if each.version == version]
    assert summed.event == e.AlertsSummed(summary.stream, 1, NOW + 2 * WINDOW)
    assert summed.recorded_at == summary.recorded_at


def test_behind_a_summary_what_follows_waits_again() -> None:
    room = summing()
    run_task(room, "run_1")
    run_task(room, "run_2")
    room.pass_time(WINDOW)
    run_task(room, "run_3")
    assert len(told(room)) == 2

    room.pass_time(WINDOW)

    assert told_of(room)[1:] == [SUMMARY, SUMMARY]


def test_after_a_quiet_window_the_next_alert_is_told_at_once() -> None:
    room = summing()
    run_task(room, "run_1")
    room.pass_time(WINDOW)
    assert noted(room) == [e.AlertTold(NOW + WINDOW)]

    run_task(room, "run_2")

    assert told(room) == [("run.failed", "run_1"), ("run.failed", "run_2")]
    assert room.engine.memory.next_due() is None


def test_nothing_is_lost_over_a_restart() -> None:
    room = summing()
    run_task(room, "run_1")
    run_task(room, "run_2")
    room.restart()
    assert told(room) == [("run.failed", "run_1")]

    room.pass_time(WINDOW)

    assert told_of(room)[1:] == [SUMMARY]


def test_nothing_is_lost_or_told_twice_when_a_commit_fails() -> None:
    room = summing()
    run_task(room, "run_1")
    run_task(room, "run_2")
    room.now = room.now._replace(wall=NOW + WINDOW, mono=WINDOW)
    room.fail()
    assert state_of(room).held == 1

    room.commit()
    room.pass_time(WINDOW)

    assert told_of(room)[1:] == [SUMMARY]


def test_failures_and_recoveries_of_several_tasks_and_jobs_share_a_window() -> None:
    room = summing()
    run_task(room, "run_1")
    run_task(room, "run_2", "succeeded")
    run_task(room, "run_3")

    held = [(event.type, event.run) for event in noted(room) if isinstance(event, e.AlertHeld)]
    assert held == [("run.recovered", "run_2"), ("run.failed", "run_3")]


def test_a_channel_that_is_removed_tells_nothing_of_what_waited() -> None:
    room = summing()
    run_task(room, "run_1")
    run_task(room, "run_2")
    room.ask(c.RemoveChannel, channel=CHANNEL)

    room.pass_time(WINDOW)

    assert told(room) == [("run.failed", "run_1")]


def _summaries(room: Room) -> list[e.Recorded]:
    made = [each for each in room.log if isinstance(each.event, e.RunTriggered)]
    return [each for each in made if isinstance(each.event, e.RunTriggered) and each.event.source == "alert"][1:]
