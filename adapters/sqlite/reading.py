"""The files for a command or a process that appends nothing."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from adapters.sqlite.ledger import SqliteLedger
from adapters.sqlite.read_models import SqliteReadModels


@contextmanager
def reading(ledger_path: Path, views_path: Path) -> Generator[tuple[SqliteLedger, SqliteReadModels]]:
    """The ledger and the read models, beside an engine or without one."""
    with closing(SqliteLedger(ledger_path, writes=False)) as ledger, closing(SqliteReadModels(views_path)) as rows:
        yield ledger, rows
