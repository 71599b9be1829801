"""What the engine of a scenario writes to, and how it is read without that engine."""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.read_models import PostgresReadModels
from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels
from domain.ports import CopyableLedger
from projections.ports import ReadModels

WRITER_LEASE_MS = 500
"""Of an engine that was killed: the next one has to wait for it."""


@dataclass(frozen=True)
class Database:
    """A file or a schema, and the settings that lead an engine to it."""

    environment: dict[str, str]
    open_ledger: Callable[[], SqliteLedger | PostgresLedger]
    open_read_models: Callable[[], SqliteReadModels | PostgresReadModels]

    @contextmanager
    def reading(self) -> Generator[tuple[CopyableLedger, ReadModels]]:
        """Both of its parts, for as long as this lasts."""
        with closing(self.open_ledger()) as ledger, closing(self.open_read_models()) as read_models:
            yield ledger, read_models


def sqlite_in(folder: Path) -> Database:
    """A file there."""
    ledger, views = folder / "ledger.db", folder / "ledger.views.db"
    return Database(
        {"RUNFOLD_DATABASE_URL": f"sqlite:///{ledger}"},
        lambda: SqliteLedger(ledger, writes=False),
        lambda: SqliteReadModels(views),
    )


def postgres_in(url: str, schema: str) -> Database:
    """A schema."""
    return Database(
        {
            "RUNFOLD_DATABASE_URL": url,
            "RUNFOLD_DATABASE_SCHEMA": schema,
            "RUNFOLD_WRITER_LEASE_MS": str(WRITER_LEASE_MS),
        },
        lambda: PostgresLedger(url, schema),
        lambda: PostgresReadModels(url, schema),
    )
