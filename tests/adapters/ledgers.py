"""The ledgers that the conformance suite runs on, and events to fill them with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from adapters.sqlite.ledger import MEMORY, SqliteLedger
from domain import events as e
from domain.events import Recorded, RunEvent
from domain.ports import Head, Ledger

Opener = Callable[[], Ledger]
"""Opens the same ledger again, as another process would."""


def in_memory(_folder: Path) -> Opener:
    # It belongs to one process, and there to whoever holds this one object.
    ledger = SqliteLedger(MEMORY, name=uuid4().hex)
    return lambda: ledger


def in_file(folder: Path) -> Opener:
    # Without the right to write: the suite makes writers contend, which the lock beside the file would prevent.
    return lambda: SqliteLedger(folder / "ledger.db", writes=False)


LEDGERS: dict[str, Callable[[Path], Opener]] = {"sqlite-memory": in_memory, "sqlite-file": in_file}


def triggered(head: Head, *runs: str) -> list[Recorded]:
    """A batch behind `head` that triggers these runs."""
    return [
        recorded(head.position + index, run, 1, e.RunTriggered("greet", "task/greet"))
        for index, run in enumerate(runs, start=1)
    ]


def recorded(position: int, run: str, version: int, event: RunEvent) -> Recorded:
    return Recorded(position, run, version, "env_1", 1_000, 1_001, "key:1", "POST /", event)


def positions(history: Sequence[Recorded]) -> list[int]:
    return [each.position for each in history]
