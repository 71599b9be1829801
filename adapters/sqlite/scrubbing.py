"""What was erased in a SQLite file, gone from its bytes as well."""

import sqlite3

VACUUM_BYTES_MAX = 64_000_000
"""Up to this size, a file is written anew within a second."""


def scrub(cursor: sqlite3.Cursor, *, is_whole: bool) -> None:
    """Empty the log beside the file, and write a small file, or any if `is_whole`, anew.

    What is erased is overwritten where it stands, but pages that were split may have kept a copy: that goes when the
    file is written anew, for which all others wait. Raises sqlite3's errors, also while somebody reads.
    """
    (pages,), (size,) = (cursor.execute(f"pragma {each}").fetchone() for each in ("page_count", "page_size"))
    if is_whole or pages * size <= VACUUM_BYTES_MAX:
        cursor.execute("vacuum")
    (is_busy, *_) = cursor.execute("pragma wal_checkpoint(truncate)").fetchone()
    cursor.close()
    if is_busy:
        raise sqlite3.OperationalError("somebody reads it")
