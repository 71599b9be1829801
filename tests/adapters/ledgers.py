"""The ledgers that the conformance suite runs on, and events to fill them with."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.migrate import migrate
from adapters.sqlite.ledger import MEMORY, SqliteLedger
from domain import events as e
from domain.events import Recorded, RunEvent
from domain.ports import Head, Ledger
from projections.ports import ReadModels
from tests.postgres import database_url, schema_of_its_own

Opener = Callable[[], Ledger]
"""Opens the same ledger again, as another process would."""
Closable = TypeVar("Closable", bound=Ledger | ReadModels)


@contextmanager
def in_memory(_folder: Path) -> Generator[Opener]:
    # It belongs to one process, and there to whoever holds this one object.
    ledger = SqliteLedger(MEMORY, name=uuid4().hex)
    yield lambda: ledger
    ledger.close()


@contextmanager
def in_file(folder: Path) -> Generator[Opener]:
    # Without the right to write: the suite makes writers contend, which the lock beside the file would prevent.
    with closing_all(lambda: SqliteLedger(folder / "ledger.db", writes=False)) as opener:
        yield opener


@contextmanager
def in_postgres(_folder: Path) -> Generator[Opener]:
    with schema_of_its_own() as schema:
        migrate(database_url(), schema)
        with closing_all(lambda: PostgresLedger(database_url(), schema)) as opener:
            yield opener


@contextmanager
def closing_all(open_one: Callable[[], Closable]) -> Generator[Callable[[], Closable]]:
    """The same, but what was opened is closed in the end."""
    with ExitStack() as opened:

        def open_and_note() -> Closable:
            one = open_one()
            opened.callback(one.close)
            return one

        yield open_and_note


LEDGERS: dict[str, Callable[[Path], AbstractContextManager[Opener]]] = {
    "sqlite-memory": in_memory,
    "sqlite-file": in_file,
    "postgres": in_postgres,
}


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
