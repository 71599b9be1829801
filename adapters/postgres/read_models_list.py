"""Lists of runs, newest first: each part of a filter has an index that gives its newest runs, and a list merges these.

Ids sort by time. Where a filter allows several tasks or statuses, each pair of them is asked for its newest runs, so
that no list sorts, or reads past, runs that it does not show; only further filters are looked up run by run.
"""

from collections.abc import Collection, Iterator
from itertools import product
from typing import Any, LiteralString, NamedTuple

from adapters import read_models_pages
from adapters.postgres.read_models_store import Store, storable
from adapters.read_models_pages import bounds, own_tasks
from adapters.read_models_rows import to_run
from domain.status import Status
from projections.filters import RunFilter
from projections.run_list import RunRow

NEWEST: LiteralString = """
select id from run_rows where environment = %(environment)s and id > %(low)s and id < %(high)s {conditions}
"""
# Each pair of a value and a status, or each status of some runs, is a range of an index of its own.
_EACH: LiteralString = """
cross join lateral (
    select id from run_rows
    where environment = %(environment)s and {is_of} and status = pair.status
    and id > %(low)s and id < %(high)s {conditions}
    order by id {direction} limit %(limit)s
) as part
"""
_PAIRS: LiteralString = """
select part.id from unnest(%(pair_values)s::text[], %(pair_statuses)s::text[]) as pair (value, status) {each}
""".replace("{each}", _EACH)
_STATUSES: LiteralString = """
select part.id from unnest(%(each_status)s::text[]) as pair (status) {each}
""".replace("{each}", _EACH)
OF_TASKS: LiteralString = _PAIRS.replace("{is_of}", "task = pair.value")
OF_VERSIONS: LiteralString = _PAIRS.replace("{is_of}", "version = pair.value")
TESTS: LiteralString = _STATUSES.replace("{is_of}", "is_test")
WITH_MACHINE: LiteralString = _STATUSES.replace("{is_of}", """position('"machine":"' in detail) > 0""")
OF_QUEUES: LiteralString = """
select part.id from unnest(%(queues)s::text[]) as wanted (queue)
cross join lateral (
    select id from run_rows
    where environment = %(environment)s and queue = wanted.queue and queue <> 'task/' || task
    and id > %(low)s and id < %(high)s {conditions}
    order by id {direction} limit %(limit)s
) as part
"""
OF_BATCH: LiteralString = """
select id from run_rows
where batch = %(batch)s and environment || '' = %(environment)s and id > %(low)s and id < %(high)s {conditions}
"""
OF_SCHEDULE: LiteralString = """
select id from run_rows
where schedule = %(schedule)s and environment || '' = %(environment)s and id > %(low)s and id < %(high)s {conditions}
"""
# `offset 0` lets the planner look for runs one by one alone; it would else read all runs where it expects many.
OF_TAGS: LiteralString = """
select part.id from unnest(%(tags)s::bytea[]) as wanted (tag)
cross join lateral (
    select id from tag_rows cross join lateral (
        select id from run_rows where id = run {conditions} offset 0
    ) as tagged
    where tag_rows.environment = %(environment)s and tag_rows.tag = wanted.tag
    and run > %(low)s and run < %(high)s
    order by run {direction} limit %(limit)s
) as part
"""
# What is joined with '' is in no index, so that none but that of the part is read.
CONDITIONS: dict[str, LiteralString] = {
    "statuses": "and status || '' = any(%(statuses)s)",
    "tasks": "and task || '' = any(%(tasks)s)",
    "versions": "and version || '' = any(%(versions)s)",
    "queues": "and queue || '' = any(%(queues)s)",
    "machines": "and detail::json ->> 'machine' = any(%(machines)s)",
    "tags_all": """
and not exists (
    select from unnest(%(tags_all)s::bytea[]) as needed (tag)
    where not exists (
        select from tag_rows as other
        where other.environment = %(environment)s and other.tag = needed.tag and other.run = run_rows.id
    )
)
""",
    "batch": "and batch || '' = %(batch)s",
    "schedule": "and schedule || '' = %(schedule)s",
    "is_test": "and is_test = %(is_test)s",
    "created_from": "and created_at >= %(created_from)s",
    "created_to": "and created_at <= %(created_to)s",
    "behind": "and (detail::json ->> 'position')::bigint > %(behind)s",
}
TASKS: LiteralString = """
with recursive tasks (task) as (
    select min(task) from run_rows where environment = %(environment)s
    union all
    select (select min(task) from run_rows where environment = %(environment)s and task > tasks.task)
    from tasks where tasks.task is not null
)
select task from tasks where task is not null
"""
PAGE: LiteralString = """
select run.* from (
    select distinct id from ({parts}) as parts order by id {direction} limit %(limit)s
) as page
cross join lateral (
    select id, environment, task, queue, status, version, batch, schedule, is_test, created_at, finished_at, detail
    from run_rows where id = page.id offset 0
) as run
order by page.id {direction}
"""


