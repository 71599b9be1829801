"""Whatever happens to a schedule and to its engine: each planned tick has exactly one fate, and at most one run."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.calendar import CronCalendar
from domain import commands as c
from domain import events as e
from domain.calendar import Tick
from domain.errors import InvalidInput
from domain.events import Plan, Recorded
from domain.run import Run
from domain.schedule import OVERLAPS, Schedule, evolve
from domain.tick_ledger import WITH_RUN, Accounted, TickLedger
from domain.timing import Every
from tests.domain.schedulestories import MINUTE, SCHEDULE, fates, plan, runs_of, scheduled, state_of
from tests.domain.stories import NOW, Room

CALENDAR = CronCalendar()
FOR_EVER = 10**15
DAY = 1_440 * MINUTE

plans = st.builds(
    plan,
    st.sampled_from((Every(1), Every(7), Every(60))),
    overlap=st.sampled_from(OVERLAPS),
    catch_up=st.sampled_from(("latest", "all", "all", "none")),
    catch_up_window_ms=st.sampled_from((None, 0, 90 * MINUTE, 90 * MINUTE)),
    catch_up_max=st.sampled_from((1, 3, 100)),
    jitter_ms=st.sampled_from((0, 0, 20_000, DAY)),
)
Step = Callable[[Room], Any]


def _passes(milliseconds: int) -> Step:
    return lambda room: room.pass_time(milliseconds)


def _stops(milliseconds: int) -> Step:
    def stop(room: Room) -> None:
        room.now = room.now._replace(wall=room.now.wall + milliseconds)
        room.restart()

    return stop


def _loses_a_batch(milliseconds: int) -> Step:
    def lose(room: Room) -> None:
        room.submit(c.EndTurn, session="", sequence=1)
        room.now = room.now._replace(wall=room.now.wall + milliseconds)
        room.fail()

    return lose


def _asks(kind: type[c.Command], **more: Any) -> Step:
    return lambda room: room.ask(kind, schedule=SCHEDULE, **more)


def _runs_by_hand(times: int) -> Step:
    def run(room: Room) -> None:
        for _ in range(times):
            room.ask(c.RunSchedule, schedule=SCHEDULE, run=f"run_by_hand_{len(room.log)}")

    return run


def _ends_a_run(number: int) -> Step:
    def end(room: Room) -> None:
        going_on = [run for run in runs_of(room) if not run.is_final]
        if going_on:
            room.ask(c.CancelRun, run=going_on[number % len(going_on)].id)

    return end


spans = st.sampled_from((0, 1, 30_000, MINUTE, 7 * MINUTE, 61 * MINUTE, DAY))
steps: st.SearchStrategy[Step] = st.one_of(
    spans.map(_passes),
    spans.map(_passes),
    spans.map(_stops),
    spans.map(_loses_a_batch),
    plans.map(lambda each: _asks(c.ChangeSchedule, plan=each)),
    st.just(_asks(c.DeactivateSchedule)),
    st.just(_asks(c.ActivateSchedule)),
    st.integers(1, 2).map(_runs_by_hand),
    st.integers(0, 9).map(_ends_a_run),
)


def catch_up(room: Room) -> None:
    """Let the engine do all that is due."""
    while True:
        state = state_of(room)
        if not state.is_active or state.next is None or state.next.due > room.now.wall:
            return
        before = len(room.log)
        room.commit()
        assert len(room.log) > before, "an engine with something to do does it"


def planned(room: Room) -> list[int]:
    """The moments that each revision had to come to something with: counted, not computed."""
    found: list[int] = []
    current: tuple[Plan, int] | None = None
    for recorded in [*room.history(SCHEDULE), None]:
        event = recorded.event if recorded else None
        if recorded is None or isinstance(event, e.ScheduleCreated | e.ScheduleChanged | e.ScheduleDeleted):
            until = recorded.recorded_at if recorded else room.now.wall
            if current is not None:
                found += _counted(*current, until)
            current = (event.plan, until) if isinstance(event, e.ScheduleCreated | e.ScheduleChanged) else None
    return found


def _counted(followed: Plan, since: int, until: int) -> list[int]:
    timing = followed.timetable.timing
    assert isinstance(timing, Every)
    first = since - since % MINUTE
    return [
        at for at in range(first, until + 1, MINUTE) if at > since and at // MINUTE % timing.minutes == 0
    ]  # from 1970 on


@settings(max_examples=100, deadline=None)
@given(plans, st.lists(steps, max_size=14))
def test_each_planned_tick_has_exactly_one_fate(first: Plan, happened: list[Step]) -> None:
    room = Room()
    room.ask(c.SaveSchedule, schedule=SCHEDULE, plan=first)
    for step in happened:
        step(room)
        catch_up(room)

    state, ticks = state_of(room), planned(room)
    told = Counter(each.at for each in fates(room.history(SCHEDULE), ticks))
    waits = {state.buffered.at} if state.buffered else set[int]()
    ended = _left_behind(room)
    for at in ticks:
        is_outstanding = state.next is not None and at >= state.next.at
        expected = 0 if at in waits or at in ended or is_outstanding else 1
        assert told[at] == expected, at
    assert told.keys() <= set(ticks)
    _each_run_is_of_one_tick(room)
    _none_overlap_that_must_not(room)
    _the_audit_agrees(room, ticks)


def _none_overlap_that_must_not(room: Room) -> None:
    going_on: set[str] = set()
    overlap = ""
    for recorded in room.log:
        match recorded.event:
            case e.ScheduleCreated(plan=followed) | e.ScheduleChanged(plan=followed):
                overlap = followed.overlap
            case e.RunTriggered(source=e.SCHEDULE):
                assert overlap == "allow" or not going_on, recorded.stream
                going_on.add(recorded.stream)
            case e.RunCanceled():
                going_on.discard(recorded.stream)
            case _:
                pass


def _left_behind(room: Room) -> set[int]:
    """The ticks that a revision had planned, and had not come to when the next one began."""
    found: set[int] = set()
    state: Schedule | None = None
    for recorded in room.history(SCHEDULE):
        if state is not None and state.next is not None and isinstance(recorded.event, e.ScheduleChanged):
            found |= {at for at in _counted(state.plan, state.next.at - 1, recorded.recorded_at) if at >= state.next.at}
        state = evolve(state, recorded)
    return found


def _each_run_is_of_one_tick(room: Room) -> None:
    made = [
        each.event for each in room.log if isinstance(each.event, e.RunTriggered) and each.event.source == e.SCHEDULE
    ]
    moments = [each.schedule.at for each in made if each.schedule]
    fired = [each for each in fates(room.history(SCHEDULE), planned(room)) if each.fate in WITH_RUN]

    assert len(moments) == len(set(moments)), "no moment has two runs"
    assert sorted(moments) == sorted(each.at for each in fired)


def _the_audit_agrees(room: Room, ticks: list[int]) -> None:
    ledger = TickLedger(CALENDAR, 0, FOR_EVER, len(ticks) + 1_000)
    ledger.read(room.history(SCHEDULE), room.now.wall)

    assert ledger.problems == []
    assert sorted(ledger.ticks) == sorted(ticks)
    made = [
        each.stream for each in room.log if isinstance(each.event, e.RunTriggered) and each.event.source == e.MANUAL
    ]
    assert [(each.fate, each.run) for each in ledger.by_hand] == [("MANUAL", run) for run in made]


def audited(history: list[Recorded], now: int) -> list[str]:
    ledger = TickLedger(CALENDAR, 0, FOR_EVER, 10_000)
    ledger.read(history, now)
    return ledger.problems


def fired(room: Room) -> list[Recorded]:
    """A history of three hours, each with its tick."""
    for _ in range(3):
        room.pass_time(60 * MINUTE)
    return room.history(SCHEDULE)


def test_an_audit_finds_a_tick_that_was_passed_over() -> None:
    history = fired(scheduled())

    assert audited([*history[:2], *history[3:]], NOW) == [
        "The tick 2027-01-15T10:00:00 UTC was planned, and 2027-01-15T11:00:00 UTC was accounted for."
    ]


def test_an_audit_finds_a_tick_that_was_accounted_for_twice() -> None:
    history = fired(scheduled())
    problems = audited([*history[:3], history[2], *history[3:]], NOW)

    assert "The tick 2027-01-15T10:00:00 UTC was accounted for twice." in problems


def test_an_audit_finds_ticks_that_no_calendar_plans() -> None:
    room = scheduled()
    history = fired(room)
    event = history[1].event
    assert isinstance(event, e.TicksFired)
    assert event.next is not None
    history[1] = replace(history[1], event=replace(event, next=replace(event.next, at=event.next.at + 1)))

    assert audited(history[:2], NOW) == [
        "The calendar plans 2027-01-15T10:00:00 UTC, and the ledger 2027-01-15T10:00:00.001 UTC."
    ]


def test_an_audit_finds_a_tick_of_which_nothing_became() -> None:
    room = scheduled()
    history = fired(room)

    assert audited(history, room.now.wall) == []
    assert audited(history, room.now.wall + 90 * MINUTE) == [
        "The tick 2027-01-15T12:00:00 UTC was due, and nothing became of it."
    ]


def test_an_audit_finds_a_count_that_is_not_that_of_the_calendar() -> None:
    room = scheduled()
    room.ask(c.DeactivateSchedule, schedule=SCHEDULE)
    room.pass_time(5 * 60 * MINUTE)
    room.ask(c.ActivateSchedule, schedule=SCHEDULE)
    history = room.history(SCHEDULE)
    assert isinstance(history[-1].event, e.TicksSkipped)
    history[-1] = replace(history[-1], event=replace(history[-1].event, count=4))

    assert audited(history, room.now.wall) == [
        "From 2027-01-15T09:00:00 UTC to 2027-01-15T13:00:00 UTC there are 5 ticks; 4 were accounted for."
    ]


def test_runs_by_hand_are_told_between_two_moments_and_bounded_as_ticks_are() -> None:
    room = scheduled()
    for number in range(3):
        room.ask(c.RunSchedule, schedule=SCHEDULE, run=f"run_{number}")
        room.pass_time(MINUTE)
    ledger = TickLedger(CALENDAR, NOW, NOW + MINUTE, 2)
    ledger.read(room.history(SCHEDULE), room.now.wall)

    assert ledger.by_hand == [
        Accounted(Tick(NOW, "2027-01-15T08:00:00"), 1, "MANUAL", "run_0"),
        Accounted(Tick(NOW + MINUTE, "2027-01-15T08:01:00"), 1, "MANUAL", "run_1"),
    ]
    with pytest.raises(InvalidInput, match="more than 2 ticks between these moments"):
        TickLedger(CALENDAR, NOW, NOW + 2 * MINUTE, 2).read(room.history(SCHEDULE), room.now.wall)


@pytest.mark.parametrize("seed", range(3))
def test_a_run_of_a_schedule_that_is_gone_goes_on(seed: int) -> None:
    room = scheduled(overlap=("skip", "buffer_one", "cancel_other")[seed])
    room.pass_time(60 * MINUTE)
    room.pass_time(60 * MINUTE)
    room.ask(c.DeleteSchedule, schedule=SCHEDULE)
    (*_, last) = runs_of(room)
    room.ask(c.CancelRun, run=last.id)
    room.pass_time(60 * MINUTE)

    assert isinstance(room.run(last.id), Run)
    assert audited(room.history(SCHEDULE), room.now.wall) == []
