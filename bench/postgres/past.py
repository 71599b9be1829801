"""Everything as it was, on PostgreSQL."""

from pathlib import Path

from bench import databases, past
from bench.figures import Chapter


def measure(folder: Path, *, quick: bool) -> Chapter:
    """As on SQLite."""
    with databases.fresh() as url:
        return past.on(url, folder, "PostgreSQL: the past", "PostgreSQL, ", quick=quick)
