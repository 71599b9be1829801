"""Lists of tokens, newest first: what narrows a filter most has an index that gives its newest tokens.

Ids sort by time, as those of runs do. Only further filters are looked up token by token.
"""

import sqlite3
from collections.abc import Iterator
from itertools import product
from typing import Any

from msgspec import json

from adapters.read_models_pages import bounds
from adapters.read_models_waitpoints import digest_of, to_waitpoint
from domain.waitpoint import WaitpointStatus
from projections.waitpoints import WaitpointFilter, WaitpointRow

OF_KEY = """
select id from waitpoint_rows
where environment = :environment and key_digest = :key_digest and id > :low and id < :high
"""
OF_TAG = """
select id from waitpoint_tag_rows as tagged cross join waitpoint_rows on id = waitpoint
where tagged.environment = :environment and tag = :tag and tagged.status = :status
and waitpoint > :low and waitpoint < :high
"""
OF_STATUS = """
select id from waitpoint_rows
where environment = :environment and status = :status and id > :low and id < :high
"""
# The plus keeps SQLite from choosing another index than that of the part.
CONDITIONS = {
    "statuses": "and +waitpoint_rows.status in (select value from json_each(:statuses))",
    "tags": """
    and exists (
        select 1 from waitpoint_tag_rows as tagged
        where tagged.environment = :environment and tagged.tag in (select value from json_each(:tags))
        and tagged.status = waitpoint_rows.status and tagged.waitpoint = id
    )
    """,
    "created_from": "and +created_at >= :created_from",
    "created_to": "and +created_at <= :created_to",
}
ORDERS = {True: "order by id desc limit :limit", False: "order by id limit :limit"}
TAG_ORDERS = {True: "order by waitpoint desc limit :limit", False: "order by waitpoint limit :limit"}
WAITPOINTS = """
select id, environment, status, key_digest, created_at, detail
from waitpoint_rows where id in (select value from json_each(?))
"""


def page(
    cursor: sqlite3.Cursor, environment: str, wanted: WaitpointFilter, limit: int, after: str | None, before: str | None
) -> tuple[list[WaitpointRow], bool]:
    """The newest tokens behind `after`, or the oldest ones ahead of `before`; and whether there are more that way."""
    newest = before is None or after is not None
    low, high = bounds(wanted, after, before)
    asked = _parameters(wanted)
    parameters = asked | {"environment": environment, "low": low, "high": high, "limit": limit + 1}
    found: set[str] = set()
    for part, holds, values in _parts(wanted):
        conditions = " ".join(CONDITIONS[name] for name in CONDITIONS if name in asked and name not in holds)
        order = (TAG_ORDERS if part is OF_TAG else ORDERS)[newest]
        found.update(token for (token,) in cursor.execute(f"{part} {conditions} {order}", parameters | values))
    tokens = sorted(found, reverse=newest)[:limit]
    rows = map(to_waitpoint, cursor.execute(WAITPOINTS, (_list(tokens),)))
    return sorted(rows, key=lambda row: row.id, reverse=True), len(found) > limit


def _parts(wanted: WaitpointFilter) -> Iterator[tuple[str, frozenset[str], dict[str, str]]]:
    """The statements that together find every token that the filter leaves, and the conditions that hold for all."""
    statuses = wanted.statuses or tuple(WaitpointStatus)
    if wanted.idempotency_key is not None:
        yield OF_KEY, frozenset(), {}
    elif wanted.tags:
        for tag, status in product(wanted.tags, statuses):
            yield OF_TAG, frozenset({"tags", "statuses"}), {"tag": tag, "status": status.value}
    else:
        for status in statuses:
            yield OF_STATUS, frozenset({"statuses"}), {"status": status.value}


def _parameters(wanted: WaitpointFilter) -> dict[str, Any]:
    lists = {
        "statuses": [status.value for status in wanted.statuses],
        "tags": wanted.tags,
    }
    values = {
        "key_digest": digest_of(wanted.idempotency_key),
        "created_from": wanted.created_from,
        "created_to": wanted.created_to,
    }
    given: dict[str, Any] = {name: _list(value) for name, value in lists.items() if value}
    return given | {name: value for name, value in values.items() if value is not None}


def _list(values: object) -> str:
    return json.encode(values).decode()
