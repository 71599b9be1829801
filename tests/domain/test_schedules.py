"""Schedules: what is planned, fired and skipped, and what becomes of it when they change, pause or end."""

from typing import Any

import pytest
from msgspec import Raw, json
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.calendar import Cron, Tick
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.events import Target, TaskSchedule, TaskSettings
from domain.schedule import DECLARATIVE, OVERLAPS
from domain.scheduling import key_of
from domain.status import Status
from domain.timing import At, Every, local_text
from tests.domain.schedulestories import HOUR, MINUTE, SCHEDULE, plan, runs_of, scheduled, state_of, told
from tests.domain.stories import NOW, SEND_EMAIL, Room, succeeded


def tick(at: int, **more: Any) -> Tick:
    return Tick(at, local_text(at), **more)


def test_a_schedule_plans_its_first_tick_behind_its_creation() -> None:
    room = Room()
    stream = room.ask(c.SaveSchedule, schedule=SCHEDULE, plan=plan())

    assert stream == SCHEDULE
    assert told(room) == [e.ScheduleCreated("IMPERATIVE", plan(), tick(NOW + HOUR))]


def test_a_tick_becomes_a_run_in_the_commit_that_says_so() -> None:
    room = scheduled()
    assert room.pass_time(HOUR - 1) == {}
    room.pass_time(1)

    (run,) = runs_of(room)
    (fired, triggered, claimed) = room.news()
    assert fired == (SCHEDULE, e.TicksFired(tick(NOW + HOUR), (run.id,), tick(NOW + 2 * HOUR)))
    assert triggered[0] == run.id
    assert isinstance(triggered[1], e.RunTriggered)
    assert (triggered[1].source, triggered[1].schedule) == ("schedule", e.Scheduled(SCHEDULE, 1, NOW + HOUR))
    assert isinstance(claimed[1], e.KeyClaimed)
    assert claimed[1].target == run.id


def test_a_run_is_told_of_its_tick() -> None:
    room = scheduled(external_id="user_1", end=NOW + 4 * HOUR)
    room.pass_time(HOUR)
    room.pass_time(HOUR)

    (_, second) = [each.event for each in room.log if isinstance(each.event, e.RunTriggered)]
    assert json.decode(second.payload) == {
        "type": "IMPERATIVE",
        "timestamp": "2027-01-15T10:00:00.000Z",
        "lastTimestamp": "2027-01-15T09:00:00.000Z",
        "timezone": "UTC",
        "scheduleId": SCHEDULE,
        "externalId": "user_1",
        "upcoming": ["2027-01-15T11:00:00.000Z", "2027-01-15T12:00:00.000Z"],
    }
    assert second.payload_size == len(bytes(second.payload))


def test_a_payload_and_options_of_its_own_go_to_every_run() -> None:
    target = Target("send-email", Raw(b"[1]"), queue="emails", tags=("daily",), priority=5, max_attempts=2)
    room = scheduled(target=target)
    room.pass_time(HOUR)

    (run,) = runs_of(room)
    (triggered,) = [each for each in room.events(run.id) if isinstance(each, e.RunTriggered)]
    assert (bytes(triggered.payload), triggered.payload_size) == (b"[1]", 3)
    assert (run.queue, run.tags, run.priority, run.max_attempts) == ("emails", ("daily",), 5, 2)


def test_the_same_events_come_from_the_same_ledger_after_a_restart() -> None:
    first, second = scheduled(), scheduled()
    second.restart()
    for room in (first, second):
        room.pass_time(HOUR)

    assert first.log == second.log


def test_a_batch_that_did_not_land_fires_its_ticks_again_under_the_same_ids() -> None:
    room, other = scheduled(), scheduled()
    room.submit(c.EndTurn, session="", sequence=1)
    room.now = other.now._replace(wall=NOW + HOUR, mono=HOUR)
    room.fail()
    room.commit()
    other.pass_time(HOUR)

    assert room.log == other.log


def test_one_moment_comes_once() -> None:
    room = scheduled(At(NOW + 5 * MINUTE))
    for _ in range(3):
        room.pass_time(5 * MINUTE)

    assert len(runs_of(room)) == 1
    assert state_of(room).next is None


