"""Lists of named events and batches, newest first: each part of a filter has an index that gives its newest rows."""

import sqlite3
from typing import Any

from adapters.read_models_listings import to_listing
from projections.listings import ListingFilter, ListingRow, bounds

PART = """
select stream, environment, kind, place, name, status, position, changed_at, detail from listing_rows
where environment = :environment and kind = :kind and place > :low and place < :high
"""
# The plus keeps SQLite from choosing another index than that of the name.
OF_NAME = "and name = :name"
OF_STATUS = {False: "and status = :status", True: "and +status = :status"}
ORDERS = {True: "order by place desc limit :limit", False: "order by place limit :limit"}


def page(
    cursor: sqlite3.Cursor, environment: str, wanted: ListingFilter, limit: int, after: str | None, before: str | None
) -> tuple[list[ListingRow], bool]:
    """The newest rows behind `after`, or the oldest ones ahead of `before`; and whether there are more that way."""
    newest = before is None or after is not None
    low, high = bounds(wanted, after, before)
    parameters: dict[str, Any] = {"environment": environment, "kind": wanted.kind, "low": low, "high": high}
    parameters |= {"limit": limit + 1, "name": wanted.name}
    name = OF_NAME if wanted.name is not None else ""
    rows: list[ListingRow] = []
    for status in wanted.statuses or (None,):
        condition = "" if status is None else OF_STATUS[bool(name)]
        statement = f"{PART} {name} {condition} {ORDERS[newest]}"
        rows += map(to_listing, cursor.execute(statement, parameters | {"status": status}))
    rows.sort(key=lambda row: row.id, reverse=newest)
    return sorted(rows[:limit], key=lambda row: row.id, reverse=True), len(rows) > limit
