"""Named events in a world of faults: each starts each subscriber once, or is canceled, and bugs are found."""

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from domain import delivering
from domain.commands import DeliverEvent
from domain.delivering import EventHandlers
from domain.draft import Draft
from domain.lifecycle import Deadline
from domain.memory import Memory, Timed
from domain.named_event import NamedEvent
from tests.simulation.events import simulate
from tests.simulation.rules import Violation


@pytest.fixture(autouse=True)
def _portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few runs at once that most events are delivered in several portions."""
    monkeypatch.setattr(delivering, "RUNS_MAX", 1)


def test_twenty_seeds_keep_every_rule() -> None:
    lived = [simulate(seed) for seed in range(20)]

    assert sum(each.started for each in lived) > 100
    assert sum(each.parts for each in lived) > 20


def a_late_event_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event whose time passed while nobody looked is due no more."""
    due = Memory.due

    def due_in_time(self: Memory, now: int) -> Iterator[tuple[Timed, Deadline]]:
        for state, deadline in due(self, now):
            if not isinstance(state, NamedEvent) or now - deadline.at < 500:
                yield state, deadline

    monkeypatch.setattr(Memory, "due", due_in_time)


def a_delivery_is_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a portion was delivered by another command is not looked at."""
    deliver = EventHandlers._deliver  # pyright: ignore[reportPrivateUsage]

    def believe(self: EventHandlers, command: DeliverEvent, draft: Draft) -> bool:
        known = draft.state(command.event)
        if isinstance(known, NamedEvent) and known.after > command.after:
            start = self._start  # pyright: ignore[reportPrivateUsage]
            environment = self._environment(command)  # pyright: ignore[reportPrivateUsage]
            before = replace(known, after=command.after)
            start(before, command.sent, command.payload, environment, draft)
            return True
        return deliver(self, command, draft)

    monkeypatch.setattr(EventHandlers, "_deliver", believe)


@pytest.mark.parametrize("bug", [a_late_event_is_dropped, a_delivery_is_done_twice])
def test_a_planted_bug_is_found(bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)

    assert any(_is_found(seed) for seed in range(20))


def _is_found(seed: int) -> bool:
    try:
        simulate(seed)
    except Violation:
        return True
    return False
