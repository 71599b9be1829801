"""What an erasure of runs comes to: what will stand in the place of which event, and who still needs what was there."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from adapters.tombstones import seal_of, tombstone_of
from app.keeping.checked import checked_segment, events_of
from domain.errors import NotFound
from domain.events import Recorded, RunArchived, RunErased, RunReplayed, RunTriggered
from domain.ports import START, CopyableLedger, Sealed

LINEAGE_MAX = 1_000
"""Of so many replays, and replays of replays, it is looked whether they still need what is to be erased."""


class Plan(Struct):
    """What is to be decided about runs, of which some were erased before, and some archived in segments."""

    runs: dict[str, int] = {}
    erased: set[str] = set()
    seals: dict[int, str] = {}
    needed_by: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


def plan_of(
    ledger: CopyableLedger,
    segments: Path | None,
    erasure: str,
    runs: Sequence[str],
    environment: str,
    *,
    with_names: bool,
) -> Plan:
    """What an erasure of these runs comes to, as they are now (blocks).

    Raises NotFound, and WrongSegment when an archived one cannot be read.
    """
    histories = ledger.read_streams(runs)
    plan = Plan()
    positions: list[int] = []
    archived: dict[str, list[str]] = {}
    for run in dict.fromkeys(runs):
        history = histories.get(run, [])
        if not history or history[0].environment != environment or not isinstance(history[0].event, RunTriggered):
            raise NotFound(f"Run {run[:60]} not found.")
        plan.runs[run] = history[-1].version
        parents = (history[0].event.parent,) if history[0].event.parent else ()
        plan.needed_by = tuple(dict.fromkeys((*plan.needed_by, *parents, *_replays_of(history, ledger))))
        if isinstance(last := history[-1].event, RunArchived):
            archived.setdefault(last.segment, []).append(run)
            continue
        if _is_erased(history, with_names=with_names):
            plan.erased.add(run)
        positions += [each.position for each in history]
    plan.seals |= _seals(ledger, ledger.sealed_at(positions), erasure, with_names=with_names)
    # One segment after the other: each may be large.
    for name, its in archived.items():
        segment = checked_segment(ledger, segments, environment, name, its)
        for run in its:
            seals = _seals(ledger, events_of(segment, run), erasure, with_names=with_names)
            plan.seals |= seals
            if not seals:
                plan.erased.add(run)
            else:
                plan.segments = tuple(dict.fromkeys((*plan.segments, name)))
    return plan


def _seals(ledger: CopyableLedger, events: Iterable[Sealed], erasure: str, *, with_names: bool) -> dict[int, str]:
    """The seal of what will stand in the place of each event of which something is to be erased."""
    left = [(event, tombstone_of(event[:5], erasure, with_names=with_names)) for event in events]
    stored = ledger.sealed_at({event.position - 1 for event, _ in left})
    before = {0: START.digest} | {row.position: row.digest for row in stored}
    return {
        event.position: seal_of(before[event.position - 1], event.digest, (*event[:4], tombstone))
        for event, tombstone in left
        if tombstone is not None
    }


def replays_in(history: Sequence[Recorded]) -> list[str]:
    """The replays of a run."""
    return [each.event.run for each in history if isinstance(each.event, RunReplayed)]


def _is_erased(history: Sequence[Recorded], *, with_names: bool) -> bool:
    """Whether nothing is left to erase."""
    erased = [each.event for each in history if isinstance(each.event, RunErased)]
    return any(event.with_names or not with_names for event in erased)


def _replays_of(history: Sequence[Recorded], ledger: CopyableLedger) -> list[str]:
    """The runs that may have taken over the journal of this one, also by way of another."""
    found: dict[str, None] = {}
    waiting = replays_in(history)
    while waiting and len(found) < LINEAGE_MAX:
        found |= dict.fromkeys(waiting)
        further = [run for each in ledger.read_streams(waiting).values() for run in replays_in(each)]
        waiting = [run for run in further if run not in found]
    return list(found)