def test_an_interval_counts_from_its_anchor_and_never_drifts() -> None:
    room = Room()
    room.pass_time(17_123)
    room.ask(c.SaveSchedule, schedule=SCHEDULE, plan=plan(Every(10, None)))
    room.pass_time(10 * MINUTE + 4_000)
    room.pass_time(10 * MINUTE)

    fired = [each.event for each in room.history(SCHEDULE) if isinstance(each.event, e.TicksFired)]
    assert [each.first.at - NOW - 17_123 for each in fired] == [10 * MINUTE, 20 * MINUTE]
    assert [each.late_ms for each in fired] == [4_000, 4_000]


def test_start_and_end_bound_the_ticks_and_belong_to_them() -> None:
    room = scheduled(start=NOW + 2 * HOUR, end=NOW + 3 * HOUR)
    for _ in range(5):
        room.pass_time(HOUR)

    assert [each.created_at for each in runs_of(room)] == [NOW + 2 * HOUR, NOW + 3 * HOUR]


def test_jitter_puts_a_tick_off_and_never_past_the_next_one() -> None:
    room = scheduled(Every(1), jitter_ms=HOUR)
    dues: list[int] = []
    for _ in range(50):
        following = state_of(room).next
        assert following is not None
        dues.append(following.due - following.at)
        room.pass_time(following.due - room.now.wall)

    assert all(0 <= each < MINUTE for each in dues)
    assert len(set(dues)) > 40
    assert [each.created_at for each in runs_of(room)] == [NOW + (n + 1) * MINUTE + late for n, late in enumerate(dues)]


def test_the_next_times_that_a_run_is_told_are_without_their_jitter_and_end_with_the_schedule() -> None:
    room = scheduled(Every(1), jitter_ms=HOUR, end=NOW + 3 * MINUTE)
    room.pass_time(2 * MINUTE - 1)

    (run,) = [each.event for each in room.log if isinstance(each.event, e.RunTriggered)]
    assert json.decode(run.payload)["upcoming"] == ["2027-01-15T08:02:00.000Z", "2027-01-15T08:03:00.000Z"]


def test_by_default_the_latest_of_the_ticks_that_were_missed_is_fired_if_it_is_not_too_late() -> None:
    room = scheduled()
    room.pass_time(5 * HOUR + 10 * MINUTE)

    (run,) = runs_of(room)
    assert told(room) == [
        e.TicksSkipped(tick(NOW + HOUR), "WINDOW", tick(NOW + 5 * HOUR), tick(NOW + 4 * HOUR), 4),
        e.TicksFired(tick(NOW + 5 * HOUR), (run.id,), tick(NOW + 6 * HOUR), fate="LATE", late_ms=10 * MINUTE),
    ]


def test_within_a_wider_window_the_others_are_skipped_for_the_latest() -> None:
    room = scheduled(catch_up_window_ms=3 * HOUR)
    room.pass_time(5 * HOUR)

    assert [(type(each), getattr(each, "reason", None), getattr(each, "count", 1)) for each in told(room)] == [
        (e.TicksSkipped, "WINDOW", 1),
        (e.TicksSkipped, "CATCH_UP", 3),
        (e.TicksFired, None, 1),
    ]


def test_all_are_caught_up_if_that_is_asked_for_up_to_a_number() -> None:
    room = scheduled(catch_up="all", catch_up_window_ms=24 * HOUR, catch_up_max=3)
    room.pass_time(6 * HOUR + MINUTE)

    runs = [each.id for each in runs_of(room)]
    assert runs[:2] == sorted(runs[:2]), "they are queued in the order of their ticks"
    assert told(room) == [
        e.TicksSkipped(tick(NOW + HOUR), "CATCH_UP", tick(NOW + 4 * HOUR), tick(NOW + 3 * HOUR), 3),
        e.TicksFired(
            tick(NOW + 4 * HOUR),
            (runs[0], runs[1]),
            tick(NOW + 6 * HOUR),
            tick(NOW + 5 * HOUR),
            "CAUGHT_UP",
            2 * HOUR + MINUTE,
        ),
        e.TicksFired(tick(NOW + 6 * HOUR), (runs[2],), tick(NOW + 7 * HOUR), fate="LATE", late_ms=MINUTE),
    ]


def test_nothing_is_caught_up_if_that_is_asked_for() -> None:
    room = scheduled(catch_up="none")
    room.pass_time(2 * HOUR + MINUTE)
    room.pass_time(59 * MINUTE)

    assert [each.created_at for each in runs_of(room)] == [NOW + 3 * HOUR]


