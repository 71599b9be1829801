"""What goes on by its journal comes to the same whatever fails: many seeds, and bugs that they find."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from app.history import journal as told
from app.history.journal import JournalEntry
from app.history.lineage import Line
from domain import attempts, journal, ready, slots, triggering
from domain import events as e
from domain import run as runs
from domain.attempts import Report
from domain.commands import Accepted, Turn
from domain.draft import Draft, Origin
from domain.events import Recorded, RunEvent
from domain.journal import Journaled
from domain.lifecycle import NewRun
from domain.memory import Memory
from domain.ports import Ledger
from domain.run import Run, Wait
from domain.status import Status
from domain.waiters import Waiters
from domain.waits import Waits
from tests.simulation.durable import simulate

SEEDS = range(300)


def a_wait_ends_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends is recorded twice."""
    complete = Waits._complete  # pyright: ignore[reportPrivateUsage]

    def complete_twice(self: Waits, run: Run, completed: list[e.WaitCompleted], origin: Origin, draft: Draft) -> None:
        complete(self, run, [*completed, *completed], origin, draft)

    monkeypatch.setattr(Waits, "_complete", complete_twice)


def the_end_of_a_wait_is_lost_on_who_says_that_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is believed to wait for what is over, as far as its worker has not heard of it."""

    def block(run: Run, said: Journaled) -> list[RunEvent]:
        return [] if run.status is Status.WAITING else [e.RunBlocked()]

    monkeypatch.setattr(journal, "block", block)


def who_waits_for_a_batch_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a batch is noted, and nobody goes on because of it."""
    end = Waiters.end

    def end_unless_it_is_a_batch(self: Waiters, target: str) -> None:
        if not target.startswith("batch_"):
            end(self, target)

    monkeypatch.setattr(Waiters, "end", end_unless_it_is_a_batch)


def a_run_that_goes_on_takes_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an attempt that has not waited counts."""

    def takes_slot(run: Run) -> bool:
        return slots.takes_slot(run) and not run.woken

    monkeypatch.setattr(ready, "takes_slot", takes_slot)


def a_run_that_waits_keeps_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every open attempt counts."""

    def takes_slot(run: Run) -> bool:
        return run.token is not None

    monkeypatch.setattr(ready, "takes_slot", takes_slot)


def a_lost_attempt_forgets_its_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gets it next begins with the first entry."""
    suspend = runs._suspend  # pyright: ignore[reportPrivateUsage]

    def suspend_and_forget(run: Run, recorded: Recorded, reason: str) -> dict[str, Any]:
        return suspend(run, recorded, reason) | {"journal": 0}

    monkeypatch.setattr(runs, "_suspend", suspend_and_forget)


def a_late_report_of_a_frozen_attempt_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever froze a run may still report for it when it goes on elsewhere."""
    report = attempts.report

    def believe(run: Run, said: Report, worker: str, unknown: tuple[str, ...]) -> list[RunEvent]:
        if run.token and run.closed_by(said.token) == "frozen":
            said = replace(said, token=run.token)
        return report(run, said, worker, unknown)

    monkeypatch.setattr(attempts, "report", believe)


def children_are_triggered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The idempotency keys of children stand for nothing."""
    trigger_run = triggering.trigger_run

    def trigger_anew(new: NewRun, *more: Any) -> Accepted:
        return trigger_run(replace(new, key=None) if new.parent else new, *more)

    monkeypatch.setattr(triggering, "trigger_run", trigger_anew)


def a_parent_goes_on_when_its_child_fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that will be tried again counts as over."""
    is_over = Memory.is_over

    def is_nearly_over(self: Memory, stream: str) -> bool:
        run = self.run(stream)
        return is_over(self, stream) or (run is not None and run.failures > 0)

    monkeypatch.setattr(Memory, "is_over", is_nearly_over)


