"""Many rows with few statements.

The driver lets go of the interpreter for each statement and asks for it again, which is what the event loop has at
that moment: a batch stored row by row waits for it once per row, and costs half as much again.
"""

import sqlite3
from collections.abc import Iterable
from functools import cache

CHUNKS = (64, 8, 1)
"""How many rows a statement takes; few sizes, so that the driver finds it prepared. 12 columns stay below 999 values,
which is all that some builds of SQLite take."""


def insert(cursor: sqlite3.Cursor, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert all rows with this statement, which has `{rows}` where one says the values. Raises sqlite3's errors."""
    left = list(rows)
    at = 0
    for size in CHUNKS:
        while len(left) - at >= size:
            text = _with_rows(statement, size, len(left[at]))
            cursor.execute(text, [value for row in left[at : at + size] for value in row])
            at += size


@cache
def _with_rows(statement: str, size: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.replace("{rows}", ", ".join([row] * size))