class _Part(NamedTuple):
    """A statement that finds the newest runs of a part of the filter."""

    statement: LiteralString
    holds: frozenset[str]
    """The conditions that hold for whatever it finds."""
    values: dict[str, Any]


def page(
    store: Store, environment: str, wanted: RunFilter, limit: int, after: str | None, before: str | None
) -> tuple[list[RunRow], bool]:
    """The newest runs behind `after`, or the oldest ones ahead of `before`; and whether there are more that way."""
    newest_first = before is None or after is not None
    low, high = map(storable, bounds(wanted, after, before))
    asked = _parameters(wanted)
    parameters = asked | {"environment": environment, "low": low, "high": high, "limit": limit + 1}
    statements: list[LiteralString] = []
    for part in _parts(store, environment, wanted):
        further: list[LiteralString] = [CONDITIONS[name] for name in CONDITIONS if name in asked.keys() - part.holds]
        statements.append(part.statement.replace("{conditions}", " ".join(further)))
        parameters |= part.values
    statement = PAGE.replace("{parts}", " union all ".join(statements))
    rows = store.listed(statement.replace("{direction}", "desc" if newest_first else "asc"), parameters)
    runs = list(map(to_run, rows[:limit]))
    return runs if newest_first else runs[::-1], len(rows) > limit


def _parts(store: Store, environment: str, wanted: RunFilter) -> Iterator[_Part]:
    """Those that together find every run that the filter leaves, by what narrows it most."""
    statuses = wanted.statuses or tuple(Status)
    if tags := wanted.tags or wanted.tags_all[:1]:
        yield _Part(OF_TAGS, frozenset(), {"tags": [tag.encode() for tag in tags]})
    elif wanted.batch is not None:
        yield _Part(OF_BATCH, frozenset({"batch"}), {})
    elif wanted.schedule is not None:
        yield _Part(OF_SCHEDULE, frozenset({"schedule"}), {})
    elif wanted.queues:
        yield _Part(OF_QUEUES, frozenset({"queues"}), {})
        if own := own_tasks(wanted):
            yield _Part(OF_TASKS, frozenset({"statuses"}), _pairs(own, statuses))
    elif not wanted.tasks and (wanted.machines or wanted.is_test):
        each = {"each_status": [status.value for status in statuses]}
        if wanted.machines:
            yield _Part(WITH_MACHINE, frozenset({"statuses"}), each)
        else:
            yield _Part(TESTS, frozenset({"is_test", "statuses"}), each)
    elif not wanted.tasks and wanted.versions:
        yield _Part(OF_VERSIONS, frozenset({"versions", "statuses"}), _pairs(wanted.versions, statuses))
    elif wanted.tasks or wanted.statuses:
        tasks = wanted.tasks or [task for (task,) in store.listed(TASKS, {"environment": environment})]
        many = len(tasks) * len(statuses) > read_models_pages.PAIRS_MAX
        of_tasks = _Part(OF_TASKS, frozenset({"tasks", "statuses"}), _pairs(tasks, statuses))
        yield _Part(NEWEST, frozenset(), {}) if many else of_tasks
    else:
        yield _Part(NEWEST, frozenset(), {})


def _pairs(values: Collection[str], statuses: Collection[Status]) -> dict[str, Any]:
    pairs = list(product(values, statuses))
    return {
        "pair_values": [storable(value) for value, _ in pairs],
        "pair_statuses": [status.value for _, status in pairs],
    }


def _parameters(wanted: RunFilter) -> dict[str, Any]:
    lists = {
        "statuses": wanted.statuses,
        "tasks": wanted.tasks,
        "versions": wanted.versions,
        "queues": wanted.queues,
        "machines": wanted.machines,
    }
    values = {
        "batch": None if wanted.batch is None else storable(wanted.batch),
        "schedule": None if wanted.schedule is None else storable(wanted.schedule),
        "is_test": wanted.is_test,
        "created_from": wanted.created_from,
        "created_to": wanted.created_to,
        "behind": wanted.behind,
    }
    # Tags are bytes, and the text of others is stored as the database takes it.
    tags = {"tags_all": [tag.encode() for tag in wanted.tags_all]} if wanted.tags_all else {}
    given: dict[str, Any] = tags | {
        name: [storable(value) for value in values] for name, values in lists.items() if values
    }
    return given | {name: value for name, value in values.items() if value is not None}
