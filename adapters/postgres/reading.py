"""The database for a command or a process that appends nothing."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.read_models import PostgresReadModels


@contextmanager
def reading(url: str, schema: str) -> Generator[tuple[PostgresLedger, PostgresReadModels]]:
    """The ledger and the read models, beside an engine or without one."""
    with closing(PostgresLedger(url, schema)) as ledger, closing(PostgresReadModels(url, schema)) as rows:
        yield ledger, rows
