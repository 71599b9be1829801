"""Schedules whose zone has other rules than when they were planned: nothing is lost, and nothing comes twice."""

from msgspec.structs import replace

from adapters.calendar import CronCalendar
from domain import events as e
from domain.calendar import Cron, Tick
from domain.events import Plan, Recorded
from domain.schedule import Schedule, create, evolve, reckon
from domain.tick_ledger import TickLedger
from tests.domain.schedulestories import HOUR, SCHEDULE, plan
from tests.domain.stories import ENVIRONMENT, NOW

DAY = 24 * HOUR
OLD = CronCalendar()
BERLIN = plan(Cron("0 15 * * *", "Europe/Berlin"))


class Moved(CronCalendar):
    """Another edition, in which the zone goes ahead of UTC by `later` milliseconds less."""

    def __init__(self, later: int) -> None:
        self._later = later

    @property
    def version(self) -> str:
        """One that never was."""
        return "2999z"

    def next_after(self, cron: Cron, moment: int) -> Tick | None:
        """The tick that was planned before, at its new moment."""
        tick = OLD.next_after(cron, moment - self._later)
        return None if tick is None else replace(tick, at=tick.at + self._later)


def history_of(*events: tuple[e.Event, int], of: Plan = BERLIN) -> list[Recorded]:
    """A schedule that was made now, and what happened to it, each at its moment."""
    told = [(each, NOW) for each in create(SCHEDULE, "IMPERATIVE", of, NOW, OLD)] + list(events)
    return [
        Recorded(place, SCHEDULE, place, ENVIRONMENT, at, at, "engine", "test", event)
        for place, (event, at) in enumerate(told, 1)
    ]


def folded(history: list[Recorded]) -> Schedule:
    """The state that a history tells."""
    state = None
    for recorded in history:
        state = evolve(state, recorded)
    assert state is not None
    return state


def fired(tick: Tick, calendar: CronCalendar = OLD) -> tuple[e.Event, int]:
    """The tick became a run, in time."""
    return e.TicksFired(tick, ("run_1",), calendar.next_after(Cron("0 15 * * *", "Europe/Berlin"), tick.at)), tick.at


def first_of(history: list[Recorded]) -> Tick:
    """The tick that is planned."""
    tick = folded(history).next
    assert tick is not None
    return tick


def test_the_edition_stands_in_the_event_that_plans() -> None:
    (created,) = create(SCHEDULE, "IMPERATIVE", BERLIN, NOW, OLD)
    (in_utc,) = create(SCHEDULE, "IMPERATIVE", plan(), NOW, OLD)

    assert isinstance(created, e.ScheduleCreated)
    assert isinstance(in_utc, e.ScheduleCreated)
    assert (created.tzdata, in_utc.tzdata) == (OLD.version, "")


def test_the_same_edition_changes_nothing() -> None:
    assert reckon(folded(history_of()), OLD) == []


def test_a_schedule_in_utc_asks_for_no_zones() -> None:
    assert reckon(folded(history_of(of=plan())), Moved(HOUR)) == []


def test_a_tick_that_moved_is_planned_anew() -> None:
    history = history_of()
    first = first_of(history)
    later = replace(first, at=first.at + HOUR)

    assert reckon(folded(history), Moved(HOUR)) == [e.ScheduleReckoned("2999z", later, first)]


def test_another_edition_with_the_same_rules_is_noted_and_moves_nothing() -> None:
    history = history_of()

    assert reckon(folded(history), Moved(0)) == [e.ScheduleReckoned("2999z", first_of(history))]


def test_a_tick_that_should_have_been_while_the_engine_was_down_is_planned_all_the_same() -> None:
    history = history_of()
    first = first_of(history)

    (reckoned,) = reckon(folded(history), Moved(-HOUR))

    assert reckoned == e.ScheduleReckoned("2999z", replace(first, at=first.at - HOUR), first)


def test_a_local_time_that_came_does_not_come_again() -> None:
    history = history_of()
    first = first_of(history)
    history = history_of(fired(first))

    (reckoned,) = reckon(folded(history), Moved(HOUR))

    assert isinstance(reckoned, e.ScheduleReckoned)
    assert reckoned.next is not None
    assert (reckoned.next.at, reckoned.next.local > first.local) == (first.at + DAY + HOUR, True)


def test_the_audit_says_what_moved_and_with_what_each_tick_was_reckoned() -> None:
    first, moved = first_of(history_of()), Moved(HOUR)
    history = history_of(fired(first))
    (reckoned,) = reckon(folded(history), moved)
    assert isinstance(reckoned, e.ScheduleReckoned)
    assert reckoned.next is not None
    second = reckoned.next
    history = history_of(fired(first), (reckoned, first.at + HOUR), fired(second, moved))
    ledger = TickLedger(moved, NOW, second.at, 100)

    ledger.read(history, second.at)

    assert ledger.problems == []
    assert [each.tzdata for _, each in sorted(ledger.ticks.items())] == [OLD.version, "2999z"]
    assert any("moved to" in note and "2999z" in note for note in ledger.notes)


def test_the_audit_takes_other_zones_of_the_same_edition_for_a_mistake() -> None:
    first = first_of(history_of())
    history = history_of((e.TicksFired(first, ("run_1",), replace(first, at=first.at + DAY + HOUR)), first.at))
    ledger = TickLedger(OLD, NOW, first.at + HOUR, 100)

    ledger.read(history, first.at + HOUR)

    assert len(ledger.problems) == 1
    assert ledger.notes == []