def test_an_engine_that_was_down_over_very_many_ticks_writes_few_events_in_bounded_batches() -> None:
    room = scheduled(Every(1))
    before = len(room.log)
    room.now = room.now._replace(wall=NOW + 100_000 * MINUTE)
    batches: list[int] = []
    while (following := state_of(room).next) and following.due <= room.now.wall:
        head = len(room.log)
        room.commit()
        batches.append(len(room.log) - head)

    skipped = [each.event for each in room.log if isinstance(each.event, e.TicksSkipped)]
    assert sum(each.count for each in skipped) == 99_999
    assert len(runs_of(room)) == 1
    assert len(room.log) - before < 300
    assert len(batches) > 10
    assert max(batches) < 20


def test_a_thousand_ticks_of_one_moment_become_runs_in_one_commit() -> None:
    room = Room()
    for number in range(1_000):
        room.submit(c.SaveSchedule, schedule=f"sched_{number}", plan=plan())
    room.commit()
    room.pass_time(HOUR)

    assert [run.created_at for run in runs_of(room)] == [NOW + HOUR] * 1_000
    assert room.engine.take_batch(room.now) is None


def test_a_tick_is_skipped_while_a_run_goes_on_if_that_is_asked_for() -> None:
    room = scheduled(overlap="skip")
    room.pass_time(HOUR)
    room.pass_time(HOUR)
    (run,) = runs_of(room)
    room.ask(c.CancelRun, run=run.id)
    room.pass_time(HOUR)

    assert [(type(each), getattr(each, "reason", None)) for each in told(room)] == [
        (e.TicksFired, None),
        (e.TicksSkipped, "OVERLAP"),
        (e.TicksFired, None),
    ]


def test_one_tick_waits_for_the_end_of_a_run_if_that_is_asked_for() -> None:
    room = scheduled(overlap="buffer_one")
    worker = room.hire()
    room.pass_time(HOUR)
    hand = worker.start()
    room.pass_time(HOUR)
    room.pass_time(HOUR)
    told(room)
    worker.turn(succeeded(hand))

    (fired,) = told(room)
    (first, second) = runs_of(room)
    assert fired == e.BufferedTickFired(tick(NOW + 2 * HOUR), second.id, HOUR)
    assert (first.status, second.status) == (Status.COMPLETED, Status.QUEUED)
    assert state_of(room).buffered is None


def test_the_run_before_is_canceled_if_that_is_asked_for() -> None:
    room = scheduled(overlap="cancel_other")
    room.pass_time(HOUR)
    room.pass_time(HOUR)

    assert [each.status for each in runs_of(room)] == [Status.CANCELED, Status.QUEUED]


def test_runs_may_overlap_if_nothing_is_said() -> None:
    room = scheduled()
    room.pass_time(HOUR)
    room.pass_time(HOUR)

    assert [each.status for each in runs_of(room)] == [Status.QUEUED, Status.QUEUED]


def test_what_was_due_while_a_schedule_paused_is_skipped_when_it_goes_on() -> None:
    room = scheduled()
    room.ask(c.DeactivateSchedule, schedule=SCHEDULE)
    room.pass_time(30 * HOUR)
    assert told(room) == [e.ScheduleDeactivated()]

    room.ask(c.ActivateSchedule, schedule=SCHEDULE)
    assert told(room) == [
        e.ScheduleActivated(),
        e.TicksSkipped(tick(NOW + HOUR), "PAUSED", tick(NOW + 31 * HOUR), tick(NOW + 30 * HOUR), 30),
    ]
    room.pass_time(HOUR)
    assert len(runs_of(room)) == 1


def test_a_pause_reaches_what_waits_and_what_is_due_and_not_fired() -> None:
    room = scheduled(overlap="buffer_one")
    room.pass_time(HOUR)
    room.pass_time(HOUR)
    told(room)
    room.now = room.now._replace(wall=NOW + 3 * HOUR)
    room.ask(c.DeactivateSchedule, schedule=SCHEDULE)

    assert told(room) == [e.BufferedTickDropped(tick(NOW + 2 * HOUR), "PAUSED"), e.ScheduleDeactivated()]
    room.ask(c.CancelRun, run=runs_of(room)[0].id)
    assert (len(runs_of(room)), state_of(room).buffered) == (1, None)


def test_another_plan_is_another_revision_and_nothing_of_the_former_is_fired_any_more() -> None:
    room = scheduled()
    room.now = room.now._replace(wall=NOW + HOUR)
    later = plan(Every(30))
    room.ask(c.ChangeSchedule, schedule=SCHEDULE, plan=later)

    assert told(room) == [e.ScheduleChanged(2, later, tick(NOW + 90 * MINUTE))]
    room.pass_time(30 * MINUTE)
    (run,) = [each.event for each in room.log if isinstance(each.event, e.RunTriggered)]
    assert run.schedule == e.Scheduled(SCHEDULE, 2, NOW + 90 * MINUTE)


