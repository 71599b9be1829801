"""Lists of runs, newest first: each part of a filter has an index that gives its newest runs, and a list merges these.

Ids sort by time. Where a filter allows several tasks or statuses, each pair of them is asked for its newest runs, so
that no list sorts, or reads past, runs that it does not show. Of several filters the one that has few runs finds them;
only the others are looked up run by run.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any

from msgspec import json

from adapters import read_models_pages
from adapters.read_models_pages import bounds, narrowest, own_tasks
from adapters.read_models_rows import to_run
from domain.status import Status
from projections.filters import RunFilter
from projections.run_row import RunRow

NEWEST = "select id from run_rows where environment = :environment and id > :low and id < :high"
OF_TASK = """
select id from run_rows
where environment = :environment and task = :task and status = :status and id > :low and id < :high
"""
OF_QUEUE = """
select id from run_rows
where environment = :environment and queue = :queue and queue <> 'task/' || task and id > :low and id < :high
"""
OF_BATCH = """
select id from run_rows
where batch = :batch and +environment = :environment and id > :low and id < :high
"""
OF_VERSION = """
select id from run_rows
where environment = :environment and version = :version and status = :status and id > :low and id < :high
"""
TESTS = """
select id from run_rows
where environment = :environment and is_test = 1 and status = :status and id > :low and id < :high
"""
WITH_MACHINE = """
select id from run_rows
where environment = :environment and machine is not null and status = :status
and id > :low and id < :high
"""
OF_SCHEDULE = """
select id from run_rows
where schedule = :schedule and +environment = :environment and id > :low and id < :high
"""
OF_RUNS = """
select id from run_rows
where id in (select value from json_each(:runs)) and +environment = :environment and id > :low and id < :high
"""
OF_TAG = """
select id from tag_rows cross join run_rows on id = run
where tag_rows.environment = :environment and tag = :tag and run > :low and run < :high
"""
# The plus keeps SQLite from choosing another index than that of the part.
CONDITIONS = {
    "statuses": "and +status in (select value from json_each(:statuses))",
    "tasks": "and +task in (select value from json_each(:tasks))",
    "versions": "and +version in (select value from json_each(:versions))",
    "queues": "and +queue in (select value from json_each(:queues))",
    "machines": "and +machine in (select value from json_each(:machines))",
    "tags_all": """
