"""No held run is forgotten, whatever fails: hundreds of seeds, and bugs that they find."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import json

from domain.canceling import Cancels
from domain.commands import HandOut
from domain.draft import Draft, Origin
from domain.events import RunEvent
from domain.gates import Gates, Verdict
from domain.lifecycle import PARENT_CANCELED, cancel
from domain.memory import Memory
from domain.run import Run
from domain.sessions import Session
from tests.simulation.gates import simulate

SEEDS = range(80)


def a_version_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks through the held runs when an environment changes."""
    note = Memory._note_environment  # pyright: ignore[reportPrivateUsage]

    def note_quietly(self: Memory, stream: str, before: Any, after: Any) -> None:
        arrived = dict(self.held.arrived)
        note(self, stream, before, after)
        self.held.arrived = arrived

    monkeypatch.setattr(Memory, "_note_environment", note_quietly)


def a_cancel_reaches_only_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grandchildren live on."""

    def cancel_children(self: Cancels, run: Run, reason: str | None, origin: Origin, draft: Draft) -> None:
        memory, turns = self._memory, self._turns  # pyright: ignore[reportPrivateUsage]
        children = sorted(memory.children.get(run.id, ()))
        for each, why in [(run.id, reason), *((child, PARENT_CANCELED) for child in children)]:
            known = memory.run(each)
            if known is not None and draft.record(each, cancel(known, why), origin) is not known:
                turns.stop(known, "CANCELED")

    monkeypatch.setattr(Cancels, "cancel", cancel_children)


def a_resolver_is_asked_of_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a worker was asked is forgotten."""
    hand = Session.hand

    def hand_and_forget(self: Session, run: HandOut) -> None:
        hand(self, run)
        self.resolving.clear()

    monkeypatch.setattr(Session, "hand", hand_and_forget)


def a_verdict_counts_whatever_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload may be replaced between the look at it and the verdict."""
    after_version = Gates.after_version

    def believe(self: Gates, run: Run, verdict: Verdict | None) -> list[RunEvent]:
        if verdict is not None:
            verdict = Verdict(verdict.version, verdict.error, run.version)
        return after_version(self, run, verdict)

    monkeypatch.setattr(Gates, "after_version", believe)


BUGS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    a_version_wakes_nobody: "is held, and its version is there",
    a_cancel_reaches_only_children: "lives on, and its parent was canceled",
    a_resolver_is_asked_of_everybody: "was asked before",
    a_verdict_counts_whatever_was_judged: "is let pass, and its payload does not fit|is ended, and its payload fits",
}


def broken_rules() -> Iterator[str]:
    """What the seeds say is broken, in their order."""
    for seed in SEEDS:
        try:
            simulate(seed)
        except AssertionError as broken:
            yield str(broken)


def test_fifty_seeds_lose_no_held_run() -> None:
    for seed in range(50):
        simulate(seed)


def test_the_same_seed_gives_the_same_ledger() -> None:
    first, second = (json.encode(simulate(7).room.log) for _ in range(2))

    assert first == second
    assert first != json.encode(simulate(8).room.log)


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    assert any(re.search(BUGS[plant], broken) for broken in broken_rules())