def test_to_say_a_thing_twice_writes_it_once() -> None:
    room = scheduled()
    for kind, more in (
        (c.ChangeSchedule, {"plan": plan(Every(45))}),
        (c.DeactivateSchedule, {}),
        (c.ActivateSchedule, {}),
    ):
        room.ask(kind, schedule=SCHEDULE, **more)
        head = len(room.log)
        room.ask(kind, schedule=SCHEDULE, **more)

        assert len(room.log) == head


def test_a_deduplication_key_stands_for_one_schedule_until_that_is_deleted() -> None:
    room = Room()

    def save(stream: str, minutes: int) -> Any:
        more = {"deduplication_key": "mine", "key": "key_1", "key_until": 2**53}
        return room.ask(c.SaveSchedule, schedule=stream, plan=plan(Every(minutes)), **more)

    made = [save("sched_1", 10), save("sched_2", 10), save("sched_3", 20)]
    assert made == ["sched_1"] * 3
    assert state_of(room).revision == 2

    room.ask(c.DeleteSchedule, schedule="sched_1", key="key_1")
    assert save("sched_4", 20) == "sched_4"
    assert "sched_1" not in room.engine.memory.states
    with pytest.raises(NotFound, match="Schedule sched_1 not found"):
        room.ask(c.ActivateSchedule, schedule="sched_1")


def test_a_request_that_comes_again_changes_nothing_whatever_became_of_its_schedule() -> None:
    room = Room()
    request = {"schedule": SCHEDULE, "plan": plan(), "key": "key_request", "key_until": 2**53}
    room.ask(c.SaveSchedule, **request)
    room.ask(c.ChangeSchedule, schedule=SCHEDULE, plan=plan(Every(30)))
    changed = len(room.log)
    assert room.ask(c.SaveSchedule, **request | {"schedule": "sched_2"}) == SCHEDULE
    assert len(room.log) == changed

    room.ask(c.DeleteSchedule, schedule=SCHEDULE)
    assert room.ask(c.SaveSchedule, **request | {"schedule": "sched_3"}) == SCHEDULE
    assert room.log[-1].event == e.ScheduleDeleted()


