"""Lists of tokens, newest first: what narrows a filter most has an index that gives its newest tokens.

Ids sort by time, as those of runs do. Only further filters are looked up token by token.
"""

from typing import Any, LiteralString

from adapters.postgres.read_models_store import Store, storable
from adapters.read_models_pages import bounds
from adapters.read_models_waitpoints import digest_of, to_waitpoint
from domain.waitpoint import WaitpointStatus
from projections.waitpoints import WaitpointFilter, WaitpointRow

OF_KEY: LiteralString = """
select id from waitpoint_rows
where environment = %(environment)s and key_digest = %(key_digest)s and id > %(low)s and id < %(high)s {conditions}
"""
# `offset 0` lets the planner look for tokens one by one alone; it would else read all of them where it expects many.
OF_TAGS: LiteralString = """
select part.id from unnest(%(tags)s::bytea[]) as wanted (tag) cross join unnest(%(statuses)s::text[]) as of (status)
cross join lateral (
    select id from waitpoint_tag_rows as tagged cross join lateral (
        select id from waitpoint_rows where id = waitpoint {conditions} offset 0
    ) as token
    where tagged.environment = %(environment)s and tagged.tag = wanted.tag and tagged.status = of.status
    and waitpoint > %(low)s and waitpoint < %(high)s
    order by waitpoint {direction} limit %(limit)s
) as part
"""
OF_STATUSES: LiteralString = """
select part.id from unnest(%(statuses)s::text[]) as wanted (status)
cross join lateral (
    select id from waitpoint_rows
    where environment = %(environment)s and status = wanted.status and id > %(low)s and id < %(high)s {conditions}
    order by id {direction} limit %(limit)s
) as part
"""
# What is joined with '' is in no index, so that none but that of the part is read.
CONDITIONS: dict[str, LiteralString] = {
    "statuses": "and status || '' = any(%(statuses)s)",
    "tags": """
    and exists (
        select from waitpoint_tag_rows as tagged
        where tagged.environment = %(environment)s and tagged.tag = any(%(tags)s)
        and tagged.status = waitpoint_rows.status and tagged.waitpoint = id
    )
    """,
    "created_from": "and created_at >= %(created_from)s",
    "created_to": "and created_at <= %(created_to)s",
}
PAGE: LiteralString = """
select token.* from (
    select distinct id from ({part}) as part order by id {direction} limit %(limit)s
) as page
cross join lateral (
    select id, environment, status, key_digest, created_at, detail from waitpoint_rows where id = page.id offset 0
) as token
order by page.id {direction}
"""


def page(
    store: Store, environment: str, wanted: WaitpointFilter, limit: int, after: str | None, before: str | None
) -> tuple[list[WaitpointRow], bool]:
    """The newest tokens behind `after`, or the oldest ones ahead of `before`; and whether there are more that way."""
    newest_first = before is None or after is not None
    low, high = map(storable, bounds(wanted, after, before))
    asked = _parameters(wanted)
    part, holds = _part(wanted)
    further: list[LiteralString] = [CONDITIONS[name] for name in CONDITIONS if name in asked and name not in holds]
    statement = PAGE.replace("{part}", part).replace("{conditions}", " ".join(further))
    statuses = [status.value for status in WaitpointStatus]
    parameters = {"statuses": statuses, "environment": environment, "low": low, "high": high, "limit": limit + 1}
    rows = store.listed(statement.replace("{direction}", "desc" if newest_first else "asc"), parameters | asked)
    tokens = list(map(to_waitpoint, rows[:limit]))
    return tokens if newest_first else tokens[::-1], len(rows) > limit


def _part(wanted: WaitpointFilter) -> tuple[LiteralString, frozenset[str]]:
    """The statement that finds every token that the filter leaves, and the conditions that hold for all it finds."""
    if wanted.idempotency_key is not None:
        return OF_KEY, frozenset()
    return (OF_TAGS, frozenset({"tags", "statuses"})) if wanted.tags else (OF_STATUSES, frozenset({"statuses"}))


def _parameters(wanted: WaitpointFilter) -> dict[str, Any]:
    lists = {
        "statuses": [status.value for status in wanted.statuses],
        "tags": [tag.encode() for tag in wanted.tags],
    }
    values = {
        "key_digest": digest_of(wanted.idempotency_key),
        "created_from": wanted.created_from,
        "created_to": wanted.created_to,
    }
    given: dict[str, Any] = {name: value for name, value in lists.items() if value}
    return given | {name: value for name, value in values.items() if value is not None}
