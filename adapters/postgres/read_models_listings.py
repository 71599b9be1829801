"""Lists of named events and batches, newest first: each part of a filter has an index that gives its newest rows."""

from typing import Any, LiteralString

from adapters.postgres.read_models_store import Store, storable
from adapters.read_models_listings import to_listing
from projections.listings import ListingFilter, ListingRow, bounds

PART: LiteralString = """
select stream, environment, kind, place, name, status, position, changed_at, detail from listing_rows
where environment = %(environment)s and kind = %(kind)s and place > %(low)s and place < %(high)s
"""
# What is joined with '' is in no index, so that none but that of the name is read.
OF_NAME: LiteralString = "and name = %(name)s"
OF_STATUS: dict[bool, LiteralString] = {False: "and status = %(status)s", True: "and status || '' = %(status)s"}
ORDERS: dict[bool, LiteralString] = {
    True: "order by place desc limit %(limit)s",
    False: "order by place limit %(limit)s",
}


def page(
    store: Store, environment: str, wanted: ListingFilter, limit: int, after: str | None, before: str | None
) -> tuple[list[ListingRow], bool]:
    """The newest rows behind `after`, or the oldest ones ahead of `before`; and whether there are more that way."""
    newest = before is None or after is not None
    low, high = map(storable, bounds(wanted, after, before))
    parameters: dict[str, Any] = {"environment": environment, "kind": wanted.kind, "low": low, "high": high}
    parameters |= {"limit": limit + 1} | ({} if wanted.name is None else {"name": storable(wanted.name)})
    name: LiteralString = OF_NAME if wanted.name is not None else ""
    rows: list[ListingRow] = []
    for status in wanted.statuses or (None,):
        condition: LiteralString = "" if status is None else OF_STATUS[bool(name)]
        statement = f"{PART} {name} {condition} {ORDERS[newest]}"
        rows += map(to_listing, store.listed(statement, parameters | ({} if status is None else {"status": status})))
    rows.sort(key=lambda row: row.id, reverse=newest)
    return sorted(rows[:limit], key=lambda row: row.id, reverse=True), len(rows) > limit
