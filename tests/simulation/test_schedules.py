"""Schedules in a world of faults: each planned tick has one fate and at most one run, and bugs are found."""

from collections.abc import Callable, Iterator

import pytest

from domain.lifecycle import Deadline
from domain.memory import Memory, Timed
from domain.run import Run
from domain.schedule import Schedule
from domain.scheduled import ScheduledRuns
from tests.simulation.rules import Violation
from tests.simulation.schedules import simulate


@pytest.mark.parametrize("thirty", range(2))
def test_thirty_seeds_keep_every_rule(thirty: int) -> None:
    lived = [simulate(seed) for seed in range(30 * thirty, 30 * thirty + 30)]

    assert sum(each.fired for each in lived) > 60
    assert sum(each.by_hand for each in lived) > 15


def a_late_tick_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule whose tick passed while nobody looked is due no more."""
    due = Memory.due

    def due_in_time(self: Memory, now: int) -> Iterator[tuple[Timed, Deadline]]:
        for state, deadline in due(self, now):
            if not isinstance(state, Schedule) or now - deadline.at < 1_000:
                yield state, deadline

    monkeypatch.setattr(Memory, "due", due_in_time)


def an_ended_run_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a run of a schedule is over is not noticed."""
    note = ScheduledRuns.note_run

    def note_beginnings(self: ScheduledRuns, before: Run | None, after: Run | None) -> None:
        if after is not None and not after.is_final:
            note(self, before, after)

    monkeypatch.setattr(ScheduledRuns, "note_run", note_beginnings)


@pytest.mark.parametrize("bug", [a_late_tick_is_dropped, an_ended_run_is_in_the_way])
def test_a_planted_bug_is_found(bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)

    assert any(_is_found(seed) for seed in range(50))


def _is_found(seed: int) -> bool:
    try:
        simulate(seed)
    except Violation:
        return True
    return False