and not exists (
    select 1 from json_each(:tags_all) as wanted
    where not exists (
        select 1 from tag_rows as other
        where other.environment = :environment and other.tag = wanted.value and other.run = run_rows.id
    )
)
""",
    "batch": "and +batch = :batch",
    "schedule": "and +schedule = :schedule",
    "is_test": "and +is_test = :is_test",
    "created_from": "and +created_at >= :created_from",
    "created_to": "and +created_at <= :created_to",
    "runs": "and +id in (select value from json_each(:runs))",
    "behind": "and json_extract(detail, '$.position') > :behind",
    "tags": """and exists (
        select 1 from json_each(:tags) cross join tag_rows as tagged
        on tagged.environment = :environment and tagged.tag = value and tagged.run = run_rows.id
    )""",
}
ORDERS = {True: "order by id desc limit :limit", False: "order by id limit :limit"}
TAG_ORDERS = {True: "order by run desc limit :limit", False: "order by run limit :limit"}
COUNT = "select count(*) from"
TASKS = """
with recursive tasks (task) as (
    select min(task) from run_rows where environment = :environment
    union all
    select (select min(task) from run_rows where environment = :environment and task > tasks.task)
    from tasks where tasks.task is not null
)
select task from tasks where task is not null
"""
RUNS = """
select id, environment, task, queue, status, version, batch, schedule, machine, is_test, created_at, finished_at, detail
from run_rows where id in (select value from json_each(?))
"""


def runs_by_id(cursor: sqlite3.Cursor, runs: Collection[str]) -> list[RunRow]:
    """The rows of these runs, newest first; those that do not exist are left out."""
    rows = map(to_run, cursor.execute(RUNS, (_list(runs),)))
    return sorted(rows, key=lambda row: row.id, reverse=True)


def page(
    cursor: sqlite3.Cursor, environment: str, wanted: RunFilter, limit: int, after: str | None, before: str | None
) -> tuple[list[RunRow], bool]:
    """The newest runs behind `after`, or the oldest ones ahead of `before`; and whether there are more that way."""
    newest = before is None or after is not None
    low, high = bounds(wanted, after, before)
    parameters = _parameters(wanted) | {"environment": environment, "low": low, "high": high, "limit": limit + 1}
    narrow = narrowest(wanted, lambda part: _count(cursor, environment, part, parameters))
    holds = {"tags"} if narrow.tags else set[str]()
    conditions = " ".join(CONDITIONS[name] for name in CONDITIONS if name in parameters.keys() - holds)
    found: set[str] = set()
    for part, values in _parts(cursor, environment, narrow):
        order = (TAG_ORDERS if part is OF_TAG else ORDERS)[newest]
        found.update(run for (run,) in cursor.execute(f"{part} {conditions} {order}", parameters | values))
    runs = sorted(found, reverse=newest)
    return runs_by_id(cursor, runs[:limit]), len(runs) > limit


def _count(cursor: sqlite3.Cursor, environment: str, wanted: RunFilter, parameters: Mapping[str, Any]) -> int:
    """How many runs a part of a filter has between the bounds of the page; FEW_MAX where it is that many or more."""
    few, found = read_models_pages.FEW_MAX, 0
    for part, values in _parts(cursor, environment, wanted):
        given = {**parameters, **values, "limit": few}
        found += cursor.execute(f"{COUNT} ({part} limit :limit)", given).fetchone()[0]
        if found >= few:
            return few
    return found


def _parts(cursor: sqlite3.Cursor, environment: str, wanted: RunFilter) -> Iterator[tuple[str, dict[str, str]]]:
    """The statements that together find every run that the filter leaves, by what narrows it most."""
    if wanted.tags:
        yield from ((OF_TAG, {"tag": tag}) for tag in wanted.tags)
    elif wanted.tags_all:
        yield from ((OF_TAG, {"tag": tag}) for tag in wanted.tags_all)
    elif few := _few(wanted):
        yield few, {}
    elif wanted.queues:
        yield from ((OF_QUEUE, {"queue": queue}) for queue in wanted.queues)
        yield from _pairs(own_tasks(wanted), wanted.statuses or tuple(Status))
    elif not wanted.tasks and (wanted.machines or wanted.is_test):
        part = WITH_MACHINE if wanted.machines else TESTS
        yield from ((part, {"status": status.value}) for status in wanted.statuses or tuple(Status))
    elif not wanted.tasks and wanted.versions:
        pairs = product(wanted.versions, wanted.statuses or tuple(Status))
        yield from ((OF_VERSION, {"version": version, "status": status.value}) for version, status in pairs)
    elif wanted.tasks or wanted.statuses:
        tasks = wanted.tasks or [task for (task,) in cursor.execute(TASKS, {"environment": environment}).fetchall()]
        statuses = wanted.statuses or tuple(Status)
        yield from (
            [(NEWEST, {})] if len(tasks) * len(statuses) > read_models_pages.PAIRS_MAX else _pairs(tasks, statuses)
        )
    else:
        yield NEWEST, {}


def _few(wanted: RunFilter) -> str | None:
    """The part of a filter that names one thing of which there are few runs."""
    if wanted.runs is not None:
        return OF_RUNS
    if wanted.batch is not None:
        return OF_BATCH
    return None if wanted.schedule is None else OF_SCHEDULE


def _pairs(tasks: Collection[str], statuses: Collection[Status]) -> Iterator[tuple[str, dict[str, str]]]:
    return ((OF_TASK, {"task": task, "status": status.value}) for task, status in product(tasks, statuses))


def _parameters(wanted: RunFilter) -> dict[str, Any]:
    lists = {
        "statuses": wanted.statuses,
        "tasks": wanted.tasks,
        "versions": wanted.versions,
        "tags_all": wanted.tags_all,
        "queues": wanted.queues,
        "machines": wanted.machines,
        "tags": wanted.tags,
    }
    values = {
        "batch": wanted.batch,
        "schedule": wanted.schedule,
        "is_test": wanted.is_test,
        "created_from": wanted.created_from,
        "created_to": wanted.created_to,
        "behind": wanted.behind,
        "runs": None if wanted.runs is None else _list(sorted(wanted.runs)),
    }
    given = {name: _list(value) for name, value in lists.items() if value}
    return given | {name: value for name, value in values.items() if value is not None}


def _list(values: object) -> str:
    return json.encode(values).decode()
