"""Lists of runs, newest first: each part of a filter has an index that gives its newest runs, and a list merges these.

Ids sort by time. Where a filter allows several tasks or statuses, each pair of them is asked for its newest runs, so
that no list sorts, or reads past, runs that it does not show. Of several filters the one that has few runs finds them;
only the others are looked up run by run. Of a batch, which is small, all runs are read.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any, LiteralString, NamedTuple

from adapters import read_models_pages
from adapters.postgres.read_models_schema import spelled
from adapters.postgres.read_models_store import Store, storable
from adapters.read_models_pages import bounds, narrowest, own_tasks
from adapters.read_models_rows import to_run
from domain.status import Status
from projections.filters import RunFilter
from projections.run_row import RunRow

NEWEST: LiteralString = """
select id from run_rows where environment = {number} and id > %(low)s and id < %(high)s {conditions}
"""
# Each pair of a value and a status, or each status of some runs, is a range of an index of its own.
_EACH: LiteralString = """
cross join lateral (
    select id from run_rows
    where environment = {number} and {is_of} and status = pair.status
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
WITH_MACHINE: LiteralString = _STATUSES.replace("{is_of}", "machine is not null")
OF_QUEUES: LiteralString = """
select part.id from unnest(%(queues)s::text[]) as wanted (queue)
cross join lateral (
    select id from run_rows
    where environment = {number} and queue = wanted.queue and queue <> 'task/' || task
    and id > %(low)s and id < %(high)s {conditions}
    order by id {direction} limit %(limit)s
) as part
"""
# All of them are read: an order by id would let the planner look for them among all runs.
OF_BATCH: LiteralString = """
select id from (
    select id from run_rows
    where batch = %(batch)s and environment + 0 = {number}
    and id || '' > %(low)s and id || '' < %(high)s {conditions} offset 0
) as of_batch
"""
OF_SCHEDULE: LiteralString = """
select id from run_rows
where schedule = %(schedule)s and environment + 0 = {number} and id > %(low)s and id < %(high)s {conditions}
"""
OF_RUNS: LiteralString = """
select id from run_rows
where id = any(%(runs)s) and environment = {number} and id > %(low)s and id < %(high)s {conditions}
"""
# `offset 0` lets the planner look for runs one by one alone; it would else read all runs where it expects many.
OF_TAGS: LiteralString = """
select part.id from unnest(%(found_tags)s::bytea[]) as wanted (tag)
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
    "machines": "and machine || '' = any(%(machines)s)",
    "tags_all": """
and not exists (
    select from unnest(%(tags_all)s::bytea[]) as needed (tag)
    where not exists (
        select from tag_rows as other
        where other.environment = %(environment)s and other.tag = needed.tag and other.run = run_rows.id offset 0
    ) offset 0
)
""",
    "batch": "and batch || '' = %(batch)s",
    "schedule": "and schedule || '' = %(schedule)s",
    "is_test": "and is_test = %(is_test)s",
    "created_from": "and created_at >= %(created_from)s",
    "created_to": "and created_at <= %(created_to)s",
    "runs": "and id = any(%(runs)s)",
    "behind": "and (detail::json ->> 'position')::bigint > %(behind)s",
    "tags": """and exists (
        select from unnest(%(tags)s::bytea[]) as asked (tag) cross join lateral (
            select from tag_rows where environment = %(environment)s and tag = asked.tag and run = run_rows.id offset 0
        ) as tagged offset 0
    )""",
}
TASKS: LiteralString = spelled("""
with recursive tasks (task) as (
    select min(task) from run_rows where environment = {number}
    union all
    select (select min(task) from run_rows where environment = {number} and task > tasks.task)
    from tasks where tasks.task is not null
)
select task from tasks where task is not null
""")
PAGE: LiteralString = """
select run.* from (
    select distinct id from ({parts}) as parts order by id {direction} limit %(limit)s
) as page
cross join lateral (
    select {run} from run_rows where id = page.id offset 0
) as run
order by page.id {direction}
"""


COUNT: LiteralString = "select count(*) from (select from ({parts}) as parts limit %(limit)s) as few"


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
    narrow = narrowest(wanted, lambda part: _count(store, environment, part, parameters))
    for part in _parts(store, environment, narrow):
        further: list[LiteralString] = [CONDITIONS[name] for name in CONDITIONS if name in asked.keys() - part.holds]
        statements.append(part.statement.replace("{conditions}", " ".join(further)))
        parameters |= part.values
    statement = spelled(PAGE.replace("{parts}", " union all ".join(statements)))
    statement = statement.replace("{direction}", "desc" if newest_first else "asc")
    rows = store.listed(statement, parameters)
    runs = list(map(to_run, rows[:limit]))
    return runs if newest_first else runs[::-1], len(rows) > limit


def _count(store: Store, environment: str, wanted: RunFilter, parameters: Mapping[str, Any]) -> int:
    """How many runs a part of a filter has between the bounds of the page; FEW_MAX where it is that many or more."""
    values = dict(parameters) | {"limit": read_models_pages.FEW_MAX}
    statements: list[LiteralString] = []
    for part in _parts(store, environment, wanted):
        statements.append(part.statement.replace("{conditions}", "").replace("{direction}", "desc"))
        values |= part.values
    ((found,),) = store.listed(spelled(COUNT.replace("{parts}", " union all ".join(statements))), values)
    return int(found)


def _parts(store: Store, environment: str, wanted: RunFilter) -> Iterator[_Part]:
    """Those that together find every run that the filter leaves, by what narrows it most."""
    statuses = wanted.statuses or tuple(Status)
    if wanted.tags:
        yield _Part(OF_TAGS, frozenset({"tags"}), {"found_tags": [tag.encode() for tag in wanted.tags]})
    elif wanted.tags_all:
        yield _Part(OF_TAGS, frozenset(), {"found_tags": [tag.encode() for tag in wanted.tags_all]})
    elif few := _few(wanted):
        yield few
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


def _few(wanted: RunFilter) -> _Part | None:
    """The part of a filter that names one thing of which there are few runs."""
    if wanted.runs is not None:
        return _Part(OF_RUNS, frozenset({"runs"}), {})
    if wanted.batch is not None:
        return _Part(OF_BATCH, frozenset({"batch"}), {})
    return None if wanted.schedule is None else _Part(OF_SCHEDULE, frozenset({"schedule"}), {})


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
        "runs": None if wanted.runs is None else [storable(each) for each in sorted(wanted.runs)],
    }
    # Tags are bytes, and the text of others is stored as the database takes it.
    tags = {"tags": wanted.tags, "tags_all": wanted.tags_all}
    given: dict[str, Any] = {name: [tag.encode() for tag in values] for name, values in tags.items() if values}
    given |= {name: [storable(value) for value in values] for name, values in lists.items() if values}
    return given | {name: value for name, value in values.items() if value is not None}
