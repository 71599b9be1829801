"""The dashboard, on PostgreSQL."""

from pathlib import Path

from bench import databases, pages
from bench.figures import Chapter


def measure(folder: Path, *, quick: bool) -> Chapter:
    """As on SQLite."""
    with databases.fresh() as url:
        return pages.on(url, folder, "PostgreSQL: the dashboard", "PostgreSQL, ", quick=quick)