def nobody_is_told_again_what_another_engine_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was on its way when an engine died is lost."""

    def forget(_waits: Waits, _turn: Turn) -> None:
        pass

    monkeypatch.setattr(Waits, "tell_again", forget)


def a_second_wait_for_the_same_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a target for which the run did not wait before is looked at."""
    note = Waiters._note_waits  # pyright: ignore[reportPrivateUsage]

    def note_new_targets(self: Waiters, before: Run | None, after: Run | None) -> None:
        touched = dict(self._touched)  # pyright: ignore[reportPrivateUsage]
        note(self, before, after)
        if after is not None and not _targets_of(after.waits) - _targets_of(before.waits if before else ()):
            self._touched = touched  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(Waiters, "_note_waits", note_new_targets)


def tries_of_a_lost_attempt_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on is told that they were those of another attempt."""
    entry_of = told._entry_of  # pyright: ignore[reportPrivateUsage]

    def entry_of_no_try(ledger: Ledger, line: Line) -> JournalEntry:
        entry = entry_of(ledger, line)
        return replace(entry, attempt=0) if entry.kind == "tried" else entry

    monkeypatch.setattr(told, "_entry_of", entry_of_no_try)


def the_next_try_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause behind a try is over when it begins."""
    changes: dict[Any, Any] = runs._CHANGES  # pyright: ignore[reportPrivateUsage]
    tried = changes[e.StepTryFailed]

    def tried_and_due(run: Run, event: e.StepTryFailed, recorded: Recorded) -> dict[str, Any]:
        changed: dict[str, Any] = tried(run, replace(event, until=0), recorded)
        return changed

    monkeypatch.setitem(changes, e.StepTryFailed, tried_and_due)


def who_waited_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose wait is over is still known as one that waits."""
    note = Waiters._note_waits  # pyright: ignore[reportPrivateUsage]

    def note_new_waits(self: Waiters, before: Run | None, after: Run | None) -> None:
        if after is not None and len(after.waits) >= len(before.waits if before else ()):
            note(self, before, after)

    monkeypatch.setattr(Waiters, "_note_waits", note_new_waits)


def _targets_of(waits: tuple[Wait, ...]) -> set[str]:
    return {target for wait in waits for target in wait.targets}


BUGS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    a_wait_ends_twice: "wait .* ends, and it is not open",
    the_end_of_a_wait_is_lost_on_who_says_that_nothing_goes_on: "is blocked, and waits for nothing|not over: ",
    who_waits_for_a_batch_is_forgotten: "wait .* is for .*batch.*, and .* is over",
    a_run_that_goes_on_takes_no_slot: "slots of .* are taken by the open attempts",
    a_run_that_waits_keeps_its_slot: "slots of .* are taken by the open attempts",
    a_lost_attempt_forgets_its_journal: "is done again|is entry",
    a_late_report_of_a_frozen_attempt_is_accepted: "but RunDequeued.* is open|is frozen, and goes on",
    children_are_triggered_again: "is triggered by .*, and .* was before",
    a_parent_goes_on_when_its_child_fails_once: "of these only .* are over",
    nobody_is_told_again_what_another_engine_told: "not over: ",
    a_second_wait_for_the_same_is_not_looked_at: "wait .* is for .*, and .* is over",
    who_waited_is_remembered: "the waiters are ",
    tries_of_a_lost_attempt_are_forgotten: "tries of .* failed",
    the_next_try_comes_at_once: "neither that nor its time is enough",
}


def broken_rules() -> Iterator[str]:
    """What the seeds say is broken, in their order."""
    for seed in SEEDS:
        try:
            simulate(seed)
        except AssertionError as broken:
            yield str(broken)


def test_fifty_seeds_come_to_what_their_code_comes_to() -> None:
    for seed in range(50):
        simulate(seed)


def test_the_same_seed_gives_the_same_log_in_another_process() -> None:
    command = [sys.executable, "-m", "tests.simulation.replay", "--durable", "7", "--quiet"]
    # Another order of sets and another hash of strings must change nothing.
    replayed = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True
    )

    assert replayed.stdout.split()[-1] == simulate(7).ledger.head().digest.hex()


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    assert any(re.search(BUGS[plant], broken) for broken in broken_rules())