def test_a_deleted_schedule_fires_nothing_and_its_runs_stay() -> None:
    room = scheduled()
    room.pass_time(HOUR)
    room.ask(c.DeleteSchedule, schedule=SCHEDULE)
    room.pass_time(HOUR)

    assert [each.status for each in runs_of(room)] == [Status.QUEUED]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (plan(Every(0)), "every 1 to 1440 minutes, not 0"),
        (plan(Every(1_441)), "every 1 to 1440 minutes, not 1441"),
        (plan(At(NOW)), "needs one that is to come"),
        (plan(At(2**60)), "before the year 9999"),
        (plan(Cron("* * * *")), "five fields"),
        (plan(Cron("30 2 30 2 *")), "a date that never comes"),
        (plan(Cron("0 0 * * *", "Europe/Berln")), "no time zone"),
        (plan(start=NOW + HOUR, end=NOW), "ends .* before it starts"),
        (plan(end=NOW + 1), "would never be due until"),
        (plan(jitter_ms=-1), "jitter"),
        (plan(overlap="queue"), "overlap is allow, skip, buffer_one, cancel_other"),
        (plan(catch_up="some"), "catchUp is latest, all, none"),
        (plan(catch_up_max=101), "catchUpMax is 1 to 100"),
        (plan(catch_up_window_ms=10**10), "seven days"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_sentence(given: e.Plan, sentence: str) -> None:
    room = scheduled()
    head = len(room.log)
    with pytest.raises(InvalidInput, match=sentence):
        room.ask(c.SaveSchedule, schedule="sched_2", plan=given)
    with pytest.raises(InvalidInput, match=sentence):
        room.ask(c.ChangeSchedule, schedule=SCHEDULE, plan=given)

    assert len(room.log) == head


def declaring(**said: Any) -> TaskSettings:
    return TaskSettings("send-email", schedule=TaskSchedule(**said))


def declare(room: Room, digest: str, *tasks: TaskSettings) -> list[tuple[str, e.Event]]:
    room.news()
    room.ask(c.RegisterVersion, digest=digest, tasks=tasks, day="20270115")
    return [(stream, event) for stream, event in room.news() if stream.startswith("sched_")]


def test_what_a_task_declares_is_there_when_its_version_becomes_current() -> None:
    room = Room()
    ((stream, created),) = declare(room, "two", declaring(cron="0 9 * * 1-5", timezone="Europe/Berlin"))

    assert isinstance(created, e.ScheduleCreated)
    assert (created.type, created.plan.target, created.plan.timetable.timing) == (
        DECLARATIVE,
        Target("send-email"),
        Cron("0 9 * * 1-5", "Europe/Berlin"),
    )
    ((_, changed),) = declare(room, "three", declaring(every=30))
    assert isinstance(changed, e.ScheduleChanged)
    assert declare(room, "four", declaring(every=30), TaskSettings("other")) == []
    assert declare(room, "five", TaskSettings("other")) == []
    assert declare(room, "six", SEND_EMAIL, TaskSettings("more")) == [(stream, e.ScheduleDeleted())]
    ((again, _),) = declare(room, "seven", declaring(every=30))
    assert again != stream


def test_a_version_that_is_promoted_brings_back_what_its_tasks_declared() -> None:
    room = Room()
    declare(room, "two", declaring(every=30))
    room.news()
    room.ask(c.PromoteVersion, version="20270115.1")
    assert [type(event) for _, event in room.news()] == [e.VersionPromoted, e.ScheduleDeleted]
    room.ask(c.PromoteVersion, version="20270115.2")

    assert [type(event) for _, event in room.news()] == [e.VersionPromoted, e.ScheduleCreated]


def test_a_version_whose_schedule_cannot_be_followed_is_refused_whole() -> None:
    room = Room()
    room.news()
    for said, sentence in (
        ({"cron": "61 * * * *"}, "The schedule of the task 'send-email': 61 is no minute"),
        ({}, "either cron or every"),
        ({"cron": "0 * * * *", "every": 5}, "either cron or every"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            room.ask(c.RegisterVersion, digest="two", tasks=(declaring(**said),), day="20270115")

    assert room.news() == []


def test_what_code_declares_can_be_paused_and_not_changed_by_the_api() -> None:
    room = Room()
    ((stream, _),) = declare(room, "two", declaring(every=30))
    with pytest.raises(InvalidInput, match="declared by the code of its task"):
        room.ask(c.ChangeSchedule, schedule=stream, plan=plan())
    with pytest.raises(InvalidInput, match="declared by the code of its task"):
        room.ask(c.DeleteSchedule, schedule=stream)

    room.ask(c.DeactivateSchedule, schedule=stream)
    declare(room, "three", declaring(every=45))
    assert not state_of(room, stream).is_active


def test_a_backfill_makes_the_runs_that_are_missing_and_no_others() -> None:
    room = scheduled()
    room.pass_time(3 * HOUR)
    ticks = tuple(tick(NOW + n * HOUR) for n in (1, 2, 3))
    schedule = state_of(room)
    keys = tuple(key_of(schedule, each.at) for each in ticks)
    first = room.ask(c.BackfillTicks, schedule=SCHEDULE, ticks=ticks, keys=keys)
    head = len(room.log)
    again = room.ask(c.BackfillTicks, schedule=SCHEDULE, ticks=ticks, keys=keys)

    assert [each.cached for each in first] == [False, False, True]
    assert [each.run for each in again] == [each.run for each in first]
    assert all(each.cached for each in again)
    assert len(room.log) == head
    assert len(runs_of(room)) == 3


def test_what_has_not_come_to_anything_yet_is_not_backfilled() -> None:
    room = scheduled()
    room.ask(c.DeactivateSchedule, schedule=SCHEDULE)
    room.pass_time(HOUR)
    ticks = (tick(NOW + HOUR),)
    keys = (key_of(state_of(room), ticks[0].at),)
    with pytest.raises(NotAllowed, match="let the schedule go on first"):
        room.ask(c.BackfillTicks, schedule=SCHEDULE, ticks=ticks, keys=keys)

    room.ask(c.ActivateSchedule, schedule=SCHEDULE)
    (made,) = room.ask(c.BackfillTicks, schedule=SCHEDULE, ticks=ticks, keys=keys)
    assert not made.cached
    with pytest.raises(NotAllowed, match="it is due soon"):
        room.ask(c.BackfillTicks, schedule=SCHEDULE, ticks=(tick(NOW + 2 * HOUR),), keys=("key_1",))


def test_a_schedule_is_run_now_beside_its_ticks() -> None:
    room = scheduled(external_id="user_1", end=NOW + 3 * HOUR)
    room.pass_time(HOUR)
    room.pass_time(MINUTE)
    before = state_of(room)
    room.news()
    assert room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_by_hand") == "run_by_hand"

    ran, triggered = room.news()
    assert ran == (SCHEDULE, e.ScheduleRunByHand(NOW + HOUR + MINUTE, "run_by_hand"))
    assert triggered[0] == "run_by_hand"
    assert isinstance(triggered[1], e.RunTriggered)
    assert triggered[1].source == "manual"
    assert triggered[1].schedule == e.Scheduled(SCHEDULE, 1, NOW + HOUR + MINUTE)
    assert json.decode(triggered[1].payload) == {
        "type": "IMPERATIVE",
        "timestamp": "2027-01-15T09:01:00.000Z",
        "lastTimestamp": "2027-01-15T09:00:00.000Z",
        "timezone": "UTC",
        "scheduleId": SCHEDULE,
        "externalId": "user_1",
        "upcoming": ["2027-01-15T10:00:00.000Z", "2027-01-15T11:00:00.000Z"],
    }
    assert [each.actor for each in room.log[-2:]] == ["key:1", "key:1"]
    assert state_of(room) == replace(before, version=before.version + 1)


def test_a_payload_and_options_of_its_own_go_to_a_run_by_hand() -> None:
    target = Target("send-email", Raw(b"[1]"), queue="emails", tags=("daily",), priority=5, max_attempts=2)
    room = scheduled(target=target)
    run = room.run(room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_1"))

    (triggered,) = [each for each in room.events(run.id) if isinstance(each, e.RunTriggered)]
    assert bytes(triggered.payload) == b"[1]"
    assert (run.queue, run.tags, run.priority, run.max_attempts) == ("emails", ("daily",), 5, 2)


def test_a_schedule_is_run_now_whatever_its_state() -> None:
    room = scheduled(At(NOW + HOUR))
    room.ask(c.DeactivateSchedule, schedule=SCHEDULE)
    paused = room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_1")
    room.ask(c.ActivateSchedule, schedule=SCHEDULE)
    room.pass_time(HOUR)
    assert state_of(room).next is None
    over = room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_2")

    assert [room.run(each).status for each in (paused, over)] == [Status.QUEUED] * 2


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_run_by_hand_and_the_ticks_are_not_in_each_others_way(overlap: str) -> None:
    room = scheduled(overlap=overlap)
    first = room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_1")
    room.news()
    room.pass_time(HOUR)
    (fired,) = told(room)
    assert isinstance(fired, e.TicksFired)
    second = room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_2")
    room.restart()

    assert [room.run(each).status for each in (first, *fired.runs, second)] == [Status.QUEUED] * 3
    assert room.engine.memory.schedules.running(SCHEDULE) == list(fired.runs)


def test_a_run_by_hand_at_the_moment_of_a_tick_is_another_run() -> None:
    room = scheduled()
    room.pass_time(HOUR)
    room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_1")
    room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_2")

    assert len(runs_of(room)) == 3
    assert len({run.id for run in runs_of(room)}) == 3


def test_the_same_request_again_makes_no_second_run_by_hand() -> None:
    room = scheduled()
    asked = {"schedule": SCHEDULE, "request": "key_1"}
    first = room.ask(c.RunSchedule, run="run_1", **asked)
    head = len(room.log)
    room.restart()
    assert room.ask(c.RunSchedule, run="run_2", **asked) == first == "run_1"
    assert len(room.log) == head
    room.ask(c.DeleteSchedule, schedule=SCHEDULE)
    assert room.ask(c.RunSchedule, run="run_3", **asked) == "run_1"

    room.pass_time(HOUR)
    with pytest.raises(NotFound, match="Schedule sched_1 not found"):
        room.ask(c.RunSchedule, run="run_4", **asked)


def test_another_environment_does_not_see_a_schedule() -> None:
    room = scheduled()
    for kind in (c.ActivateSchedule, c.DeactivateSchedule, c.DeleteSchedule):
        with pytest.raises(NotFound, match="Schedule sched_1 not found"):
            room.ask(kind, schedule=SCHEDULE, environment="env_2")
    with pytest.raises(NotFound, match="Schedule sched_1 not found"):
        room.ask(c.RunSchedule, schedule=SCHEDULE, run="run_1", environment="env_2")
