"""Engines in this process on each of the databases."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.read_models import PostgresReadModels
from tests.app.harness import Engine, running_engine
from tests.emptied import emptied_schema
from tests.postgres import database_url


@asynccontextmanager
async def engine_on(database: str) -> AsyncGenerator[Engine]:
    """An engine on SQLite in memory, or in an empty schema of PostgreSQL."""
    if database == "sqlite":
        async with running_engine() as running:
            yield running
        return
    with emptied_schema() as schema:
        parts = PostgresLedger(database_url(), schema), PostgresReadModels(database_url(), schema)
        async with running_engine(*parts) as running:
            yield running
