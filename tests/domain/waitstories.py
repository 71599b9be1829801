"""The words in which waits are told: what a worker reports of the code of a run."""

from typing import Any

from domain.attempts import Report
from domain.commands import HandOut
from domain.events import Entry, RunError
from domain.journal import Journaled
from tests.domain.stories import NOW, Colleague, Room, started


def stepped(run: HandOut, index: int, name: str = "charge", **more: Any) -> Report:
    """A step returned."""
    return Report(run.run, run.token, "step_succeeded", NOW, journaled=Journaled(Entry(index, name)), **more)


def tried(run: HandOut, index: int, until: int | None, name: str = "charge") -> Report:
    """A step failed, and is tried again then."""
    journaled = Journaled(Entry(index, name), until=until)
    return Report(run.run, run.token, "step_tried", NOW, error=RunError("busy"), journaled=journaled)


def waits(run: HandOut, index: int, *targets: str, until: int | None = None, is_any: bool = False) -> Report:
    """Its code waits for these, or until then."""
    journaled = Journaled(Entry(index, "wait"), targets=targets, until=until, is_any=is_any)
    return Report(run.run, run.token, "waiting", NOW, journaled=journaled)


def blocked(run: HandOut, *waits: int) -> Report:
    """Nothing goes on but these waits."""
    return Report(run.run, run.token, "blocked", NOW, journaled=Journaled(waits=waits))


def frozen(run: HandOut) -> Report:
    """Its process is given up."""
    return Report(run.run, run.token, "frozen", NOW)


def pass_slowly(room: Room, milliseconds: int) -> None:
    """Let time pass while the engine looks around: one that was deaf itself holds nobody late."""
    for _ in range(0, milliseconds, 2_000):
        room.pass_time(min(2_000, milliseconds))


def wait(worker: Colleague, *targets: str, until: int | None = None, is_any: bool = False) -> HandOut:
    """Take a run that starts, and waits for these."""
    (hand,) = worker.take()
    worker.turn(started(hand), waits(hand, 0, *targets, until=until, is_any=is_any), blocked(hand, 0))
    return hand
