"""Engines in this process on each of the databases."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.read_models import PostgresReadModels
from adapters.sqlite.ledger import MEMORY, SqliteLedger
from domain.ports import CopyableLedger
from tests.app.harness import Engine, running_engine
from tests.emptied import emptied_schema
from tests.postgres import database_url


@asynccontextmanager
async def engine_on(database: str, history: CopyableLedger | None = None) -> AsyncGenerator[Engine]:
    """An engine on SQLite in memory, or in an empty schema of PostgreSQL; on a copy of `history`, if it is given."""
    if database == "sqlite":
        ledger = SqliteLedger(MEMORY, name=f"ledger-{uuid4().hex}")
        _copy(history, ledger)
        async with running_engine(ledger) as running:
            yield running
        return
    with emptied_schema() as schema:
        parts = PostgresLedger(database_url(), schema), PostgresReadModels(database_url(), schema)
        _copy(history, parts[0])
        async with running_engine(*parts) as running:
            yield running


def _copy(history: CopyableLedger | None, ledger: CopyableLedger) -> None:
    if history is not None:
        ledger.restore(history.sealed_after(0, limit=history.head().position), {}, after=ledger.head())
